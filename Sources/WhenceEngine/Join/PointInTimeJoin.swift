import RocksDB
import WhenceCatalog
import WhenceCore

/// A point-in-time join (design, section 3): for every row of a spine, in the spine's order, its own columns and the
/// features of a service as they were known at the row's event time. Every spine row comes back exactly once.
///
/// A spine that fits into the stated memory is joined there: its keys are sorted as the store is, cut into pieces at entity
/// boundaries, and walked by several threads, each row's values landing in the spine's order. A longer one goes through temporary files
/// (`SpilledJoin`), or is taken in blocks. All of it reads the same snapshot.
public struct PointInTimeJoin<Source: Spine> {
    /// The columns of every batch: the spine's, then the service's.
    public let columns: [SpineColumn]
    /// What this join knows; give it as `knownAt` to get the same answer again.
    public let knownAt: Timestamp
    private var plan: JoinPlan
    private let progress: JoinReporter
    private var spine: Source
    /// Where to spill; nil for nowhere.
    private let spillDirectory: String?
    /// Whether the spine fits into memory, once that is known.
    private var fits: Bool?
    /// Batches that were taken from the spine to find out whether it fits into memory.
    private var ahead: [ColumnBatch] = []
    private var isSpineAtEnd = false
    private var spilled: SpilledJoin?
    private var rowsSoFar = 0

    init(_ store: Store, _ request: JoinRequest, _ spine: Source) throws(WhenceError) {
        plan = try JoinPlan(store, request, spine: spine.columns)
        progress = JoinReporter(request.progress)
        columns = plan.columns
        knownAt = plan.visibility.knownAt
        self.spine = spine
        spillDirectory = request.spillDirectory(in: store)
    }

    /// Bytes of temporary files so far; 0 for a spine that fits into memory.
    public var spilledBytes: Int { spilled?.byteCount ?? 0 }

    /// The next block of rows, in the spine's order; nil at the end, and after an error.
    public mutating func next() throws(WhenceError) -> ColumnBatch? {
        do {
            if try !fitsInMemory() {
                let spilled = if let spilled { spilled } else { try spill() }
                return try spilled.next()
            }
            guard let block = try nextBlock() else { return nil }
            let result = try join(block)
            rowsSoFar += block.count
            return result
        } catch {
            end()
            throw error
        }
    }

    /// Gives nothing more.
    private mutating func end() {
        isSpineAtEnd = true
        fits = true
        ahead = []
        spilled = nil
    }

    private mutating func nextBlock() throws(WhenceError) -> ColumnBatch? {
        if !ahead.isEmpty { return ahead.removeFirst() }
        if isSpineAtEnd { return nil }
        return try spine.next(maxRows: plan.blockRows)
    }

    /// Whether the next block takes no longer than others: reads the spine until that is known, at most two blocks of it. Where it does not
    /// fit into memory and may go through files, the first `next` reads all of it and walks the store for it.
    public mutating func fitsInMemory() throws(WhenceError) -> Bool {
        if let fits { return fits }
        fits = true
        guard spillDirectory != nil else { return true }
        var rows = 0
        // A batch is never cut. So one that is too large for itself is in memory anyway, and joined there.
        do {
            while rows <= plan.blockRows || ahead.count < 2 {
                guard let batch = try spine.next(maxRows: plan.blockRows) else {
                    isSpineAtEnd = true
                    return true
                }
                ahead.append(batch)
                rows += batch.count
            }
        } catch {
            end()
            throw error
        }
        fits = false
        return false
    }

    /// Takes all of the spine in, and looks it up.
    private mutating func spill() throws(WhenceError) -> SpilledJoin {
        guard let spillDirectory else { preconditionFailure("a spine spills only where there is a place for it") }
        let spilled = try SpilledJoin(plan, progress, directory: spillDirectory)
        while !ahead.isEmpty { try spilled.add(ahead.removeFirst()) }
        while let batch = try spine.next(maxRows: max(1, plan.blockRows / 2)) {
            try spilled.add(batch)
            try plan.check?(spilled.byteCount)
        }
        try spilled.lookUp()
        self.spilled = spilled
        return spilled
    }

    /// Joins a block in memory.
    private mutating func join(_ block: ColumnBatch) throws(WhenceError) -> ColumnBatch {
        if rowsSoFar == 0 { try plan.useImages(rows: block.count) }
        let times = try plan.eventTimes(block, rowsBefore: rowsSoFar)
        let outputs = plan.outputs(block.count)
        let total = block.count * plan.groups.count
        progress.begin()
        for (index, group) in plan.groups.enumerated() {
            let keys = try SortedKeys(block.count, try plan.keyColumns(block, group), group.types, times, threads: plan.threads)
            let members = plan.members(of: index)
            try inParallel(keys.pieceCount, threads: plan.threads) { piece throws(WhenceError) in
                try plan.check?(0)
                let order = keys.sorted(piece)
                for member in members {
                    var reader = plan.reader(plan.selections[member], into: outputs[member])
                    try keys.forEach(order) { row, entity, T throws(WhenceError) in
                        try reader.read(row, entity, at: T, ascending: true)
                    }
                    try reader.finish()
                }
                progress.lookedUp(order.count, of: total)
            }
        }
        return try plan.assemble(block, outputs)
    }
}

extension Store {
    /// Joins the features of a service to `spine`; see `PointInTimeJoin`.
    public func join<Source: Spine>(_ request: JoinRequest, spine: Source) throws(WhenceError) -> PointInTimeJoin<Source> {
        try PointInTimeJoin(self, request, spine)
    }
}
