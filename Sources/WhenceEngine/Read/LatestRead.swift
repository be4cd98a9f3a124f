import RocksDB
import Synchronization
import WhenceCatalog
import WhenceCore

/// The work of a `LatestReader`: all that it keeps, in one place that is its own, so that a read looks once, and not at every step,
/// whether somebody else is at it.
///
/// Invariant of the unsafe part: the store, which is held, holds its cache.
@safe struct LatestRead: ~Copyable {
    /// The values of the last read: a row for each entity, a column for each feature.
    private(set) var columns: ProjectedColumns
    /// Counts how often the types of the columns have changed.
    private(set) var layoutChanges = 0
    private let store: Store
    /// The store's, which outlives this: counting references to it, which all readers have, would take it from one core to the other at every read.
    private let cache: Unmanaged<LatestCache>
    private let withEventTimes: Bool
    private let featureIDs: [UInt32]
    private var view: OpenView
    private var walk: VersionWalk
    private var projection: RowProjection
    /// The store's generation that `view` is of.
    private var generation: Int
    private var sink: DecodingSink
    private var cursor: Cursor
    private var target = SeekKey()

    init(_ store: Store, _ view: OpenView, _ targets: [RowProjection.Target], capacity: Int, withEventTimes: Bool) {
        self.store = store
        unsafe cache = .passUnretained(store.cache)
        self.view = view
        self.withEventTimes = withEventTimes
        featureIDs = targets.map(\.featureID)
        // None: the first read makes sure of the view, which may have changed since it was looked up.
        generation = -1
        walk = LatestRead.walk(view)
        projection = RowProjection(targets: targets, layouts: view.layouts)
        columns = ProjectedColumns(projection, count: capacity, withEventTimes: withEventTimes)
        sink = DecodingSink(RowDecoder(projection, into: columns))
        cursor = store.database.makeCursor(view.family)
    }

    /// Everything that is in the store is known, and what a backfill has not yet published is not in the store.
    private static func walk(_ view: OpenView) -> VersionWalk {
        VersionWalk(Visibility(knownAt: .distantFuture, asServed: true, unpublished: []), ttl: view.stored.definition.ttl)
    }

    /// Takes up definitions that were applied since the reader was made; `columns` begin anew, with the types of now.
    private mutating func catchUp() throws(WhenceError) {
        let current = store.generation.load(ordering: .acquiring)
        guard current != generation else { return }
        let view = try store.view(view.name)
        let targets = view.targets(zip(featureIDs, projection.targets).map { ($0, $1.type) })
        self.view = view
        walk = LatestRead.walk(view)
        let hasChanged = targets != projection.targets
        projection = RowProjection(targets: targets, layouts: view.layouts)
        if hasChanged {
            layoutChanges += 1
            makeColumns(columns.count)
        } else {
            sink = DecodingSink(RowDecoder(projection, into: columns))
        }
        generation = current
    }

    /// Makes new columns of `capacity` rows for the next reads.
    mutating func renew(capacity: Int) throws(WhenceError) {
        try catchUp()
        makeColumns(capacity)
    }

    /// Begins a read of `rows` rows into columns that are kept from read to read, and not handed out.
    mutating func begin(rows: Int) throws(WhenceError) {
        try catchUp()
        if rows > columns.count {
            makeColumns(max(8, rows, min(2 * columns.count, 1024)))
        } else {
            sink.decoder.reuse()
        }
        columns.begin(rows: rows)
    }

    /// Lets the columns and their memory go.
    mutating func dropColumns() { makeColumns(0) }

    private mutating func makeColumns(_ capacity: Int) {
        columns = ProjectedColumns(projection, count: capacity, withEventTimes: withEventTimes)
        sink = DecodingSink(RowDecoder(projection, into: columns))
    }

    /// Reads the latest values of `entity` into row `row` of `columns`, where the cache has them.
    ///
    /// - Parameter now: the present, from `Store.now`, taken once for all entities of a request.
    /// Cost: a look-up and a copy a feature, without allocation.
    mutating func readKept(_ row: Int, _ entity: RawSpan, at now: Timestamp) throws(WhenceError) -> Bool {
        if store.generation.load(ordering: .acquiring) != generation { try catchUp() }
        // Columns that were handed out belong to whoever has them.
        if columns.isFinished { makeColumns(columns.count) }
        try view.checkHorizon(now)
        sink.clear(row)
        let found = unsafe cache._withUnsafeGuaranteedRef { $0.find(view: view.id, entity: entity, at: now) }
        guard let found else { return false }
        try found.replay(at: now, ttlMicros: walk.ttlMicros, into: &sink)
        return true
    }

    /// The same from the store, for an entity that `readKept` has not found; from then on the cache has it.
    ///
    /// Cost: a seek, which may wait for the disk.
    mutating func readStored(_ row: Int, _ entity: RawSpan, at now: Timestamp) throws(WhenceError) {
        sink.clear(row)
        var token = store.cache.beginFill(view: view.id, entity: entity)
        do {
            // After the placeholder is there, so that no commit can pass unseen between this state and the entry.
            try storage(at: "view '\(view.name)'") { () throws(RocksDBError) in try cursor.refresh() }
            if store.generation.load(ordering: .acquiring) != generation {
                // Definitions were applied in between: what would be read by the old ones is no entry.
                if let token { store.cache.abandonFill(token, view: view.id, entity: entity) }
                token = nil
                try catchUp()
                sink.clear(row)
            }
            guard let token else {
                seek(entity, at: now)
                _ = try walk.run(&cursor, entity: entity, at: now, into: &sink)
                return try check()
            }
            // From the entity's first version, so that one dated in the future is seen and bounds how long the entry holds.
            seek(entity, at: .distantFuture)
            var collected = CollectingSink(view, entity)
            _ = try walk.run(&cursor, entity: entity, at: now, into: &collected)
            try check()
            let entry = LatestEntry(
                view: view.id, entityLength: entity.byteCount, bytes: collected.bytes, versions: collected.versions,
                validFrom: now, validUntil: collected.validUntil)
            store.cache.finishFill(token, entry)
            try entry.replay(at: now, ttlMicros: walk.ttlMicros, into: &sink)
        } catch {
            if let token { store.cache.abandonFill(token, view: view.id, entity: entity) }
            throw error
        }
    }

    private mutating func seek(_ entity: RawSpan, at T: Timestamp) {
        target.set(entity, T, knownAt: .distantFuture)
        target.seek(&cursor)
    }

    private func check() throws(WhenceError) {
        if !cursor.isValid { try storage(at: "view '\(view.name)'") { () throws(RocksDBError) in try cursor.check() } }
    }
}
