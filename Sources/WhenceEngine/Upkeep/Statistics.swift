import Foundation
import RocksDB
import Synchronization
import WhenceCatalog
import WhenceCore

/// What a store holds and how it stands.
public struct StoreStatistics: Sendable {
    public struct View: Sendable {
        public let name: String
        /// Versions, as RocksDB estimates them.
        public let versions: Int
        public let files: Int
        /// Bytes of the files, compressed.
        public let fileBytes: Int
        public let memtableBytes: Int
        /// Bytes that compaction has yet to rewrite.
        public let pendingCompactionBytes: Int
        /// Files at each level, from level 0 on.
        public let filesByLevel: [Int]
        /// Bytes of the files at each level, compressed.
        public let fileBytesByLevel: [Int]
        /// History before this has been removed; nil where none has.
        public let horizon: Timestamp?
    }

    public let path: String
    public let formatVersion: Int
    public let catalogVersion: Int
    /// Nil before the first commit.
    public let lastCommit: Timestamp?
    public let views: [View]
    public let blockCacheUsedBytes: Int
    public let blockCacheBytes: Int
    /// Memory of images of sorted files, which joins that come again read.
    public let historyCacheUsedBytes: Int
    public let historyCacheBytes: Int
    public let latestCacheEntries: Int
    public let latestCacheUsedBytes: Int
    public let latestCacheHits: Int
    public let latestCacheMisses: Int
    /// Whether RocksDB has stopped writes because compaction does not keep up.
    public let isWriteStopped: Bool
    /// What RocksDB slows writes down to while compaction lags behind, in bytes a second; 0 while it does not.
    public let delayedWriteBytesPerSecond: Int
    /// Errors of work in the background since the store was opened.
    public let backgroundErrors: Int
    /// Bytes of the write-ahead log.
    public let logBytes: Int
}

extension Store {
    /// The state of the store. Cheap, but not for every request.
    public func statistics() -> StoreStatistics {
        let files = Dictionary(grouping: database.files(), by: \.family)
        let (views, catalogVersion) = state.withLock { ($0.views.values.sorted { $0.name < $1.name }, $0.catalog.version) }
        let latest = cache.statistics
        let blocks = database.blockCacheBytes
        let last = lastCommit
        return StoreStatistics(
            path: directory.path, formatVersion: StoreDirectory.formatVersion, catalogVersion: catalogVersion,
            lastCommit: last == .distantPast ? nil : last,
            views: views.map { view in
                let own = files[view.family.name] ?? []
                let levels = (own.map(\.level).max() ?? 0) + 1
                return StoreStatistics.View(
                    name: view.name, versions: number("rocksdb.estimate-num-keys", view.family), files: own.count,
                    fileBytes: own.reduce(0) { $0 + $1.byteCount }, memtableBytes: number("rocksdb.cur-size-all-mem-tables", view.family),
                    pendingCompactionBytes: number("rocksdb.estimate-pending-compaction-bytes", view.family),
                    filesByLevel: (0..<levels).map { level in own.count { $0.level == level } },
                    fileBytesByLevel: (0..<levels).map { level in own.reduce(0) { $0 + ($1.level == level ? $1.byteCount : 0) } },
                    horizon: view.horizon == .distantPast ? nil : view.horizon)
            },
            blockCacheUsedBytes: blocks.used, blockCacheBytes: blocks.capacity,
            historyCacheUsedBytes: history.byteCount, historyCacheBytes: history.budgetBytes, latestCacheEntries: latest.entries,
            latestCacheUsedBytes: latest.byteCount, latestCacheHits: latest.hits, latestCacheMisses: latest.misses,
            isWriteStopped: number("rocksdb.is-write-stopped", records) != 0,
            delayedWriteBytesPerSecond: number("rocksdb.actual-delayed-write-rate", records),
            backgroundErrors: number("rocksdb.background-errors", records), logBytes: logBytes())
    }

    /// RocksDB has no property for it, so the files are asked. One that is removed meanwhile counts nothing.
    private func logBytes() -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.database)) ?? []
        return names.filter { $0.hasSuffix(".log") }.reduce(0) { sum, name in
            let attributes = try? FileManager.default.attributesOfItem(atPath: "\(directory.database)/\(name)")
            return sum + ((attributes?[.size] as? NSNumber)?.intValue ?? 0)
        }
    }

    private func number(_ property: String, _ family: ColumnFamily) -> Int {
        database.number(property, of: family).flatMap { Int(exactly: $0) } ?? 0
    }

    /// Writes out the memtables of `view` and compacts all its files down to the bottommost level.
    public func compact(_ view: String) throws(WhenceError) {
        try checkWritable()
        let open = try self.view(view)
        try storage(at: "view '\(view)'") { () throws(RocksDBError) in try database.flush(open.family) }
        try storage(at: "view '\(view)'") { () throws(RocksDBError) in try database.compact(open.family) }
    }

    /// Ends calls of `compact` that are under way, which throw, and refuses others until it is called again with false. Compaction in the
    /// background goes on.
    public func setCompactionsPaused(_ isPaused: Bool) { database.setCompactionsPaused(isPaused) }

    /// Goes on writing after a full disk or another error of RocksDB's has stopped it. Throws what still stands in the way.
    /// May take as long as writing out the memtables.
    public func resume() throws(WhenceError) {
        try checkWritable()
        try storage(at: "store") { () throws(RocksDBError) in try database.resume() }
    }

    /// Writes out the memtables of `view`.
    public func flush(_ view: String) throws(WhenceError) {
        try checkWritable()
        let open = try self.view(view)
        try storage(at: "view '\(view)'") { () throws(RocksDBError) in try database.flush(open.family) }
    }
}
