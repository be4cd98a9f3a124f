import Synchronization
import WhenceCore

/// The rows that answer "what is it now?" for the entities that were read or written last, in a stated number of bytes.
///
/// An entry holds the versions that a walk at the time of its making handed out, and until when they are the answer. A
/// commit brings the entry of each of its entities up to date or drops it (write-through). A reader that misses leaves a
/// placeholder before it reads the store; its entry is taken only while that placeholder is still there, so a commit in
/// between is never overwritten by what was read before it.
final class LatestCache: Sendable {
    private struct Shard {
        var entries: [UInt64: LatestEntry] = [:]
        /// The hashes of the entries in the order in which the clock's hand passes them.
        var ring: [UInt64] = []
        var hand = 0
        var byteCount = 0
        var hits = 0
        var misses = 0

        mutating func remove(_ hash: UInt64) {
            if let entry = entries.removeValue(forKey: hash) { byteCount -= entry.memoryBytes }
        }

        mutating func insert(_ entry: LatestEntry, _ hash: UInt64, budget: Int) {
            if let old = entries.updateValue(entry, forKey: hash) {
                byteCount -= old.memoryBytes
            } else {
                ring.append(hash)
                // Entries that a commit dropped leave their hash behind.
                if ring.count > 2 * entries.count + 64 { ring = Array(entries.keys) }
            }
            byteCount += entry.memoryBytes
            // Second chance: an entry that was used since the hand last passed stays for another round.
            while byteCount > budget, !ring.isEmpty {
                if hand >= ring.count { hand = 0 }
                let candidate = ring[hand]
                if let found = entries[candidate] {
                    if found.wasUsed {
                        found.wasUsed = false
                        hand += 1
                        continue
                    }
                    remove(candidate)
                }
                ring[hand] = ring[ring.count - 1]
                ring.removeLast()
            }
        }
    }

    /// A shard on a cache line of its own lock; a class, as a lock cannot be copied into an array.
    private final class LockedShard: Sendable {
        let shard = Mutex(Shard())
    }

    private let shards: [LockedShard]
    private let shardBudget: Int
    private let nextToken = Atomic<UInt64>(1)

    /// - Parameter budgetBytes: memory for all entries; with 0 nothing is ever kept.
    init(budgetBytes: Int) {
        let count = 16
        shards = (0..<count).map { _ in LockedShard() }
        shardBudget = budgetBytes / count
    }

    var isEnabled: Bool { shardBudget > 0 }

    @inline(__always) private func hash(_ view: UInt32, _ entity: RawSpan) -> UInt64 {
        EntityKey.hash(entity) ^ (UInt64(view) &* 0x9E37_79B9_7F4A_7C15)
    }

    @inline(__always) private func shard(_ hash: UInt64) -> LockedShard { shards[Int(hash >> 60)] }

    /// Answers from the cache, if it can for that T. T must not go back from call to call.
    @inline(__always) func answer<Sink: VersionSink & ~Copyable>(
        view: UInt32, entity: RawSpan, at T: Timestamp, ttlMicros: Int64, into sink: inout Sink
    ) throws(WhenceError) -> Bool {
        guard isEnabled else { return false }
        let hash = hash(view, entity)
        return try shard(hash).shard.withLock { shard throws(WhenceError) in
            guard let entry = shard.entries[hash], !entry.isPlaceholder, entry.isOf(view, entity), T >= entry.validFrom,
                T < entry.validUntil
            else { return false }
            shard.hits &+= 1
            entry.wasUsed = true
            try entry.replay(at: T, ttlMicros: ttlMicros, into: &sink)
            return true
        }
    }

    /// Leaves a placeholder for an entry that the caller is about to read from the store. Nil when nothing is to be kept,
    /// or when another reader is at it already.
    func beginFill(view: UInt32, entity: RawSpan) -> UInt64? {
        guard isEnabled else { return nil }
        let token = nextToken.add(1, ordering: .relaxed).newValue
        let hash = hash(view, entity)
        let placeholder = LatestEntry(
            view: view, entityLength: entity.byteCount, bytes: unsafe entity.withUnsafeBytes { unsafe Array($0) }, versions: [],
            validFrom: .distantFuture, validUntil: .distantPast, fillToken: token)
        return shard(hash).shard.withLock { shard in
            // Here, and not where nothing was found: whoever looks may leave the reading to somebody else, who looks again.
            shard.misses &+= 1
            if let entry = shard.entries[hash], entry.isPlaceholder { return nil }
            shard.insert(placeholder, hash, budget: shardBudget)
            return token
        }
    }

    /// Puts `entry` in the place of the placeholder that `token` stands for, unless a commit has removed that.
    func finishFill(_ token: UInt64, _ entry: LatestEntry) {
        let hash = hash(entry.view, entry.entity)
        shard(hash).shard.withLock { shard in
            guard let placeholder = shard.entries[hash], placeholder.fillToken == token else { return }
            if entry.memoryBytes > shardBudget / 4 { shard.remove(hash) } else { shard.insert(entry, hash, budget: shardBudget) }
        }
    }

    /// Takes the placeholder of a fill that failed away.
    func abandonFill(_ token: UInt64, view: UInt32, entity: RawSpan) {
        let hash = hash(view, entity)
        shard(hash).shard.withLock { shard in
            if shard.entries[hash]?.fillToken == token { shard.remove(hash) }
        }
    }

    /// Brings the entry of one entity up to date with a version that has just been committed.
    func update(
        view: UInt32, schemaID: UInt32, entity: RawSpan, eventTime: Timestamp, commit: Timestamp, row: RawSpan
    ) {
        let hash = hash(view, entity)
        shard(hash).shard.withLock { shard in
            guard let entry = shard.entries[hash] else { return }
            guard !entry.isPlaceholder, entry.isOf(view, entity), let header = try? RowHeader(row),
                header.kind == .row, !header.isSparse, header.schemaID == schemaID,
                !header.isOverDeletion, !header.isOverRetraction, header.availability == nil, let newest = entry.onlyVersion
            else { return shard.remove(hash) }
            if eventTime < newest.eventTime { return coverOrRemove(&shard, entry, hash, schemaID) }
            if eventTime > commit {
                entry.validUntil = min(entry.validUntil, eventTime)
                return
            }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(entity.byteCount + row.byteCount)
            unsafe entity.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
            unsafe row.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
            let version = LatestEntry.Version(eventTime: eventTime, commit: commit, row: entity.byteCount..<bytes.count)
            let updated = LatestEntry(
                view: view, entityLength: entity.byteCount, bytes: bytes, versions: [version],
                validFrom: max(entry.validFrom, commit), validUntil: entry.validUntil)
            updated.wasUsed = entry.wasUsed
            shard.insert(updated, hash, budget: shardBudget)
        }
    }

    /// A version older than the entry's newest does not matter where that one carries every feature, and may elsewhere.
    private func coverOrRemove(_ shard: inout Shard, _ entry: LatestEntry, _ hash: UInt64, _ schemaID: UInt32) {
        if let header = try? RowHeader(entry.newestRow), !header.isSparse, header.schemaID == schemaID { return }
        shard.remove(hash)
    }

    /// Drops what is kept of one entity, or of all entities, of `view`.
    func remove(view: UInt32, entity: RawSpan) {
        let hash = hash(view, entity)
        shard(hash).shard.withLock { $0.remove(hash) }
    }

    /// Drops all entries of `view`.
    func removeAll(view: UInt32) {
        for locked in shards {
            locked.shard.withLock { shard in
                for (hash, entry) in shard.entries where entry.view == view { shard.remove(hash) }
            }
        }
    }

    /// Entries, bytes, and answers with and without success so far.
    var statistics: (entries: Int, byteCount: Int, hits: Int, misses: Int) {
        var sum = (entries: 0, byteCount: 0, hits: 0, misses: 0)
        for locked in shards {
            locked.shard.withLock { shard in
                sum.entries += shard.entries.count
                sum.byteCount += shard.byteCount
                sum.hits += shard.hits
                sum.misses += shard.misses
            }
        }
        return sum
    }
}
