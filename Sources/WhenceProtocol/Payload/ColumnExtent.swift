import WhenceCore

/// Where some rows of a column lie in its buffers, and how long the buffers of `columns` are that hold them. Numbers only, so that it is made
/// without touching a reference count: an answer to an online read has many columns and few rows.
struct ColumnExtent {
    /// The elements of the rows of a list; for other types the rows themselves.
    let elements: Range<Int>
    let nullCount: Int
    let sizes: ColumnSizes
    /// Where the values begin in the column's own buffer, in bytes; of no meaning for bits.
    let valuesStart: Int

    /// Rows of a column of fixed width other than bool, by its numbers alone: a column that is handed over whole is copied, and its buffers
    /// counted. Nil for others, and where it would have to be looked at which rows have no value.
    init?(fixed type: FeatureType, nullCount: Int, isWhole: Bool, _ rows: Range<Int>) {
        guard let width = type.width, type != .bool, isWhole || nullCount == 0 else { return nil }
        elements = rows
        self.nullCount = nullCount
        valuesStart = width * rows.lowerBound
        sizes = ColumnSizes(validity: nullCount > 0 ? (rows.count + 7) / 8 : 0, values: width * rows.count)
    }

    init(_ column: borrowing Column, _ rows: Range<Int>) {
        var sizes = ColumnSizes()
        nullCount = rows.count == column.count ? column.nullCount : ColumnExtent.nulls(column, rows)
        if nullCount > 0 { sizes.validity = (rows.count + 7) / 8 }
        switch column.type {
        case .scalar(let scalar):
            elements = rows
            if scalar.width == nil { sizes.offsets = 4 * (rows.count + 1) }
            (valuesStart, sizes.values) = ColumnExtent.values(scalar, rows, column.offsets)
        case .vector(let dimension):
            elements = rows
            valuesStart = 4 * dimension * rows.lowerBound
            sizes.values = 4 * dimension * rows.count
        case .list(let scalar):
            sizes.offsets = 4 * (rows.count + 1)
            elements = ColumnExtent.bounds(rows, column.offsets)
            if scalar.width == nil { sizes.elementOffsets = 4 * (elements.count + 1) }
            (valuesStart, sizes.values) = ColumnExtent.values(scalar, elements, column.elementOffsets)
        }
        self.sizes = sizes
    }

    /// Bytes of `columns` with these rows of `batch`: the numbers, padded to 8, and the buffers.
    static func byteCounts(_ batch: ColumnBatch, _ rows: Range<Int>) -> (header: Int, body: Int) {
        var header = 8
        var body = 0
        let columns = batch.columns.span
        for index in columns.indices {
            header += ColumnSizes.headerBytes(columns[index].type)
            let isWhole = rows.count == batch.count
            if let fixed = ColumnExtent(fixed: columns[index].type, nullCount: columns[index].nullCount, isWhole: isWhole, rows) {
                body += fixed.sizes.paddedBytes
            } else {
                body += ColumnExtent(columns[index], rows).sizes.paddedBytes
            }
        }
        return (ColumnSizes.padded(header), body)
    }

    /// Where the values of `range` lie, and how long they are, in bytes.
    private static func values(_ scalar: ScalarType, _ range: Range<Int>, _ offsets: ColumnBuffer?) -> (start: Int, byteCount: Int) {
        if scalar == .bool { return (0, (range.count + 7) / 8) }
        if let width = scalar.width { return (width * range.lowerBound, width * range.count) }
        let bytes = bounds(range, offsets)
        return (bytes.lowerBound, bytes.count)
    }

    private static func bounds(_ range: Range<Int>, _ offsets: ColumnBuffer?) -> Range<Int> {
        guard let offsets else { return 0..<0 }
        return offsets.offset(range.lowerBound)..<offsets.offset(range.upperBound)
    }

    private static func nulls(_ column: borrowing Column, _ rows: Range<Int>) -> Int {
        guard let validity = column.validity else { return 0 }
        return rows.count - validity.setBits(rows)
    }
}

extension ColumnBuffer {
    /// The Int32 at `index`; 0 past the end, where a column of no rows may have no offsets.
    func offset(_ index: Int) -> Int { span.offset(index) }

    /// Bits of `range`, which begins at a multiple of 8, that are set.
    func setBits(_ range: Range<Int>) -> Int { span.setBits(range) }
}

extension RawSpan {
    /// The Int32 at `index`; 0 past the end.
    func offset(_ index: Int) -> Int {
        guard index * 4 + 4 <= byteCount else { return 0 }
        return Int(unsafe unsafeLoadUnaligned(fromByteOffset: index * 4, as: Int32.self))
    }

    /// Bits of `range`, which begins at a multiple of 8, that are set.
    func setBits(_ range: Range<Int>) -> Int {
        let bits = extracting(range.lowerBound / 8..<(range.upperBound + 7) / 8)
        var count = 0
        let words = range.count / 64
        for word in 0..<words { count += unsafe bits.unsafeLoadUnaligned(fromByteOffset: word * 8, as: UInt64.self).nonzeroBitCount }
        for index in words * 8..<range.count / 8 { count += bits[index].nonzeroBitCount }
        if range.count & 7 != 0 { count += (bits[range.count / 8] & ((1 << UInt8(range.count & 7)) - 1)).nonzeroBitCount }
        return count
    }
}

extension ColumnSizes {
    /// What the header of `columns` says of a column of `type`: the null count and the lengths, 4 bytes each.
    static func headerBytes(_ type: FeatureType) -> Int {
        let (rows, elements) = hasOffsets(type)
        return 12 + (rows ? 4 : 0) + (elements ? 4 : 0)
    }
}
