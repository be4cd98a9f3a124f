/// A column of values in Arrow's layout (https://arrow.apache.org/docs/format/Columnar.html): a validity bitmap,
/// least significant bit first; offsets where values differ in length; values, with booleans packed into bits.
public struct Column: Sendable {
    public let type: FeatureType
    /// Rows.
    public let count: Int
    public let nullCount: Int
    /// One bit a row, set where there is a value; nil when every row has one.
    public let validity: ColumnBuffer?
    /// `count + 1` Int32 for string, bytes and list: for string and bytes in bytes, for a list in elements.
    public let offsets: ColumnBuffer?
    /// The values; for a list of string or bytes the elements' bytes, for other lists the elements.
    public let values: ColumnBuffer
    /// For a list of string or bytes: the elements' own offsets, one more than there are elements.
    public let elementOffsets: ColumnBuffer?

    public init(
        type: FeatureType, count: Int, nullCount: Int, validity: ColumnBuffer?, offsets: ColumnBuffer?, values: ColumnBuffer,
        elementOffsets: ColumnBuffer? = nil
    ) {
        self.type = type
        self.count = count
        self.nullCount = nullCount
        self.validity = validity
        self.offsets = offsets
        self.values = values
        self.elementOffsets = elementOffsets
    }

    /// Whether row `row` has a value.
    @inlinable public func isValid(_ row: Int) -> Bool {
        guard let validity else { return true }
        return validity.span[row >> 3] & (1 << UInt8(row & 7)) != 0
    }

    /// The bits of row `row` of a fixed-width column other than bool, whether or not it is valid.
    @inlinable public func load<T: BitwiseCopyable>(_ row: Int, as _: T.Type) -> T {
        unsafe values.span.unsafeLoadUnaligned(fromByteOffset: row * MemoryLayout<T>.size, as: T.self)
    }

    /// The bytes of row `row` of a string or bytes column, as a range within `values`.
    @inlinable public func byteRange(_ row: Int) -> Range<Int> {
        guard let offsets else { return 0..<0 }
        let start = unsafe offsets.span.unsafeLoadUnaligned(fromByteOffset: row * 4, as: Int32.self)
        let end = unsafe offsets.span.unsafeLoadUnaligned(fromByteOffset: row * 4 + 4, as: Int32.self)
        return Int(start)..<Int(end)
    }

    /// The value at `row`, `null` where there is none. For the edges; costs an allocation for the longer types.
    public func value(_ row: Int) -> Value {
        guard isValid(row) else { return .null }
        switch type {
        case .scalar(let scalar): return element(row, scalar, offsets: offsets)
        case .vector(let dimension): return .vector((0..<dimension).map { load(row * dimension + $0, as: Float.self) })
        case .list(let scalar): return .list(byteRange(row).map { element($0, scalar, offsets: elementOffsets) })
        }
    }

    private func element(_ index: Int, _ scalar: ScalarType, offsets: ColumnBuffer?) -> Value {
        func bytes() -> [UInt8] {
            guard let offsets else { return [] }
            let start = Int(unsafe offsets.span.unsafeLoadUnaligned(fromByteOffset: index * 4, as: Int32.self))
            let end = Int(unsafe offsets.span.unsafeLoadUnaligned(fromByteOffset: index * 4 + 4, as: Int32.self))
            return unsafe values.span.extracting(start..<end).withUnsafeBytes { unsafe Array($0) }
        }
        switch scalar {
        case .bool: return .bool(values.span[index >> 3] & (1 << UInt8(index & 7)) != 0)
        case .int32: return .int32(load(index, as: Int32.self))
        case .int64: return .int64(load(index, as: Int64.self))
        case .float32: return .float32(load(index, as: Float.self))
        case .float64: return .float64(load(index, as: Double.self))
        case .timestamp: return .timestamp(Timestamp(microseconds: load(index, as: Int64.self)))
        case .string: return .string(String(decoding: bytes(), as: UTF8.self))
        case .bytes: return .bytes(bytes())
        }
    }
}

/// Columns of equal length with their names: the unit in which rows travel.
public struct ColumnBatch: Sendable {
    public let names: [String]
    public let columns: [Column]
    /// Rows; there may be rows without columns.
    public let count: Int

    public init(names: [String], columns: [Column], count: Int) {
        precondition(names.count == columns.count && columns.allSatisfy { $0.count == count })
        self.names = names
        self.columns = columns
        self.count = count
    }

    /// The column named `name`, or nil.
    public func column(named name: String) -> Column? { names.firstIndex(of: name).map { columns[$0] } }
}
