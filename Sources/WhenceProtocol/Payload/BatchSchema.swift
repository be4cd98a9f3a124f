import NIOCore
public import WhenceCore

/// The names and types of the columns of a batch, as messages carry them.
public struct BatchSchema: Sendable, Equatable {
    public let names: [String]
    public let types: [FeatureType]

    /// Column `i` is called `names[i]` and has `types[i]`.
    public init(names: [String], types: [FeatureType]) {
        precondition(names.count == types.count)
        self.names = names
        self.types = types
    }

    /// The schema of `batch`.
    public init(of batch: ColumnBatch) {
        self.init(names: batch.names, types: batch.columns.map(\.type))
    }

    /// Columns.
    public var count: Int { names.count }

    /// The 64-bit FNV-1a hash (http://www.isthe.com/chongo/tech/comp/fnv/) of the schema's bytes, by which client and server name
    /// a schema that both keep. Made anew at every call.
    public func identity() throws(WhenceError) -> UInt64 {
        var writer = FrameWriter()
        try encode(into: &writer)
        return BatchSchema.identity(of: writer.buffer.readableBytesSpan)
    }

    /// The identity of a schema whose bytes are `bytes`.
    static func identity(of bytes: RawSpan) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in 0..<bytes.byteCount { hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3 }
        return hash
    }

    func encode(into writer: inout FrameWriter) throws(WhenceError) {
        try BatchSchema.encode(names: names, into: &writer) { types[$0] }
    }

    /// Writes the schema of `batch`.
    static func encode(of batch: ColumnBatch, into writer: inout FrameWriter) throws(WhenceError) {
        try encode(names: batch.names, into: &writer) { batch.columns[$0].type }
    }

    private static func encode(names: [String], into writer: inout FrameWriter, type: (Int) -> FeatureType) throws(WhenceError) {
        guard names.count <= WireLimits.columns else {
            throw WhenceError(.limitExceeded, "\(names.count) columns are more than \(WireLimits.columns)")
        }
        writer.integer(UInt32(names.count))
        for (index, name) in names.enumerated() {
            guard !name.isEmpty else { throw WhenceError(.invalidArgument, "a column has no name", place: "column \(index)") }
            try writer.name(name, "a column's name")
            let (scalar, shape, dimension) = type(index).wireCode
            writer.buffer.writeMultipleIntegers(scalar, shape, UInt16(0), UInt32(dimension), endianness: .little)
        }
    }

    init(from reader: inout PayloadReader) throws(WhenceError) {
        // A name of one byte with its length, and a type.
        let count = try reader.count(limit: WireLimits.columns, itemBytes: 13)
        var names: [String] = []
        var types: [FeatureType] = []
        var seen: Set<BytewiseName> = []
        names.reserveCapacity(count)
        types.reserveCapacity(count)
        for _ in 0..<count {
            let name = try reader.name()
            guard !name.isEmpty else { throw reader.invalid("a column has no name") }
            guard count == 1 || seen.insert(BytewiseName(name: name)).inserted else {
                throw reader.invalid("two columns are called '\(name)'")
            }
            names.append(name)
            types.append(try FeatureType(from: &reader))
        }
        self.names = names
        self.types = types
    }
}

extension BatchSchema {
    public static func == (a: BatchSchema, b: BatchSchema) -> Bool {
        a.types == b.types && a.names.count == b.names.count && zip(a.names, b.names).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
    }
}

/// A name that is equal to another only where the bytes are; Swift's own strings are equal where Unicode calls them equivalent.
private struct BytewiseName: Hashable {
    var name: String

    static func == (a: BytewiseName, b: BytewiseName) -> Bool { a.name.utf8.elementsEqual(b.name.utf8) }

    func hash(into hasher: inout Hasher) { for byte in name.utf8 { hasher.combine(byte) } }
}

extension ScalarType {
    /// The scalar's number in a type.
    fileprivate var wireCode: UInt8 {
        switch self {
        case .bool: 1
        case .int32: 2
        case .int64: 3
        case .float32: 4
        case .float64: 5
        case .string: 6
        case .bytes: 7
        case .timestamp: 8
        }
    }
}

extension FeatureType {
    fileprivate var wireCode: (scalar: UInt8, shape: UInt8, dimension: Int) {
        switch self {
        case .scalar(let scalar): (scalar.wireCode, 0, 0)
        case .vector(let dimension): (ScalarType.float32.wireCode, 1, dimension)
        case .list(let scalar): (scalar.wireCode, 2, 0)
        }
    }

    fileprivate init(from reader: inout PayloadReader) throws(WhenceError) {
        let code: UInt8 = try reader.integer()
        let shape: UInt8 = try reader.integer()
        let zero: UInt16 = try reader.integer()
        let dimension: UInt32 = try reader.integer()
        guard let scalar = ScalarType.allCases.first(where: { $0.wireCode == code }), zero == 0 else {
            throw reader.invalid("there is no type \(code)")
        }
        switch (shape, dimension) {
        case (0, 0): self = .scalar(scalar)
        case (2, 0): self = .list(scalar)
        case (1, 1...UInt32(Limits.vectorDimension)) where scalar == .float32: self = .vector(dimension: Int(dimension))
        default: throw reader.invalid("there is no type of scalar \(code), shape \(shape) and dimension \(dimension)")
        }
    }
}
