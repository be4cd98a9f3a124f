/// The lengths of a column's buffers, in bytes, without what they are padded with: each column has those that its type asks for.
public struct ColumnSizes: Sendable, Equatable {
    /// 0 where every row has a value.
    public var validity: Int
    public var offsets: Int
    public var elementOffsets: Int
    public var values: Int

    @inlinable public init(validity: Int = 0, offsets: Int = 0, elementOffsets: Int = 0, values: Int = 0) {
        self.validity = validity
        self.offsets = offsets
        self.elementOffsets = elementOffsets
        self.values = values
    }

    /// Whether columns of `type` have offsets, and elements offsets of their own.
    @inlinable public static func hasOffsets(_ type: FeatureType) -> (rows: Bool, elements: Bool) {
        switch type {
        case .scalar(let scalar): (scalar.width == nil, false)
        case .vector: (false, false)
        case .list(let scalar): (true, scalar.width == nil)
        }
    }

    /// Bytes of `count` values of `scalar`, or nil where they differ in length.
    @inlinable public static func valueBytes(_ scalar: ScalarType, _ count: Int) -> Int? {
        scalar == .bool ? (count + 7) / 8 : scalar.width.map { $0 * count }
    }

    /// `byteCount` with its padding: the next multiple of 8.
    @inlinable public static func padded(_ byteCount: Int) -> Int { (byteCount + 7) & ~7 }

    /// All buffers, each with its padding.
    @inlinable public var paddedBytes: Int {
        ColumnSizes.padded(validity) + ColumnSizes.padded(offsets) + ColumnSizes.padded(elementOffsets) + ColumnSizes.padded(values)
    }
}
