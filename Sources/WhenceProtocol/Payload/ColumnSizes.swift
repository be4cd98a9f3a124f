import WhenceCore

/// The lengths of a column's buffers, in bytes, as `columns` states them: each column has those that its type asks for.
struct ColumnSizes {
    var validity = 0
    var offsets = 0
    var elementOffsets = 0
    var values = 0

    /// Whether columns of `type` have offsets, and elements offsets of their own.
    static func hasOffsets(_ type: FeatureType) -> (rows: Bool, elements: Bool) {
        switch type {
        case .scalar(let scalar): (scalar.width == nil, false)
        case .vector: (false, false)
        case .list(let scalar): (true, scalar.width == nil)
        }
    }

    /// Lengths in the header of a column of `type`, the null count with them: 4 bytes each.
    static func headerBytes(_ type: FeatureType) -> Int {
        let (rows, elements) = hasOffsets(type)
        return 12 + (rows ? 4 : 0) + (elements ? 4 : 0)
    }

    /// Bytes of `count` values of `scalar`, or nil where they differ in length.
    static func valueBytes(_ scalar: ScalarType, _ count: Int) -> Int? {
        scalar == .bool ? (count + 7) / 8 : scalar.width.map { $0 * count }
    }

    static func padded(_ byteCount: Int) -> Int { (byteCount + 7) & ~7 }

    /// All buffers, each padded to 8.
    var paddedBytes: Int {
        ColumnSizes.padded(validity) + ColumnSizes.padded(offsets) + ColumnSizes.padded(elementOffsets) + ColumnSizes.padded(values)
    }
}
