import WhenceCore

/// The entries of several runs in the order of their keys; equal keys come in the order of their runs. One thread at a time.
struct MergedRuns: ~Copyable {
    private let readers: [RunReader]
    private var tree: LoserTree?
    private let end: [UInt8]?
    /// Whether all entries have been passed.
    private(set) var isAtEnd = false

    /// Runs that are merged at once. More than this are merged in several passes, so that the memory of a merge has a bound.
    static var fanIn: Int { 64 }

    /// - Parameters:
    ///   - start: the first key that counts; nil for the first of all.
    ///   - end: the first key that does not count any more; nil for none.
    ///   - windowBytes: bytes that are read at once from each run.
    init(_ runs: [Run], from start: [UInt8]? = nil, to end: [UInt8]? = nil, windowBytes: Int) throws(WhenceError) {
        var readers: [RunReader] = []
        readers.reserveCapacity(runs.count)
        for run in runs { readers.append(try RunReader(run, from: start, windowBytes: windowBytes)) }
        self.readers = readers
        self.end = end
        tree = readers.isEmpty ? nil : LoserTree(count: readers.count) { a, b in MergedRuns.isBefore(readers, a, b) }
        checkEnd()
    }

    /// The reader that stands on the current entry. There must be one.
    var current: RunReader { readers[tree?.winner ?? 0] }

    /// Moves to the next entry.
    @inline(__always) mutating func next() throws(WhenceError) {
        try current.next()
        let readers = readers
        tree?.replay { a, b in MergedRuns.isBefore(readers, a, b) }
        checkEnd()
    }

    @inline(__always) private mutating func checkEnd() {
        guard tree != nil, !current.isAtEnd else {
            isAtEnd = true
            return
        }
        if let end, unsafe current.compareKey(end.span.bytes) >= 0 { isAtEnd = true }
    }

    @inline(__always) private static func isBefore(_ readers: [RunReader], _ a: Int, _ b: Int) -> Bool {
        let (first, second) = (readers[a], readers[b])
        if first.prefix != second.prefix { return first.prefix < second.prefix }
        if first.isAtEnd || second.isAtEnd { return first.isAtEnd == second.isAtEnd ? a < b : second.isAtEnd }
        let order = first.compareKey(second)
        return order != 0 ? order < 0 : a < b
    }

    /// Merges neighbours among `runs` until there are no more than `fanIn`, and keeps their order. Merges no more than it must: what is
    /// not merged is not written again.
    ///
    /// - Parameter file: makes a file for each pass; the files of earlier passes are gone when no run is in them any more.
    static func reduce(
        _ runs: [Run], fanIn: Int = MergedRuns.fanIn, windowBytes: Int, threads: Int, progress: PublicationReporter? = nil,
        to file: () throws(WhenceError) -> SpillFile
    ) throws(WhenceError) -> [Run] {
        precondition(fanIn > 1)
        var runs = runs
        while runs.count > fanIn {
            // Each group of n becomes one, which makes n - 1 fewer.
            var groups: [Range<Int>] = []
            var left = runs.count - fanIn
            var at = 0
            while at < runs.count {
                let size = left > 0 ? min(fanIn, left + 1, runs.count - at) : 1
                groups.append(at..<(at + size))
                left -= size - 1
                at += size
            }
            for group in groups where group.count > 1 { progress?.expect(runs[group].reduce(0) { $0 + $1.count }) }
            let target = try file()
            let merged = Slots<Run>(groups.count)
            try inParallel(groups.count, threads: threads) { index throws(WhenceError) in
                let group = Array(runs[groups[index]])
                merged[index] = group.count == 1 ? group[0] : try merge(group, windowBytes: windowBytes, progress, to: target)
            }
            runs = merged.values
        }
        return runs
    }

    private static func merge(
        _ runs: [Run], windowBytes: Int, _ progress: PublicationReporter?, to file: SpillFile
    ) throws(WhenceError) -> Run {
        var merged = try MergedRuns(runs, windowBytes: windowBytes)
        var writer = RunWriter(file, byteCount: runs.reduce(0) { $0 + $1.range.count })
        while !merged.isAtEnd {
            let current = merged.current
            try current.withEntry { entry throws(WhenceError) in try writer.append(entry, keyLength: current.currentKeyLength) }
            try merged.next()
            if writer.count % PublicationReporter.stretch == 0 { progress?.wrote(PublicationReporter.stretch) }
        }
        progress?.wrote(writer.count % PublicationReporter.stretch)
        return try writer.finish()
    }
}
