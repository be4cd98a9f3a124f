import WhenceCore

/// A point-in-time join of a spine that comes bit by bit and is known not to fit into memory: it goes through temporary files as the rest of
/// a `PointInTimeJoin`'s does (`docs/decisions/0008-joins-that-spill.md`), and is gone with its files. One thread at a time calls it: `add`
/// for all rows, `lookUp` once, then `next`. After an error it is of no further use.
public final class SpillingJoin {
    /// The columns of every batch: the spine's, then the service's.
    public let columns: [SpineColumn]
    /// What this join knows.
    public let knownAt: Timestamp
    private let plan: JoinPlan
    private let join: SpilledJoin

    init(_ plan: JoinPlan, _ progress: JoinReporter, directory: String) throws(WhenceError) {
        self.plan = plan
        columns = plan.columns
        knownAt = plan.visibility.knownAt
        join = try SpilledJoin(plan, progress, directory: directory)
    }

    /// Bytes of temporary files so far.
    public var spilledBytes: Int { join.byteCount }

    /// Takes the spine's next rows. Throws where they do not have its columns or a time, and where they cannot be written.
    public func add(_ batch: ColumnBatch) throws(WhenceError) {
        try join.add(batch)
        try plan.check?(join.byteCount)
    }

    /// Looks all rows up: the long part.
    public func lookUp() throws(WhenceError) { try join.lookUp() }

    /// The next block of rows, in the spine's order; nil at the end.
    public func next() throws(WhenceError) -> ColumnBatch? { try join.next() }
}

extension Store {
    /// A join of a spine with `columns` that comes bit by bit; nil where nothing may be written: the request says so, or the store is open
    /// for reading only and no other directory is named.
    public func spillingJoin(_ request: JoinRequest, spine columns: [SpineColumn]) throws(WhenceError) -> SpillingJoin? {
        guard let directory = request.spillDirectory(in: self) else { return nil }
        return try SpillingJoin(try JoinPlan(self, request, spine: columns), JoinReporter(request.progress), directory: directory)
    }
}

extension JoinRequest {
    /// Where a join of `store` spills; nil for nowhere.
    func spillDirectory(in store: Store) -> String? {
        switch spill {
        case .inStore: store.options.readOnly ? nil : store.directory.temporary
        case .inDirectory(let path): path
        case .never: nil
        }
    }
}
