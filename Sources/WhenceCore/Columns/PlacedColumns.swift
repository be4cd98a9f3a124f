/// Columns in Arrow's layout that lie in bytes of somebody else: where each buffer is, and nothing copied. Whoever fills it has checked
/// the places against the bytes; it is kept and filled again, so that a request costs no memory of its own.
public struct PlacedColumns: Sendable {
    /// Where one column's buffers lie, counted from the beginning of the bytes.
    public struct Place: Sendable {
        public let type: FeatureType
        public let nullCount: Int
        /// Empty where every row has a value.
        public let validity: Range<Int>
        public let offsets: Range<Int>
        public let elementOffsets: Range<Int>
        public let values: Range<Int>

        @inlinable public init(
            type: FeatureType, nullCount: Int, validity: Range<Int>, offsets: Range<Int>, elementOffsets: Range<Int>, values: Range<Int>
        ) {
            self.type = type
            self.nullCount = nullCount
            self.validity = validity
            self.offsets = offsets
            self.elementOffsets = elementOffsets
            self.values = values
        }

        /// Whether row `row` of the column in `bytes` has a value.
        @inlinable public func isValid(_ row: Int, in bytes: RawSpan) -> Bool {
            nullCount == 0 || bytes[validity.lowerBound + row >> 3] & (1 << UInt8(row & 7)) != 0
        }

        /// The bits of row `row` of a column of fixed width other than bool.
        @inlinable public func load<T: BitwiseCopyable>(_ row: Int, as _: T.Type, in bytes: RawSpan) -> T {
            precondition(row >= 0 && (row + 1) * MemoryLayout<T>.size <= values.count)
            return unsafe bytes.unsafeLoadUnaligned(fromByteOffset: values.lowerBound + row * MemoryLayout<T>.size, as: T.self)
        }

        /// Row `row` of a column of bool.
        @inlinable public func bit(_ row: Int, in bytes: RawSpan) -> Bool {
            bytes[values.lowerBound + row >> 3] & (1 << UInt8(row & 7)) != 0
        }

        /// Where the bytes of row `row` of a string or bytes column lie.
        @inlinable public func byteRange(_ row: Int, in bytes: RawSpan) -> Range<Int> {
            let at = offsets.lowerBound + row * 4
            let start = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: Int32.self)
            let end = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at + 4, as: Int32.self)
            return values.lowerBound + Int(start)..<values.lowerBound + Int(end)
        }
    }

    /// Rows.
    public internal(set) var count = 0
    /// The columns, in the order of their schema.
    @usableFromInline var found: [Place] = []
    @inlinable public var places: [Place] { found }

    public init() {}

    /// Begins anew, with `count` rows and no columns; the memory stays.
    public mutating func begin(count: Int, columns: Int) {
        self.count = count
        found.removeAll(keepingCapacity: true)
        found.reserveCapacity(columns)
    }

    @inlinable public mutating func append(_ place: Place) { found.append(place) }
}
