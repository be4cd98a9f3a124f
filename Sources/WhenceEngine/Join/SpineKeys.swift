import WhenceCore

/// The keys of the rows of a spine that one thread sees: collected, sorted as the store is, and written out as runs.
///
/// A key is that of a version, with the row's number where the version's commit time is: entity, time from the newest on, row. One
/// thread at a time.
final class SpineKeys: @unchecked Sendable {
    private let file: SpillFile
    private let limitBytes: Int
    private var buffer = VersionBuffer()
    private var runs: [Run] = []

    /// - Parameter limitBytes: memory for a run while it is collected and sorted.
    init(_ file: SpillFile, limitBytes: Int) {
        self.file = file
        self.limitBytes = limitBytes
    }

    /// Takes the keys of `table`, a row without an entity left out; `rowsBefore` rows came before the first row of its batch.
    func append(_ table: KeyTable, _ times: Column, rowsBefore: Int) throws(WhenceError) {
        for row in table.first..<(table.first + table.ends.count) {
            let range = table.range(row)
            if range.isEmpty { continue }
            let start = buffer.bytes.count
            buffer.bytes.append(contentsOf: table.bytes[range])
            // The number as it is: a time's code is all its bits turned over.
            VersionKey.appendTimes(
                event: Timestamp(microseconds: times.load(row, as: Int64.self)), commit: VersionKey.time(UInt64(rowsBefore + row)),
                to: &buffer.bytes)
            buffer.close(start: start, keyEnd: buffer.bytes.count)
            // Both arrays may have twice the room that they need, and sorting takes three keys an entry.
            if buffer.bytes.count * 2 + buffer.count * (2 + 3) * 24 >= limitBytes { try spill() }
        }
    }

    /// The number of the row that `key` belongs to.
    @inline(__always) static func row(_ key: RawSpan) -> Int { Int(VersionKey.code(VersionKey.commitTime(key))) }

    private func spill() throws(WhenceError) {
        guard buffer.count > 0 else { return }
        buffer.sort()
        runs.append(try Run(writing: buffer, to: file))
        buffer.removeAll()
    }

    /// Writes out what is left and returns all runs. Called once, at the end.
    func finish() throws(WhenceError) -> [Run] {
        try spill()
        buffer = VersionBuffer()
        return runs
    }
}
