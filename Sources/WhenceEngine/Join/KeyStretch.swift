import WhenceCore

/// A stretch of a spine's keys in the order of the store.
///
/// Invariant: `ends[i]` is where key `i` ends within `bytes`; each is an entity key, its time and its row's number (`SpineKeys`).
struct KeyStretch {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    var count: Int { ends.count }

    /// Takes up to `rows` keys off `runs`, in place of those it holds. False where there are none left.
    mutating func fill(_ runs: inout MergedRuns, rows: Int) throws(WhenceError) -> Bool {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        while !runs.isAtEnd && ends.count < rows {
            runs.current.withEntry { entry in unsafe entry.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) } }
            ends.append(bytes.count)
            try runs.next()
        }
        return !ends.isEmpty
    }

    private func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

    /// Calls `body` with an entity key and the time at which it is looked up.
    @inline(__always) func withKey(
        _ index: Int, _ body: (_ entity: RawSpan, _ T: Timestamp) throws(WhenceError) -> Void
    ) throws(WhenceError) {
        let key = unsafe bytes.span.bytes.extracting(range(index))
        try body(key.extracting(0..<(key.byteCount - VersionKey.timesBytes)), VersionKey.eventTime(key))
    }

    /// The number of the row that key `index` belongs to.
    @inline(__always) func number(_ index: Int) -> Int { SpineKeys.row(unsafe bytes.span.bytes.extracting(range(index))) }
}
