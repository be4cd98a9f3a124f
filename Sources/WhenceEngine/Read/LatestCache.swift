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
        // First, and beside the lock, what an answer needs.
        var entries = EntryTable()
        var hits = 0
        var misses = 0
        /// The hashes of the entries in the order in which the clock's hand passes them.
        var ring: [UInt64] = []
        var hand = 0
        var byteCount = 0

        mutating func remove(_ hash: UInt64) {
            if let entry = entries.remove(hash) { byteCount -= entry.memoryBytes }
        }

        mutating func insert(_ entry: LatestEntry, _ hash: UInt64, budget: Int) {
            if let old = entries.insert(entry, hash) {
                byteCount -= old.memoryBytes
            } else {
                ring.append(hash)
                // Entries that a commit dropped leave their hash behind.
                if ring.count > 2 * entries.count + 64 { ring = entries.hashes }
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

    /// A shard and as much room behind it that no two of them share a cache line: a thread that takes one takes no other away.
    private struct LockedShard: ~Copyable {
        let shard = Mutex(Shard())
        private let room = InlineArray<8, UInt64>(repeating: 0)
    }

    /// In one piece with the cache: nobody counts references to a shard.
    private let shards = InlineArray<64, LockedShard> { _ in LockedShard() }
    /// How many bits of a hash name its shard.
    private let shardBits: Int
    private let shardBudget: Int
    private let nextToken = Atomic<UInt64>(1)

    /// - Parameter budgetBytes: memory for all entries; with 0 nothing is ever kept.
    init(budgetBytes: Int) {
        // A thread waits at a shard for the memory that holds an entry: many shards, so that it seldom meets another. Few where there is little to
        // share out, as an entry of more than a quarter of a shard is not kept.
        shardBits = budgetBytes < 16 << 20 ? 4 : 6
        shardBudget = budgetBytes >> shardBits
    }

    var isEnabled: Bool { shardBudget > 0 }

    @inline(__always) private func hash(_ view: UInt32, _ entity: RawSpan) -> UInt64 {
        EntityKey.hash(entity) ^ (UInt64(view) &* 0x9E37_79B9_7F4A_7C15)
    }

    @inline(__always) private func withShard<Result, Failure: Error>(
        _ hash: UInt64, _ body: (inout Shard) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try shards[Int(truncatingIfNeeded: hash >> UInt64(64 - shardBits))].shard.withLock { shard throws(Failure) in try body(&shard) }
    }

    /// The entry that is the answer for that T, if there is one; T must not go back from call to call. It stays what it is, so that it is handed
    /// out without the lock.
    @inline(__always) func find(view: UInt32, entity: RawSpan, at T: Timestamp) -> LatestEntry? {
        guard isEnabled else { return nil }
        let hash = hash(view, entity)
        return withShard(hash) { shard in
            guard let entry = shard.entries[hash], !entry.isPlaceholder, entry.isOf(view, entity), T >= entry.validFrom,
                T < entry.validUntil
            else { return nil }
            shard.hits &+= 1
            // Not written where it says so already: readers on other cores have the line, too.
            if !entry.wasUsed { entry.wasUsed = true }
            return entry
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
        return withShard(hash) { shard in
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
        withShard(hash) { shard in
            guard let placeholder = shard.entries[hash], placeholder.fillToken == token else { return }
            if entry.memoryBytes > shardBudget / 4 { shard.remove(hash) } else { shard.insert(entry, hash, budget: shardBudget) }
        }
    }

    /// Takes the placeholder of a fill that failed away.
    func abandonFill(_ token: UInt64, view: UInt32, entity: RawSpan) {
        let hash = hash(view, entity)
        withShard(hash) { shard in
            if shard.entries[hash]?.fillToken == token { shard.remove(hash) }
        }
    }

    /// Brings the entry of one entity up to date with a version that has just been committed.
    func update(
        view: UInt32, schemaID: UInt32, entity: RawSpan, eventTime: Timestamp, commit: Timestamp, row: RawSpan
    ) {
        let hash = hash(view, entity)
        withShard(hash) { shard in
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
        withShard(hash) { $0.remove(hash) }
    }

    /// Drops all entries of `view`.
    func removeAll(view: UInt32) {
        for index in shards.indices {
            shards[index].shard.withLock { shard in
                for hash in shard.entries.hashes where shard.entries[hash]?.view == view { shard.remove(hash) }
            }
        }
    }

    /// Entries, bytes, and answers with and without success so far.
    var statistics: (entries: Int, byteCount: Int, hits: Int, misses: Int) {
        var sum = (entries: 0, byteCount: 0, hits: 0, misses: 0)
        for index in shards.indices {
            shards[index].shard.withLock { shard in
                sum.entries += shard.entries.count
                sum.byteCount += shard.byteCount
                sum.hits += shard.hits
                sum.misses += shard.misses
            }
        }
        return sum
    }
}
