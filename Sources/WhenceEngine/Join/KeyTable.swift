import WhenceCatalog
import WhenceCore

/// The entity keys of a range of rows of a batch, encoded.
///
/// Invariant: `ends[i]` is where the key of row `first + i` ends within `bytes`, so every range lies within `bytes`.
struct KeyTable: Sendable {
    let first: Int
    private(set) var bytes: [UInt8] = []
    private(set) var ends: [UInt32] = []
    private(set) var longest = 0

    /// Encodes rows `rows` of the join columns. A row in which one of them is null gets an empty key: it has no entity.
    init(_ columns: [Column], _ types: [KeyType], rows: Range<Int>) throws(WhenceError) {
        first = rows.lowerBound
        ends.reserveCapacity(rows.count)
        bytes.reserveCapacity(rows.count * 8 * columns.count)
        if columns.count == 1, types[0] == .int64, columns[0].type == .int64, columns[0].nullCount == 0 {
            encode(columns[0].values, rows)
            return
        }
        for row in rows {
            let start = bytes.count
            var isWhole = true
            for (column, type) in zip(columns, types) {
                guard column.isValid(row) else {
                    isWhole = false
                    break
                }
                KeyTable.append(column, row, type, &bytes)
            }
            if isWhole {
                try EntityKey.check(byteCount: bytes.count - start)
                longest = max(longest, bytes.count - start)
            } else {
                bytes.removeLast(bytes.count - start)
            }
            guard bytes.count <= Int(UInt32.max) else {
                throw WhenceError(.limitExceeded, "the entity keys of one block are too long", hint: "give the join less memory")
            }
            ends.append(UInt32(bytes.count))
        }
    }

    /// The most frequent kind of key, one integer, without a look at the column for each row.
    private mutating func encode(_ values: ColumnBuffer, _ rows: Range<Int>) {
        let values = values.span
        precondition(rows.upperBound * 8 <= values.byteCount && rows.count < Int(UInt32.max) / 9)
        for row in rows {
            let start = bytes.count
            EntityKey.append(unsafe values.unsafeLoadUnaligned(fromUncheckedByteOffset: row &* 8, as: Int64.self), to: &bytes)
            longest = max(longest, bytes.count - start)
            ends.append(UInt32(bytes.count))
        }
    }

    @inline(__always) func range(_ row: Int) -> Range<Int> {
        let index = row &- first
        return (index == 0 ? 0 : Int(ends[index &- 1]))..<Int(ends[index])
    }

    private static func append(_ column: Column, _ row: Int, _ type: KeyType, _ bytes: inout [UInt8]) {
        append(row, as: type, of: column.type, in: column.values.span, from: 0, column.byteRange(row), to: &bytes)
    }

    /// Appends row `row` of a column of join keys, wherever that lies, which `check` has found to hold keys of `type`.
    ///
    /// - Parameters:
    ///   - columnType: the column's own type, which may be narrower.
    ///   - values: bytes that hold the column's values from `start` on.
    ///   - range: where in `values` the row's bytes are, for a type of variable length.
    @inline(__always) static func append(
        _ row: Int, as type: KeyType, of columnType: FeatureType, in values: RawSpan, from start: Int,
        _ range: @autoclosure () -> Range<Int>, to out: inout [UInt8]
    ) {
        switch type {
        case .int64 where columnType == .int32:
            EntityKey.append(Int64(unsafe values.unsafeLoadUnaligned(fromByteOffset: start + 4 * row, as: Int32.self)), to: &out)
        case .int64: EntityKey.append(unsafe values.unsafeLoadUnaligned(fromByteOffset: start + 8 * row, as: Int64.self), to: &out)
        case .string: EntityKey.append(string: values.extracting(range()), to: &out)
        case .bytes: EntityKey.append(bytes: values.extracting(range()), to: &out)
        case .bool: EntityKey.append(.bool(values[start + row >> 3] & (1 << UInt8(row & 7)) != 0), to: &out)
        }
    }

    /// The columns of `batch` named `names`, which hold join keys of `types`. Throws what `missing` says where there is none of a name.
    static func columns(
        of batch: ColumnBatch, _ names: [String], _ types: [KeyType], missing: (String) -> WhenceError
    ) throws(WhenceError) -> [Column] {
        var columns: [Column] = []
        for (name, type) in zip(names, types) {
            guard let column = batch.column(named: name) else { throw missing(name) }
            try check(column, named: name, holds: type)
            columns.append(column)
        }
        return columns
    }

    /// Refuses a column that cannot hold keys of `type`.
    static func check(_ column: Column, named name: String, holds type: KeyType) throws(WhenceError) {
        try check(column.type, named: name, holds: type)
    }

    static func check(_ columnType: FeatureType, named name: String, holds type: KeyType) throws(WhenceError) {
        let fits =
            switch type {
            case .int64: columnType == .int64 || columnType == .int32
            case .string: columnType == .string
            case .bytes: columnType == .bytes
            case .bool: columnType == .bool
            }
        guard fits else {
            throw WhenceError(
                .invalidKey, "the join key is \(type.rawValue), and the column holds \(columnType.name)", place: "column '\(name)'",
                hint: "give the column the join key's type")
        }
    }
}
