import Dispatch
import RocksDB
import Synchronization
import WhenceCore

/// What a write was acknowledged with.
public struct Commit: Sendable, Hashable {
    /// The commit time; as `known_at` it pins a read to what was known right after this write.
    public let time: Timestamp
    /// Whether a batch of the same idempotency key had been committed before, so that nothing was written now.
    public let wasRepeated: Bool

    public init(time: Timestamp, wasRepeated: Bool = false) {
        self.time = time
        self.wasRepeated = wasRepeated
    }
}

/// The one place where commit times are given and the store is written.
///
/// Work is done in the order in which it arrives, by whichever waiting thread leads. The leader takes everything that
/// waits: batches that stand one behind the other become one write and one sync of the log (group commit), each with a
/// commit time of its own; exclusive work stands alone. A commit time is published after its write is durable, so
/// nothing is ever added at or before a published time.
final class Committer: Sendable {
    /// The parts of one commit: for each view its sorted rows. Filled by the thread that waits for the commit, and touched by
    /// the leader only while that thread waits.
    final class Parts: @unchecked Sendable {
        var parts: [(buffer: VersionBuffer, view: OpenView)]
        /// Run by the leader before anything is written; what it throws refuses the commit.
        let check: () throws(WhenceError) -> Void
        /// Run by the leader when the commit is durable, in commit order, before it is acknowledged.
        let didCommit: (Parts, Timestamp) -> Void

        init(
            _ parts: [(VersionBuffer, OpenView)], check: @escaping () throws(WhenceError) -> Void,
            didCommit: @escaping (Parts, Timestamp) -> Void
        ) {
            self.parts = parts
            self.check = check
            self.didCommit = didCommit
        }
    }

    /// Work that stands alone between commits. It is given the greatest commit time so far, and returns the new one.
    typealias Exclusive = (_ last: Timestamp) throws(WhenceError) -> Timestamp

    private enum Work {
        case batch(Parts, idempotencyKey: String?)
        case exclusive(Exclusive)
    }

    private final class Waiter: @unchecked Sendable {
        let work: Work
        // Written by the leader before it signals, read by the waiting thread after.
        var result: Result<Commit, WhenceError>?
        let semaphore = DispatchSemaphore(value: 0)
        init(_ work: Work) { self.work = work }
    }

    private struct Queue {
        var waiting: [Waiter] = []
        var isLed = false
    }

    private struct Alone: ~Copyable {
        private let before = InlineArray<8, UInt64>(repeating: 0)
        let value: Atomic<Int64>
        private let behind = InlineArray<8, UInt64>(repeating: 0)
    }

    private let database: Database
    private let records: ColumnFamily
    private let clock: @Sendable () -> Timestamp
    private let isSynced: Bool
    private let queue = Mutex(Queue())
    /// Microseconds of the greatest published commit time.
    private let last: Atomic<Int64>
    /// The latest present that was handed out, in microseconds; on a cache line of its own, as readers write it all the time, and read what
    /// stands around it.
    private let present: Alone

    init(
        _ database: Database, records: ColumnFamily, last: Timestamp, notBefore: Timestamp, options: StoreOptions
    ) {
        self.database = database
        self.records = records
        self.last = Atomic(last.microseconds)
        present = Alone(value: Atomic(max(last, notBefore).microseconds))
        clock = options.clock
        isSynced = options.durability == .synced
    }

    /// The greatest commit time that is published: everything at or before it is there, and nothing will be added.
    var lastCommit: Timestamp { Timestamp(microseconds: last.load(ordering: .acquiring)) }

    /// The present: the clock, but never behind the last commit, so that a commit is visible to the next read, and never behind
    /// what was the present before, even when the clock steps back.
    var now: Timestamp {
        let time = max(clock(), lastCommit).microseconds
        // Most often somebody has taken this microsecond already, and a look at it takes no cache line away from another core.
        let taken = present.value.load(ordering: .relaxed)
        guard time > taken else { return Timestamp(microseconds: taken) }
        let (_, latest) = present.value.max(time, ordering: .relaxed)
        return Timestamp(microseconds: latest)
    }

    /// Commits `parts` atomically and waits until that is durable.
    func commit(_ parts: Parts, idempotencyKey: String?) throws(WhenceError) -> Commit {
        try perform(.batch(parts, idempotencyKey: idempotencyKey))
    }

    /// Runs `body` between commits.
    @discardableResult func exclusively(_ body: @escaping Exclusive) throws(WhenceError) -> Commit { try perform(.exclusive(body)) }

    private func perform(_ work: Work) throws(WhenceError) -> Commit {
        let own = Waiter(work)
        let mustLead = queue.withLock { queue in
            queue.waiting.append(own)
            if queue.isLed { return false }
            queue.isLed = true
            return true
        }
        if !mustLead { own.semaphore.wait() }
        // Woken without a result, this thread is the next leader.
        if own.result == nil { lead() }
        guard let result = own.result else { preconditionFailure("a leader works on everything that waits, itself included") }
        return try result.get()
    }

    private func lead() {
        let group = queue.withLock { queue in
            let group = queue.waiting
            queue.waiting.removeAll()
            return group
        }
        var at = 0
        while at < group.count {
            if case .exclusive(let body) = group[at].work {
                group[at].result = run(body)
                at += 1
                continue
            }
            var end = at
            while end < group.count, case .batch = group[end].work { end += 1 }
            write(group[at..<end])
            at = end
        }
        let next = queue.withLock { queue in
            if queue.waiting.isEmpty { queue.isLed = false }
            return queue.waiting.first
        }
        for waiter in group { waiter.semaphore.signal() }
        next?.semaphore.signal()
    }

    private func run(_ body: Exclusive) -> Result<Commit, WhenceError> {
        do {
            let time = try body(lastCommit)
            last.store(max(lastCommit, time).microseconds, ordering: .releasing)
            return .success(Commit(time: time))
        } catch {
            return .failure(error)
        }
    }

    /// Writes a run of batches in one go.
    private func write(_ group: ArraySlice<Waiter>) {
        var batch = WriteBatch()
        var time = lastCommit
        var repeated: [String: Timestamp] = [:]
        var toWrite: [String: [(buffer: VersionBuffer, view: OpenView)]] = [:]
        var written: [(waiter: Waiter, commit: Commit, parts: Parts?)] = []
        for waiter in group {
            guard case .batch(let parts, let key) = waiter.work else { continue }
            do throws(WhenceError) {
                if let key, let earlier = repeated[key] != nil ? repeated[key] : try earlierCommit(key) {
                    written.append((waiter, Commit(time: earlier, wasRepeated: true), nil))
                    continue
                }
                try parts.check()
            } catch {
                waiter.result = .failure(error)
                continue
            }
            time = nextTime(after: time)
            for index in parts.parts.indices {
                parts.parts[index].buffer.setCommit(time)
                toWrite[parts.parts[index].view.family.name, default: []].append(parts.parts[index])
            }
            if let key {
                repeated[key] = time
                batch.put(Records.idempotency(key), Records.bytes(time), in: records)
            }
            written.append((waiter, Commit(time: time), parts))
        }
        for buffers in toWrite.values { VersionBuffer.put(buffers.map(\.buffer), into: &batch, family: buffers[0].view.family) }
        batch.put(Records.lastCommit, Records.bytes(time), in: records)
        do {
            try storage(at: "commit") { () throws(RocksDBError) in try database.write(batch, sync: isSynced) }
        } catch {
            for (waiter, _, _) in written { waiter.result = .failure(error) }
            return
        }
        for case (_, let commit, let parts?) in written { parts.didCommit(parts, commit.time) }
        last.store(time.microseconds, ordering: .releasing)
        for (waiter, commit, _) in written { waiter.result = .success(commit) }
    }

    private func earlierCommit(_ key: String) throws(WhenceError) -> Timestamp? {
        let bytes = try storage(at: "idempotency key '\(key)'") { () throws(RocksDBError) in
            try database.get(Records.idempotency(key), in: records)
        }
        return try bytes.map { bytes throws(WhenceError) in try Records.time(bytes) }
    }

    /// A commit time for work that begins now: the clock, but always later than `last`.
    func nextTime(after last: Timestamp) -> Timestamp {
        max(clock(), Timestamp(microseconds: last.microseconds + 1))
    }
}
