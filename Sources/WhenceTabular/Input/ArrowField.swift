import WhenceCore

/// A column of an Arrow stream as its schema says it, or a child of one.
struct ArrowField {
    /// How its values lie.
    enum Layout: Equatable {
        case int(bits: Int, isSigned: Bool)
        case float(bits: Int)
        case bool
        /// Offsets of 32 or 64 bits.
        case text(offsetBytes: Int)
        case bytes(offsetBytes: Int)
        /// Short values in 16 bytes a row, longer ones in buffers of their own, as polars writes its texts.
        case view(isText: Bool)
        /// Microseconds since the epoch, after multiplication.
        case timestamp(multiply: Int64)
        case null
        /// Something that is not read: how many buffers it has.
        case other(buffers: Int)
    }

    static let depthMax = 16
    /// Fields of a schema, with all their children.
    static let fieldsMax = 1 << 16

    let name: String
    let layout: Layout
    let typeName: String
    let dictionaryID: Int?
    /// The type of the indices, where the column has a dictionary.
    let index: Layout?
    let children: [ArrowField]

    /// - Parameter budget: fields that may still be made. The tables of a buffer can point to one another, so that few bytes
    ///   could stand for more fields than there is time for.
    init(_ table: FlatBufferTable, depth: Int, budget: inout Int) throws(WhenceError) {
        // Depth is bounded here, so the recursion is.
        budget -= 1
        guard depth < ArrowField.depthMax, budget >= 0 else { throw FlatBufferTable.fault }
        name = try table.string(0) ?? ""
        let number = try table.int(2, width: 1)
        let parameters = try table.table(3)
        var inner: [ArrowField] = []
        for child in try table.tables(5) {
            guard inner.count < TabularLimits.columns else { throw FlatBufferTable.fault }
            inner.append(try ArrowField(child, depth: depth + 1, budget: &budget))
        }
        children = inner
        (layout, typeName) = try ArrowField.layout(number, parameters)
        guard let dictionary = try table.table(4) else {
            dictionaryID = nil
            index = nil
            return
        }
        dictionaryID = try dictionary.int(0, width: 8)
        let type = try dictionary.table(1)
        index = .int(bits: try type?.int(0, width: 4, otherwise: 32) ?? 32, isSigned: try type?.bool(1) ?? true)
    }

    /// The types of `Schema.fbs` by their numbers in the union `Type`.
    private static func layout(_ number: Int, _ parameters: FlatBufferTable?) throws(WhenceError) -> (Layout, String) {
        switch number {
        case 1: return (.null, "null")
        case 2:
            let bits = try parameters?.int(0, width: 4) ?? 0
            let isSigned = try parameters?.bool(1) ?? false
            guard [8, 16, 32, 64].contains(bits) else { throw FlatBufferTable.fault }
            return (.int(bits: bits, isSigned: isSigned), "\(isSigned ? "" : "u")int\(bits)")
        case 3:
            let precision = try parameters?.int(0, width: 2) ?? 0
            return precision == 0
                ? (.other(buffers: 2), "float16") : (.float(bits: precision == 1 ? 32 : 64), precision == 1 ? "float32" : "float64")
        case 4: return (.bytes(offsetBytes: 4), "bytes")
        case 5: return (.text(offsetBytes: 4), "string")
        case 6: return (.bool, "bool")
        case 10:
            let unit = try parameters?.int(0, width: 2) ?? 0
            return switch unit {
            case 0: (.timestamp(multiply: 1_000_000), "timestamp[s]")
            case 1: (.timestamp(multiply: 1000), "timestamp[ms]")
            case 2: (.timestamp(multiply: 1), "timestamp[us]")
            default: (.other(buffers: 2), "timestamp[ns]")
            }
        case 19: return (.bytes(offsetBytes: 8), "large bytes")
        case 20: return (.text(offsetBytes: 8), "large string")
        case 7: return (.other(buffers: 2), "decimal")
        case 8: return (.other(buffers: 2), "date")
        case 9: return (.other(buffers: 2), "time")
        case 11: return (.other(buffers: 2), "interval")
        case 12, 17, 21: return (.other(buffers: 2), "list")
        case 13, 16: return (.other(buffers: 1), "struct or fixed-size list")
        case 15: return (.other(buffers: 2), "fixed-size bytes")
        case 18: return (.other(buffers: 2), "duration")
        // A dense union has offsets beside its types.
        case 14: return (.other(buffers: try parameters?.int(0, width: 2) == 1 ? 2 : 1), "union")
        case 22: return (.other(buffers: 0), "run-end encoded")
        case 23: return (.view(isText: false), "bytes view")
        case 24: return (.view(isText: true), "string view")
        case 25, 26: return (.other(buffers: 3), "list view")
        default:
            throw WhenceError(
                .unknownFormat, "a column has the type \(number) of Arrow, which is not known", hint: "leave it out, or cast it")
        }
    }

    /// What is read of a dictionary's values.
    var values: ArrowField { self.withoutDictionary }

    private var withoutDictionary: ArrowField { ArrowField(name: name, layout: layout, typeName: typeName, children: children) }

    private init(name: String, layout: Layout, typeName: String, children: [ArrowField]) {
        self.name = name
        self.layout = layout
        self.typeName = typeName
        self.children = children
        dictionaryID = nil
        index = nil
    }

    /// The type of the column that it becomes, or nil where it cannot be read.
    var type: FeatureType? {
        if dictionaryID != nil {
            switch layout {
            case .text, .view(isText: true): return .string
            default: return nil
            }
        }
        switch layout {
        case .int(let bits, let isSigned): return bits < 32 || (bits == 32 && isSigned) ? .int32 : .int64
        case .float(let bits): return bits == 32 ? .float32 : .float64
        case .bool: return .bool
        case .text, .view(isText: true): return .string
        case .bytes, .view(isText: false): return .bytes
        case .timestamp: return .timestamp
        case .null: return .string
        case .other: return nil
        }
    }
}
