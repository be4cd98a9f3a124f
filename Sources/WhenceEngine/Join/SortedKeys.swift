import Foundation
import WhenceCatalog
import WhenceCore

/// The entities and times of a block of spine rows, in pieces that follow one another in the order of the store and
/// share no entity.
struct SortedKeys {
    private let tables: [KeyTable]
    private let tableRows: Int
    /// For each table and piece the rows that belong there.
    private let buckets: [[[SortKey]]]
    private let longest: Int
    let pieceCount: Int

    /// - Parameters:
    ///   - count: rows of the block.
    ///   - columns: its columns that hold the join keys, whose types are `types`.
    init(_ count: Int, _ columns: [Column], _ types: [KeyType], _ times: Column, threads: Int) throws(WhenceError) {
        let tableCount = count < 4096 ? 1 : threads
        let tableRows = max(1, (count + tableCount - 1) / tableCount)
        let made = Slots<KeyTable>(tableCount)
        try inParallel(tableCount, threads: threads) { index throws(WhenceError) in
            let rows = min(index * tableRows, count)..<min((index + 1) * tableRows, count)
            made[index] = try KeyTable(columns, types, rows: rows)
        }
        let tables = made.values
        let pieceCount = count < 4096 ? 1 : threads * 4
        let splitters = SortedKeys.splitters(tables, pieceCount)
        let sorted = Slots<[[SortKey]]>(tableCount)
        try inParallel(tableCount, threads: threads) { index throws(WhenceError) in
            sorted[index] = SortedKeys.distribute(tables[index], times, splitters)
        }
        self.tables = tables
        self.tableRows = tableRows
        self.pieceCount = splitters.count + 1
        buckets = sorted.values
        longest = tables.map(\.longest).max() ?? 0
    }

    /// Prefixes at which the pieces end, from a sample of the keys.
    private static func splitters(_ tables: [KeyTable], _ pieces: Int) -> [UInt64] {
        guard pieces > 1 else { return [] }
        var sample: [UInt64] = []
        for table in tables {
            let bytes = table.bytes
            let rows = table.ends.count
            for row in stride(from: 0, to: rows, by: max(1, rows / 512)) {
                sample.append(SortKey.prefix(unsafe bytes.span.bytes.extracting(table.range(table.first + row))))
            }
        }
        sample.sort()
        var splitters: [UInt64] = []
        for piece in 1..<pieces {
            let value = sample[sample.count * piece / pieces]
            if splitters.last != value { splitters.append(value) }
        }
        return splitters
    }

    private static func distribute(_ table: KeyTable, _ times: Column, _ splitters: [UInt64]) -> [[SortKey]] {
        var pieces = [[SortKey]](repeating: [], count: splitters.count + 1)
        for index in pieces.indices { pieces[index].reserveCapacity(table.ends.count / pieces.count * 5 / 4) }
        let bytes = table.bytes
        let buffer = times.values
        let instants = buffer.span
        for row in table.first..<(table.first + table.ends.count) {
            let range = table.range(row)
            if range.isEmpty { continue }
            let prefix = SortKey.prefix(unsafe bytes.span.bytes.extracting(range))
            var piece = 0
            while piece < splitters.count && splitters[piece] <= prefix { piece += 1 }
            let T = Timestamp(microseconds: unsafe instants.unsafeLoadUnaligned(fromByteOffset: row &* 8, as: Int64.self))
            pieces[piece].append(SortKey(prefix: prefix, time: VersionKey.code(T), index: UInt32(row), length: UInt32(range.count)))
        }
        return pieces
    }

    /// The rows of one piece, in the order of the store.
    func sorted(_ piece: Int) -> [SortKey] {
        var keys: [SortKey] = []
        keys.reserveCapacity(buckets.reduce(0) { $0 + $1[piece].count })
        for bucket in buckets { keys += bucket[piece] }
        KeyOrder.sort(&keys, longKeys: longest > 8) { a, b in compare(Int(a), Int(b)) }
        return keys
    }

    /// Calls `body` with row, entity key and time of each of `keys`.
    @inline(__always) func forEach(
        _ keys: [SortKey], _ body: (_ row: Int, _ entity: RawSpan, _ T: Timestamp) throws(WhenceError) -> Void
    ) throws(WhenceError) {
        for key in keys {
            let row = Int(key.index)
            if key.length <= 8 {
                // The whole entity key is in its prefix.
                let prefix = key.prefix.bigEndian
                try unsafe withUnsafeBytes(of: prefix) { bytes throws(WhenceError) in
                    try body(row, unsafe bytes.bytes.extracting(0..<Int(key.length)), VersionKey.time(key.time))
                }
            } else {
                let table = tables[row / tableRows]
                let bytes = table.bytes
                try body(row, unsafe bytes.span.bytes.extracting(table.range(row)), VersionKey.time(key.time))
            }
        }
    }

    private func compare(_ a: Int, _ b: Int) -> Int {
        let first = tables[a / tableRows]
        let second = tables[b / tableRows]
        let (x, y) = (first.range(a), second.range(b))
        return unsafe first.bytes.withUnsafeBytes { left in
            unsafe second.bytes.withUnsafeBytes { right in
                let order = unsafe memcmp(
                    left.baseAddress.unsafelyUnwrapped + x.lowerBound, right.baseAddress.unsafelyUnwrapped + y.lowerBound,
                    min(x.count, y.count))
                return order != 0 ? Int(order) : x.count - y.count
            }
        }
    }
}
