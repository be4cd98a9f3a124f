/// Where the fields of one encoded row lie. Every place that it gives has been checked against the row's length.
public struct RowBody {
    /// Where one field is.
    public enum Place: Equatable {
        case absent
        case null
        /// The field's bytes within the row.
        case bytes(Range<Int>)
    }

    public let header: RowHeader
    private var places: [Place] = []

    /// Finds all fields of `row`. Throws `corruption` when the row is not of this layout.
    public init(_ row: RawSpan, _ layout: RowLayout) throws(WhenceError) {
        try self.init(row, header: RowHeader(row), layout)
    }

    /// As above, for a row whose header is decoded already.
    public init(_ row: RawSpan, header: RowHeader, _ layout: RowLayout) throws(WhenceError) {
        self.header = header
        let count = layout.schema.fields.count
        places.reserveCapacity(count)
        var at = header.bodyOffset
        var presence: Int?
        var nulls: Int?
        if header.isSparse {
            presence = at
            at += layout.bitmapBytes
        }
        if header.hasNulls {
            nulls = at
            at += layout.bitmapBytes
        }
        guard at <= row.byteCount else { throw RowHeader.corrupt("its bitmaps are cut short") }
        func bit(_ bitmap: Int, _ index: Int) -> Bool { row[bitmap + index >> 3] & (1 << UInt8(index & 7)) != 0 }
        var variableCount = 0
        for index in 0..<count {
            if let presence, !bit(presence, index) {
                places.append(.absent)
                continue
            }
            let isNull = nulls.map { bit($0, index) } ?? false
            let width = layout.widths[index]
            if width > 0 {
                places.append(isNull ? .null : .bytes(at..<(at + width)))
                at += width
            } else {
                // The range is filled in below, once the table of ends is reached.
                places.append(isNull ? .null : .bytes(variableCount..<variableCount))
                variableCount += 1
            }
        }
        if layout.variableCount > 0 {
            let table = at
            let data = table + variableCount * 4
            guard data <= row.byteCount else { throw RowHeader.corrupt("its table of ends is cut short") }
            var start = 0
            var position = 0
            for index in 0..<count where layout.widths[index] == 0 && places[index] != .absent {
                let end = Int(UInt32(littleEndian: unsafe row.unsafeLoadUnaligned(fromByteOffset: table + position * 4, as: UInt32.self)))
                guard end >= start, data + end <= row.byteCount else { throw RowHeader.corrupt("a value ends past the row") }
                if places[index] != .null { places[index] = .bytes((data + start)..<(data + end)) }
                start = end
                position += 1
            }
            at = data + start
        }
        guard at == row.byteCount else { throw RowHeader.corrupt("it has \(row.byteCount) bytes, and its schema says \(at)") }
    }

    /// Where field `index` of the layout's schema is.
    public func place(of index: Int) -> Place { places[index] }
}

extension Value {
    /// Decodes a field's bytes. Throws `corruption` where they are not of `type`.
    public init(_ bytes: RawSpan, as type: FeatureType) throws(WhenceError) {
        func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
            T(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
        }
        if let width = type.width, bytes.byteCount != width { throw RowHeader.corrupt("a value has the wrong length") }
        switch type {
        case .scalar(.bool): self = .bool(bytes[0] != 0)
        case .scalar(.int32): self = .int32(load(0, Int32.self))
        case .scalar(.int64): self = .int64(load(0, Int64.self))
        case .scalar(.float32): self = .float32(Float(bitPattern: load(0, UInt32.self)))
        case .scalar(.float64): self = .float64(Double(bitPattern: load(0, UInt64.self)))
        case .scalar(.timestamp): self = .timestamp(Timestamp(microseconds: load(0, Int64.self)))
        case .scalar(.string):
            self = .string(unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) })
        case .scalar(.bytes): self = .bytes(unsafe bytes.withUnsafeBytes { unsafe Array($0) })
        case .vector(let dimension): self = .vector((0..<dimension).map { Float(bitPattern: load($0 * 4, UInt32.self)) })
        case .list(let scalar):
            var elements: [Value] = []
            if let width = scalar.width {
                guard bytes.byteCount % width == 0 else { throw RowHeader.corrupt("a list is cut short") }
                for offset in stride(from: 0, to: bytes.byteCount, by: width) {
                    elements.append(try Value(bytes.extracting(offset..<(offset + width)), as: .scalar(scalar)))
                }
            } else {
                try ListOfStrings.forEach(bytes) { element throws(WhenceError) in
                    elements.append(try Value(element, as: .scalar(scalar)))
                }
            }
            self = .list(elements)
        }
    }
}

/// The stored form of a list whose elements differ in length: a count, the ends, the bytes.
enum ListOfStrings {
    /// Calls `body` with each element. Throws `corruption` where the bytes are no such list.
    static func forEach(_ bytes: RawSpan, _ body: (RawSpan) throws(WhenceError) -> Void) throws(WhenceError) {
        func number(_ offset: Int) -> Int {
            Int(UInt32(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        guard bytes.byteCount >= 4 else { throw RowHeader.corrupt("a list is cut short") }
        let count = number(0)
        let data = 4 + count * 4
        guard data <= bytes.byteCount else { throw RowHeader.corrupt("a list is cut short") }
        var start = 0
        for index in 0..<count {
            let end = number(4 + index * 4)
            guard end >= start, data + end <= bytes.byteCount else { throw RowHeader.corrupt("an element ends past its list") }
            try body(bytes.extracting((data + start)..<(data + end)))
            start = end
        }
    }
}
