/// Where the fields of one encoded row lie. Every place that it gives has been checked against the row's length.
public struct RowBody {
    /// Where one field is.
    public enum Place: Equatable {
        case absent
        case null
        /// The field's bytes within the row.
        case bytes(Range<Int>)
    }

    public private(set) var header: RowHeader
    private var places: [Place] = []

    /// Finds all fields of `row`. Throws `corruption` when the row is not of this layout: of another kind, of another
    /// schema, or not of the length that its bitmaps and its table of ends add up to.
    public init(_ row: RawSpan, _ layout: RowLayout) throws(WhenceError) {
        try self.init(row, header: RowHeader(row), layout)
    }

    /// As above, for a row whose header is decoded already.
    public init(_ row: RawSpan, header: RowHeader, _ layout: RowLayout) throws(WhenceError) {
        self.header = header
        try find(row, header: header, layout)
    }

    /// A body that is to be found by `find`.
    init() { header = RowHeader(kind: .row) }

    /// The same for another row, in the memory of the one before.
    mutating func find(_ row: RawSpan, header: RowHeader, _ layout: RowLayout) throws(WhenceError) {
        self.header = header
        places.removeAll(keepingCapacity: true)
        guard header.kind == .row, header.schemaID == layout.schema.id else {
            throw RowHeader.corrupt("it is a \(header.kind) of schema \(header.schemaID), read as a row of schema \(layout.schema.id)")
        }
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
