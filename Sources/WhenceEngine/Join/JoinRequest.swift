import WhenceCatalog
import WhenceCore

/// What a point-in-time join is to do.
public struct JoinRequest: Sendable {
    public var service: ResolvedService
    /// The spine's column that says at which instant each row is evaluated.
    public var eventTimeColumn: String
    /// Pins what is known; nil for all that is committed when the join begins.
    public var knownAt: Timestamp?
    /// Leave out, row by row, what serving could not have seen yet.
    public var asServed: Bool
    /// Memory for spine rows, keys and features. A longer spine goes through temporary files, or is joined block by block.
    public var memoryBytes: Int
    /// What is done with a spine that does not fit into that memory.
    public var spill: JoinSpill
    /// Threads to use; nil for the store's number.
    public var threads: Int?
    /// Called now and then with how far the join has come, by any of its threads, by one at a time.
    public var progress: (@Sendable (JoinProgress) -> Void)?
    /// Called between stretches of the work, by any of its threads, with the bytes of temporary files so far: what it throws ends the join.
    public var check: (@Sendable (_ spilledBytes: Int) throws(WhenceError) -> Void)?

    public init(
        service: ResolvedService, eventTimeColumn: String = "event_time", knownAt: Timestamp? = nil, asServed: Bool = false,
        memoryBytes: Int = 256 << 20, spill: JoinSpill = .inStore, threads: Int? = nil,
        progress: (@Sendable (JoinProgress) -> Void)? = nil,
        check: (@Sendable (_ spilledBytes: Int) throws(WhenceError) -> Void)? = nil
    ) {
        self.service = service
        self.eventTimeColumn = eventTimeColumn
        self.knownAt = knownAt
        self.asServed = asServed
        self.memoryBytes = memoryBytes
        self.spill = spill
        self.threads = threads
        self.progress = progress
        self.check = check
    }
}

/// What a join does with a spine that does not fit into its memory (`docs/decisions/0008-joins-that-spill.md`). The answer is the same.
public enum JoinSpill: Sendable, Hashable {
    /// Goes through temporary files in the store's own `tmp/`; a store that is open for reading only is joined block by block.
    case inStore
    /// Goes through temporary files in this directory, which must be there.
    case inDirectory(String)
    /// Joins block by block, and writes nothing: the first rows come early, and the store is walked once for every block.
    case never
}

/// How far a join has come.
public enum JoinProgress: Sendable, Hashable {
    /// So many rows of the spine have been taken in and sorted, where it goes through temporary files.
    case spine(rows: Int)
    /// So many rows have been looked up, of so many in all; a row counts once for each entity that it names. In a join block by block
    /// these are those of the current block.
    case lookup(rows: Int, of: Int)
}
