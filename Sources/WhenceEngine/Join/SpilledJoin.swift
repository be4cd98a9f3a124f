import WhenceCore

/// A join whose spine does not fit into memory (`docs/decisions/0008-joins-that-spill.md`). One thread at a time calls it.
///
/// 1. `add`: the spine's batches go to a file, block by block; for each group of join columns the keys of all rows, with their
///    times and numbers, become sorted runs.
/// 2. `lookUp`: for each group the runs are merged, and the store is walked once in their order, by several threads. What a row gets is
///    appended to what its block gets (`RowScatter`).
/// 3. `next`: block by block the spine's rows are read back, and what was found for them is put into its places.
///
/// Its files have no names and are gone with it.
final class SpilledJoin {
    private var plan: JoinPlan
    private let progress: JoinReporter
    private let directory: String
    private var spine: SpilledSpine
    /// For each group, and each thread.
    private var keys: [[SpineKeys]]
    private let found: SpillFile
    /// For each group and block the places in `found` of what its rows get.
    private var places: [[[Range<Int>]]] = []
    private var rows = 0
    private var nextBlock = 0
    private var keyBytes = 0

    init(_ plan: JoinPlan, _ progress: JoinReporter, directory: String) throws(WhenceError) {
        self.plan = plan
        self.progress = progress
        self.directory = directory
        spine = SpilledSpine(try SpilledJoin.file(directory), plan.spineColumns, blockRows: plan.blockRows)
        found = try SpilledJoin.file(directory)
        // While the spine is read there are no features: the rest of a block's memory is for keys.
        let limit = plan.blockRows * (plan.rowBytes - plan.spineRowBytes) / max(1, plan.threads * plan.groups.count)
        var keys: [[SpineKeys]] = []
        for _ in plan.groups {
            let file = try SpilledJoin.file(directory)
            keys.append((0..<plan.threads).map { _ in SpineKeys(file, limitBytes: limit) })
        }
        self.keys = keys
        progress.begin()
    }

    private static func file(_ directory: String) throws(WhenceError) -> SpillFile { try SpillFile(in: directory, for: "the join") }

    /// Bytes that have been written so far.
    var byteCount: Int { spine.byteCount + found.byteCount + keyBytes }

    // MARK: The spine

    /// Takes in the spine's next rows.
    func add(_ batch: ColumnBatch) throws(WhenceError) {
        guard batch.count > 0 else { return }
        let times = try plan.eventTimes(batch, rowsBefore: rows)
        let parts = batch.count < 4096 ? 1 : plan.threads
        let partRows = (batch.count + parts - 1) / parts
        for (index, group) in plan.groups.enumerated() {
            let columns = try plan.keyColumns(batch, group)
            let sorters = keys[index]
            let before = rows
            try inParallel(parts, threads: parts) { part throws(WhenceError) in
                let range = min(part * partRows, batch.count)..<min((part + 1) * partRows, batch.count)
                try sorters[part].append(try KeyTable(columns, group.types, rows: range), times, rowsBefore: before)
            }
        }
        rows += batch.count
        try spine.append(batch)
        progress.tookIn(batch.count)
    }

    // MARK: The walk

    /// Looks all rows up. Called once, when the whole spine has been added.
    func lookUp() throws(WhenceError) {
        try spine.finish()
        try plan.useImages(rows: rows)
        progress.begin()
        for group in plan.groups.indices {
            let sorters = keys[group]
            let made = Slots<[Run]>(sorters.count)
            try inParallel(sorters.count, threads: plan.threads) { index throws(WhenceError) in made[index] = try sorters[index].finish() }
            keyBytes += made.values.joined().reduce(0) { $0 + $1.range.count }
            keys[group] = []
            places.append(try lookUp(group, made.values.flatMap { $0 }))
        }
    }

    private func lookUp(_ group: Int, _ spilled: [Run]) throws(WhenceError) -> [[Range<Int>]] {
        // A quarter of the memory for what is read of the runs, a quarter for rows on their way, a quarter for what they get.
        let share = plan.memoryBytes / (4 * plan.threads)
        let windowBytes = min(256 << 10, share / max(1, min(spilled.count, MergedRuns.fanIn)))
        var passes: [SpillFile] = []
        let runs = try MergedRuns.reduce(spilled, windowBytes: windowBytes, threads: plan.threads) { () throws(WhenceError) in
            passes.append(try SpilledJoin.file(directory))
            return passes[passes.count - 1]
        }
        keyBytes += passes.reduce(0) { $0 + $1.byteCount }
        let samples = runs.flatMap { $0.index.map(\.key) }.sorted { $0.lexicographicallyPrecedes($1) }
        let parts = samples.count < 4 * plan.threads ? 1 : 2 * plan.threads
        // A cut stands before all rows of an entity.
        let cuts = (1..<parts).map { Array(samples[samples.count * $0 / parts].dropLast(VersionKey.timesBytes)) }
        let made = Slots<[[Range<Int>]]>(parts)
        let written = byteCount - found.byteCount
        try inParallel(parts, threads: plan.threads) { part throws(WhenceError) in
            var scatter = RowScatter(found, blockStarts: spine.starts, limitBytes: share)
            let merged = try MergedRuns(
                runs, from: part == 0 ? nil : cuts[part - 1], to: part == parts - 1 ? nil : cuts[part], windowBytes: windowBytes)
            try walk(group, merged, into: &scatter, written: written)
            made[part] = try scatter.finish()
        }
        var places = [[Range<Int>]](repeating: [], count: spine.starts.count)
        for part in made.values {
            for (block, ranges) in part.enumerated() { places[block] += ranges }
        }
        return places
    }

    /// Walks the store for rows in its own order. `written` bytes are in files beside what is found.
    private func walk(
        _ group: Int, _ runs: consuming MergedRuns, into scatter: inout RowScatter, written: Int
    ) throws(WhenceError) {
        let selections = plan.members(of: group).map { plan.selections[$0] }
        let stretchRows = max(64, min(16_384, plan.blockRows / (4 * plan.threads)))
        let total = rows * plan.groups.count
        var stretch = KeyStretch()
        while try stretch.fill(&runs, rows: stretchRows) {
            let keys = stretch
            var outputs: [ProjectedColumns] = []
            for selection in selections {
                let output = ProjectedColumns(selection.projection, count: keys.count, inRandomOrder: true)
                var reader = plan.reader(selection, into: output)
                for row in 0..<keys.count {
                    try keys.withKey(row) { entity, T throws(WhenceError) in try reader.read(row, entity, at: T, ascending: true) }
                }
                try reader.finish()
                outputs.append(output)
            }
            for row in 0..<keys.count { try scatter.append(keys.number(row), row, of: outputs) }
            progress.lookedUp(keys.count, of: total)
            try plan.check?(written + found.byteCount)
        }
    }

    // MARK: The answer

    /// The next block of the answer; nil at the end.
    func next() throws(WhenceError) -> ColumnBatch? {
        guard nextBlock < spine.starts.count else { return nil }
        let block = try spine.read(nextBlock)
        let outputs = plan.outputs(block.count)
        for (group, places) in places.enumerated() {
            let members = plan.members(of: group).map { outputs[$0] }
            let ranges = places[nextBlock]
            try inParallel(ranges.count, threads: plan.threads) { index throws(WhenceError) in
                try RowScatter.take(ranges[index], of: found, rows: block.count, into: members)
            }
        }
        nextBlock += 1
        return try plan.assemble(block, outputs)
    }
}
