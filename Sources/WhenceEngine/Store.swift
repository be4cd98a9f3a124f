import RocksDB
import Synchronization
import WhenceCatalog
import WhenceCore

/// A time-travel feature store in one directory: every version of every feature, with the time it happened and the
/// time it became known (design, sections 3 and 4). Safe to use from many threads; one process at a time.
public final class Store: Sendable {
    /// What changes when definitions are applied or history is removed, replaced as a whole.
    struct State {
        var catalog: Catalog
        var views: [String: OpenView]
        /// For each backfill its commit time and when it was published, or nil while it is under way.
        var backfills: [Timestamp: Timestamp?]
    }

    public let options: StoreOptions
    let directory: StoreDirectory
    let database: Database
    let records: ColumnFamily
    let state: Mutex<State>
    let cache: LatestCache
    let history: HistoryCache
    let committer: Committer
    let freshnessTable = FreshnessTable()
    /// Counts the changes of `state.views`, so that a reader that is kept notices that its view has changed.
    let generation = Atomic<Int>(0)

    /// Opens the store in the directory `path`, and makes one where there is none unless `options` say otherwise.
    ///
    /// Throws `storeLocked` when another process has it open, `unknownFormat` when it is not a store that this version reads,
    /// `corruption` when a file is damaged: opened with `readOnly` such a store still serves its whole views.
    public init(at path: String, options: StoreOptions = StoreOptions()) throws(WhenceError) {
        var options = options
        options.threads = max(1, options.threads)
        self.options = options
        let directory = try StoreDirectory(path: path, options: options)
        let database = try Store.open(directory, options)
        if !options.readOnly { try directory.emptyTemporary() }
        guard let records = database.family(Database.defaultFamily) else {
            throw WhenceError(.corruption, "the store has no records", place: path, hint: "restore it from a backup")
        }
        self.directory = directory
        self.database = database
        self.records = records
        var entries: [CatalogEntry] = []
        let catalog: Catalog
        do throws(WhenceError) {
            try database.forEach(Records.catalogPrefix, in: records) { _, value throws(WhenceError) in
                entries.append(try CatalogEntry(decoding: value))
            }
            catalog = try Catalog(entries: entries)
        } catch {
            var failure = error.at(path)
            if failure.hint.isEmpty { failure.hint = "restore the store from a backup" }
            throw failure
        }
        var backfills: [Timestamp: Timestamp?] = [:]
        try database.forEach(Records.publicationPrefix, in: records) { key, value throws(WhenceError) in
            backfills[try Records.time(key.dropFirst(Records.publicationPrefix.count))] = try Records.time(value)
        }
        let lastCommit = try storage(at: path) { () throws(RocksDBError) in try database.get(Records.lastCommit, in: records) }
        let cache = LatestCache(budgetBytes: options.latestCacheBytes)
        self.cache = cache
        history = HistoryCache(budgetBytes: options.historyCacheBytes, walks: options.historyCacheWalks)
        var views: [String: OpenView] = [:]
        for (name, stored) in catalog.views { views[name] = try Store.open(stored, database, records, options) }
        state = Mutex(State(catalog: catalog, views: views, backfills: backfills))
        committer = Committer(
            database, records: records, last: try lastCommit.map { bytes throws(WhenceError) in try Records.time(bytes) } ?? .distantPast,
            notBefore: views.values.map(\.horizon).max() ?? .distantPast, options: options)
    }

    deinit { database.cancelBackgroundWork() }

    /// Opens RocksDB's part of the store.
    private static func open(_ directory: StoreDirectory, _ options: StoreOptions) throws(WhenceError) -> Database {
        func attempt(_ databaseOptions: DatabaseOptions) throws(RocksDBError) -> Database {
            try Database(path: directory.database, options: databaseOptions) { name in
                name == Database.defaultFamily ? StorageOptions.records() : StorageOptions.view(options)
            }
        }
        do throws(RocksDBError) {
            return try attempt(StorageOptions.database(options))
        } catch {
            var failure = WhenceError(error, place: directory.path)
            guard error.kind == .corruption else { throw failure }
            if options.readOnly {
                // Whole views are still served when files of others are damaged or gone.
                if let database = try? attempt(StorageOptions.damagedDatabase(options)) { return database }
            } else if !error.message.contains(".sst") {
                failure.hint =
                    "if it is the log (db/*.log) that is damaged, '--recover-log' keeps what was committed up to the damage and loses what "
                    + "follows; or restore the store from a backup"
            }
            throw failure
        }
    }

    private static func open(
        _ stored: StoredView, _ database: Database, _ records: ColumnFamily, _ options: StoreOptions
    ) throws(WhenceError) -> OpenView {
        let place = "view '\(stored.definition.name)'"
        let name = OpenView.familyName(stored.id)
        let family = try storage(at: place) { () throws(RocksDBError) in
            if options.readOnly, let family = database.family(name) { return family }
            return try database.createFamily(name, options: StorageOptions.view(options))
        }
        let horizon = try storage(at: place) { () throws(RocksDBError) in try database.get(Records.horizon(stored.id), in: records) }
        return OpenView(stored, family, horizon: try horizon.map { bytes throws(WhenceError) in try Records.time(bytes) } ?? .distantPast)
    }

    // MARK: Definitions

    /// The definitions as they stand.
    public var catalog: Catalog { state.withLock { $0.catalog } }

    /// A number that changes when definitions or horizons do: whoever keeps something made from the catalog compares it.
    public var definitionsGeneration: Int { generation.load(ordering: .acquiring) }

    /// What applying `definitions` would change.
    public func plan(_ definitions: Definitions) throws(WhenceError) -> CatalogPlan { try catalog.plan(definitions) }

    /// Does exactly what `plan` says, atomically. Throws where the plan has refusals, or the catalog has changed since it was made.
    @discardableResult public func apply(_ plan: CatalogPlan) throws(WhenceError) -> Catalog {
        try checkWritable()
        try committer.exclusively { last throws(WhenceError) in
            let (catalog, entries) = try self.catalog.applying(plan)
            guard !entries.isEmpty else { return last }
            // Families first: one that no stored entry names yet is found again, and does no harm.
            var views: [String: OpenView] = [:]
            for (name, stored) in catalog.views {
                views[name] = try Store.open(stored, self.database, self.records, self.options)
            }
            var batch = WriteBatch()
            for entry in entries {
                batch.put(Records.catalogPrefix + entry.key, entry.json, in: self.records)
            }
            let time = self.committer.nextTime(after: last)
            batch.put(Records.lastCommit, Records.bytes(time), in: self.records)
            try storage(at: "catalog") { () throws(RocksDBError) in try self.database.write(batch, sync: true) }
            self.state.withLock { state in
                state.catalog = catalog
                state.views = views
            }
            self.generation.add(1, ordering: .releasing)
            for view in views.values { self.cache.removeAll(view: view.id) }
            return time
        }
        return catalog
    }

    /// The open view named `name`. Throws `notFound`.
    func view(_ name: String) throws(WhenceError) -> OpenView {
        let (found, catalog) = state.withLock { ($0.views[name], $0.catalog) }
        if let found { return found }
        _ = try catalog.view(named: name)
        throw WhenceError(.notFound, "there is no view '\(name)'")
    }

    // MARK: Writing

    /// Commits `batches` as one: all of it is durable and visible when this returns, or nothing is.
    ///
    /// - Parameter idempotencyKey: names this write; a second write of the same name is answered with the first one's commit
    ///   and changes nothing.
    @discardableResult public func write(_ batches: [RowBatch], idempotencyKey: String? = nil) throws(WhenceError) -> Commit {
        try checkWritable()
        if let idempotencyKey, idempotencyKey.utf8.count > Limits.entityKeyBytes || idempotencyKey.isEmpty {
            throw WhenceError(.invalidArgument, "an idempotency key has 1 to \(Limits.entityKeyBytes) bytes")
        }
        var earliestRetractions: [String: Timestamp] = [:]
        var merged: [(buffer: VersionBuffer, layout: RowLayout, view: OpenView)] = []
        for batch in batches where batch.count > 0 {
            let view = try view(batch.view.definition.name)
            earliestRetractions[view.name] = min(earliestRetractions[view.name] ?? .distantFuture, batch.earliestRetraction)
            if let same = merged.firstIndex(where: { $0.view === view && $0.layout.schema.id == batch.layout.schema.id }) {
                merged[same].buffer.append(batch.buffer)
            } else if merged.contains(where: { $0.view === view }) {
                throw WhenceError(
                    .invalidArgument, "two batches of view '\(view.name)' were made under different schemas",
                    hint: "make batches anew after definitions were applied")
            } else {
                merged.append((batch.buffer, batch.layout, view))
            }
        }
        var parts: [(VersionBuffer, OpenView)] = []
        for var part in merged {
            try part.buffer.sortAndMerge(part.layout)
            parts.append((part.buffer, part.view))
        }
        // Both by the definitions and horizons at the moment of the commit, which may be newer than those looked up above.
        let retractions = earliestRetractions
        let work = Committer.Parts(parts) { [self] () throws(WhenceError) in
            for (name, earliest) in retractions { try view(name).checkRetractions(from: earliest) }
        } didCommit: { [self] parts, commit in
            updateCache(parts, commit)
            updateFreshness(parts, commit)
        }
        return try committer.commit(work, idempotencyKey: idempotencyKey)
    }

    /// Tells the cache of latest rows about every version of a commit.
    private func updateCache(_ parts: Committer.Parts, _ commit: Timestamp) {
        guard cache.isEnabled else { return }
        for part in parts.parts {
            guard let view = state.withLock({ $0.views[part.view.name] }) else { continue }
            let owned = part.buffer.bytes
            let bytes = unsafe owned.span.bytes
            for entry in part.buffer.entries {
                cache.update(
                    view: view.id, schemaID: view.stored.currentSchema.id, entity: bytes.extracting(entry.entity),
                    eventTime: VersionKey.eventTime(bytes.extracting(entry.key)), commit: commit, row: bytes.extracting(entry.row))
            }
        }
    }

    /// Commits one batch; see `write(_:idempotencyKey:)` for several.
    @discardableResult public func write(_ batch: RowBatch, idempotencyKey: String? = nil) throws(WhenceError) -> Commit {
        try write([batch], idempotencyKey: idempotencyKey)
    }

    func checkWritable() throws(WhenceError) {
        guard !options.readOnly else {
            throw WhenceError(.readOnly, "the store is open for reading only", place: directory.path, hint: "open it for writing")
        }
    }

    // MARK: Points in time

    /// The present, by the store's clock; never behind the last commit.
    public var now: Timestamp { committer.now }

    /// The greatest commit time: as `known_at` it pins reads to what is known now.
    public var lastCommit: Timestamp { committer.lastCommit }

    /// The pin of a read: what was stated, but no later than the last commit, so that the same pin gives the same answer later on.
    func pin(_ knownAt: Timestamp?) -> Timestamp { min(knownAt ?? .distantFuture, lastCommit) }

    /// What is visible at `point`. Backfills that were published after the pin, or not yet, are left out.
    func visibility(_ point: ReadPoint) -> Visibility {
        let unpublished = state.withLock { state in
            state.backfills.compactMap { commit, published in
                guard commit <= point.knownAt else { return Timestamp?.none }
                guard let published else { return commit }
                return published > point.knownAt ? commit : nil
            }
        }
        return Visibility(knownAt: point.knownAt, asServed: point.asServed, unpublished: unpublished)
    }

    /// The commit time as readers are told it: that of a backfill is when it was published.
    func publication(_ commit: Timestamp) -> Timestamp { state.withLock { $0.backfills[commit] ?? commit } ?? commit }
}
