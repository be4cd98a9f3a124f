import RocksDB
import WhenceCatalog
import WhenceCore

/// A spine of the entities of a view at given instants: a row for every entity and instant at which a read of the view finds
/// anything. Entities come in the order of the store, the instants of each from the latest on.
public struct EntitiesSpine: Spine {
    public let columns: [SpineColumn]
    private let view: OpenView
    private let walk: VersionWalk
    private let instants: [Timestamp]
    private let from: Timestamp
    private let to: Timestamp
    private let place: Place

    /// Where the spine is; a class, as a spine is copied.
    private final class Place {
        var cursor: Cursor
        var entity: [UInt8] = []
        /// The next of the instants for the current entity.
        var instant = 0
        var isBegun = false
        var target = SeekKey()

        init(_ cursor: consuming Cursor) { self.cursor = cursor }
    }

    /// Whether any feature of today has a value, and how old the newest one is.
    private struct Newest: VersionSink {
        let view: OpenView
        var eventTime: Timestamp?

        mutating func take(
            _ version: RawSpan, header: RowHeader, eventTime: Timestamp, commit: Timestamp
        ) throws(WhenceError) -> Bool {
            let current = view.stored.currentSchema
            if header.isSparse || header.schemaID != current.id {
                let layout = try view.layout(header.schemaID)
                let body = try RowBody(version, header: header, layout)
                let carriesAny = layout.schema.fields.enumerated().contains { index, field in
                    body.place(of: index) != .absent && current.fields.contains { $0.id == field.id }
                }
                if !carriesAny { return false }
            }
            self.eventTime = eventTime
            return true
        }

        mutating func skip(until time: Timestamp) {}
    }

    init(
        _ store: Store, _ view: OpenView, _ snapshot: Snapshot, instants: [Timestamp], from: Timestamp, to: Timestamp,
        point: ReadPoint, eventTimeColumn: String
    ) {
        self.view = view
        walk = VersionWalk(store.visibility(point), ttl: view.stored.definition.ttl)
        self.instants = Set(instants).sorted(by: >)
        self.from = from
        self.to = to
        columns =
            view.stored.entity.joinKeys.map { SpineColumn(name: $0.name, type: $0.type.columnType) }
            + [SpineColumn(name: eventTimeColumn, type: .timestamp)]
        place = Place(store.database.makeCursor(view.family, at: snapshot, fillCache: false))
    }

    public mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        var keys = EntityColumns(view.stored.entity)
        let times = ColumnBuilder(.timestamp)
        while times.count < maxRows, try nextEntity() {
            let entity = place.entity
            let span = unsafe entity.span.bytes
            var isSame = false
            while place.instant < instants.count, times.count < maxRows {
                let T = instants[place.instant]
                place.instant += 1
                try view.checkHorizon(T)
                place.target.set(span, T, knownAt: walk.visibility.knownAt)
                place.target.seek(&place.cursor)
                var newest = Newest(view: view)
                _ = try walk.run(&place.cursor, entity: span, at: T, into: &newest)
                try check()
                guard let eventTime = newest.eventTime, eventTime >= from, eventTime <= to else { continue }
                try keys.append(span, isSame: isSame)
                times.append(fixed: T.microseconds)
                isSame = true
            }
        }
        guard times.count > 0 else { return nil }
        let count = times.count
        return ColumnBatch(names: columns.map(\.name), columns: try keys.finish() + [times.finish()], count: count)
    }

    /// Moves to the next entity, unless the current one has instants left. False at the end.
    private func nextEntity() throws(WhenceError) -> Bool {
        if place.isBegun && place.instant < instants.count { return true }
        if place.isBegun {
            // Past every version of the current entity, and not past one whose key begins with it (`Formats/keys.md`).
            let end = place.entity + [0xFF]
            unsafe place.cursor.seek(end.span.bytes)
        } else {
            place.cursor.seekToFirst()
            place.isBegun = true
        }
        try check()
        guard place.cursor.isValid else { return false }
        let key = place.cursor.keyBytes
        let entity = Array(key.dropLast(VersionKey.timesBytes))
        // Behind the last version of an entity there is another one; a key that says otherwise has times that no version has.
        guard key.count > VersionKey.timesBytes, entity != place.entity else { throw RowHeader.damagedKey("view '\(view.name)'") }
        place.entity = entity
        place.instant = 0
        return !instants.isEmpty
    }

    private func check() throws(WhenceError) {
        if !place.cursor.isValid { try storage(at: "view '\(view.name)'") { () throws(RocksDBError) in try place.cursor.check() } }
    }
}

extension Store {
    /// A spine of the entities of `view` at `instants`; see `EntitiesSpine`.
    ///
    /// - Parameters:
    ///   - from: leave out an entity whose newest row at the instant is older than this.
    ///   - to: leave out an entity whose newest row at the instant is younger than this.
    public func entities(
        of view: String, at instants: [Timestamp], from: Timestamp = .distantPast, to: Timestamp = .distantFuture,
        knownAt: Timestamp? = nil, asServed: Bool = false,
        eventTimeColumn: String = "event_time"
    ) throws(WhenceError) -> EntitiesSpine {
        for instant in instants where !instant.isInRange {
            throw WhenceError(.invalidTime, "the instant \(instant.microseconds) is out of range")
        }
        let point = ReadPoint(knownAt: pin(knownAt), asServed: asServed)
        // The snapshot before the view: history that is removed from now on is still in it, or else the horizon says so.
        let snapshot = database.makeSnapshot()
        let open = try self.view(view)
        try open.checkHorizon(knownAt: point.knownAt)
        return EntitiesSpine(
            self, open, snapshot, instants: instants, from: from, to: to, point: point, eventTimeColumn: eventTimeColumn)
    }
}
