import Logging
import NIOCore
import Synchronization
import WhenceCore
import WhenceEngine

/// What all sessions of a server share. Everything in it may be used from any thread.
final class ServerCore: Sendable {
    let store: Store
    let configuration: ServerConfiguration
    let access: AccessControl
    let metrics: ServerMetrics
    let logger: Logger
    /// Reads that are too long for an event loop, and what is quick but may touch the disk.
    let points: WorkPool
    /// Writes: many threads that wait, so that the batches of many clients share one sync of the log.
    let writes: WorkPool
    /// Streams, block by block, and backfills. They have the lowest priority, so that a read that comes takes the processor from them at once.
    let streams: WorkPool
    /// The steps of streams that are as long as a join or a backfill: a walk through the store for a spine that did not fit into memory, the
    /// publication of a backfill. On threads of their own, so that other streams go on meanwhile.
    let longSteps: WorkPool
    /// Compaction, retention, erasure: long, rare, one at a time.
    let upkeep: WorkPool
    let admission: Admission
    let storeReadCost = StoreReadCost()
    let gate: WriteGate
    private let draining = Atomic<Bool>(false)
    private let sessionIDs = Atomic<UInt64>(0)

    var limits: ServerLimits { configuration.limits }

    init(_ store: Store, _ configuration: ServerConfiguration, _ access: AccessControl, _ metrics: ServerMetrics, _ logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.access = access
        self.metrics = metrics
        self.logger = logger
        let limits = configuration.limits
        points = WorkPool("reads", threads: limits.poolThreads, queueLimit: limits.queueLength)
        writes = WorkPool("writes", threads: limits.writeThreads, queueLimit: limits.queueLength)
        streams = WorkPool("streams", threads: limits.poolThreads, queueLimit: limits.queueLength, niceness: 19)
        longSteps = WorkPool("long-steps", threads: limits.poolThreads, queueLimit: limits.queueLength, niceness: 19)
        upkeep = WorkPool("upkeep", threads: 1, queueLimit: 16, niceness: 5)
        admission = Admission(limits)
        gate = WriteGate(store, logger)
        for pool in pools { metrics.watchQueue(pool.name) { pool.waiting } }
    }

    /// In the order in which they end: streams go on with the help of `writes`.
    var pools: [WorkPool] { [points, streams, longSteps, upkeep, writes] }

    /// Does for a stream what goes on between commits, on a thread of `writes`, and waits for it. Whoever leads the commits works for all that wait,
    /// and must not have a stream's low priority.
    func betweenCommits<Result>(_ body: () throws(WhenceError) -> Result) throws(WhenceError) -> Result {
        try writes.perform(body)
    }

    func nextSessionID() -> UInt64 { sessionIDs.add(1, ordering: .relaxed).newValue }

    /// Whether new requests are refused, because the server is about to end.
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    func beginDraining() { draining.store(true, ordering: .relaxed) }
}
