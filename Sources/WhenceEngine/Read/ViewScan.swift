import RocksDB
import WhenceCatalog
import WhenceCore

/// What a scan of a view is to hand out.
public struct ScanRequest: Sendable {
    public var view: String
    /// Nil for all features of the current schema.
    public var features: [String]?
    /// Pins what is known; nil for all that is committed when the scan begins.
    public var knownAt: Timestamp?
    /// Only versions whose event time is at or after this.
    public var from: Timestamp
    /// Only versions whose event time is before this.
    public var to: Timestamp
    /// The name of the column of event times.
    public var eventTimeColumn: String

    public init(
        view: String, features: [String]? = nil, knownAt: Timestamp? = nil, from: Timestamp = .distantPast, to: Timestamp = .distantFuture,
        eventTimeColumn: String = "event_time"
    ) {
        self.view = view
        self.features = features
        self.knownAt = knownAt
        self.from = from
        self.to = to
        self.eventTimeColumn = eventTimeColumn
    }
}

/// Every row of a view, in the order of the store (entity, then event time from the newest on): its join keys, its event time
/// and the features it carries. Of several versions of one event time the newest known one counts; deleted and retracted
/// ones are left out. All batches read one snapshot. It is a spine, too.
public struct ViewScan: Spine {
    public let columns: [SpineColumn]
    /// What this scan knows.
    public let knownAt: Timestamp
    private let view: OpenView
    private let request: ScanRequest
    private let visibility: Visibility
    private let projection: RowProjection
    private let cursor: ScanCursor

    init(_ store: Store, _ request: ScanRequest) throws(WhenceError) {
        let view = try store.view(request.view)
        self.view = view
        self.request = request
        knownAt = request.knownAt ?? store.lastCommit
        visibility = store.visibility(ReadPoint(knownAt: knownAt))
        let targets = try view.targets(request.features)
        projection = RowProjection(targets: targets, layouts: view.layouts)
        let names = request.features ?? view.stored.currentSchema.fields.map(\.name)
        columns =
            view.stored.entity.joinKeys.map { SpineColumn(name: $0.name, type: $0.type.columnType) }
            + [SpineColumn(name: request.eventTimeColumn, type: .timestamp)]
            + zip(names, targets).map { SpineColumn(name: $0, type: $1.type) }
        cursor = ScanCursor(store.database.makeCursor(view.family, at: store.database.makeSnapshot(), fillCache: false))
    }

    public mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        let keys = EntityColumns(view.stored.entity)
        let times = ColumnBuilder(.timestamp)
        let output = ProjectedColumns(projection, count: maxRows)
        var sink = DecodingSink(RowDecoder(projection, into: output))
        var row = 0
        while row < maxRows {
            let isThere = try cursor.nextVersion(
                from: request.from, to: request.to, visibility, place: view.name
            ) { entity, isNewEntity, eventTime, header, version, commit throws(WhenceError) in
                try keys.append(entity, isSame: !isNewEntity && row > 0)
                times.append(fixed: eventTime.microseconds)
                sink.begin(row)
                _ = try sink.take(version, header: header, eventTime: eventTime, commit: commit)
            }
            guard isThere else { break }
            row += 1
        }
        guard row > 0 else { return nil }
        let built = try keys.finish() + [times.finish()] + output.finish(rows: row)
        return ColumnBatch(names: columns.map(\.name), columns: built, count: row)
    }
}

/// The place of a scan; a class, so that a spine, which is copied, has one place.
private final class ScanCursor {
    private var cursor: Cursor
    private var entity: [UInt8] = []
    /// At this event time of the current entity it is settled what counts.
    private var settled: Timestamp?
    private var isBegun = false

    init(_ cursor: consuming Cursor) { self.cursor = cursor }

    /// Moves to the next version that counts and hands it to `body`. False at the end.
    @inline(__always) func nextVersion(
        from: Timestamp, to: Timestamp, _ visibility: Visibility, place: String,
        _ body: (RawSpan, Bool, Timestamp, RowHeader, RawSpan, Timestamp) throws(WhenceError) -> Void
    ) throws(WhenceError) -> Bool {
        if !isBegun {
            isBegun = true
            cursor.seekToFirst()
        }
        return try advance(&cursor, from: from, to: to, visibility, place: place, body)
    }

    @inline(__always) private func advance(
        _ cursor: inout Cursor, from: Timestamp, to: Timestamp, _ visibility: Visibility, place: String,
        _ body: (RawSpan, Bool, Timestamp, RowHeader, RawSpan, Timestamp) throws(WhenceError) -> Void
    ) throws(WhenceError) -> Bool {
        var isNew = false
        while cursor.isValid {
            var isFound = false
            do {
                let key = cursor.key
                guard key.byteCount > VersionKey.timesBytes else { throw RowHeader.damagedKey(place) }
                let span = key.extracting(0..<(key.byteCount - VersionKey.timesBytes))
                if !isCurrent(span) {
                    entity.removeAll(keepingCapacity: true)
                    unsafe span.withUnsafeBytes { unsafe entity.append(contentsOf: $0) }
                    settled = nil
                    isNew = true
                }
                let eventTime = VersionKey.eventTime(key)
                let commit = VersionKey.commitTime(key)
                if eventTime >= from && eventTime < to && settled != eventTime && visibility.isKnown(commit) {
                    settled = eventTime
                    let version = cursor.value
                    let header = try RowHeader(version)
                    if header.kind == .row {
                        isFound = true
                        try body(span, isNew, eventTime, header, version, commit)
                    }
                }
            }
            cursor.next()
            if isFound { return true }
        }
        try storage(at: "view '\(place)'") { () throws(RocksDBError) in try cursor.check() }
        return false
    }

    @inline(__always) private func isCurrent(_ span: RawSpan) -> Bool {
        guard span.byteCount == entity.count else { return false }
        let entity = entity
        return unsafe span.starts(with: entity.span.bytes)
    }
}

/// The columns of an entity's join keys, filled from encoded keys.
final class EntityColumns {
    private let builders: [ColumnBuilder]
    private var values: [KeyValue] = []

    init(_ entity: Entity) { builders = entity.joinKeys.map { ColumnBuilder($0.type.columnType) } }

    /// Appends the join keys of one row.
    ///
    /// - Parameter isSame: the caller knows that it is the entity of the row before.
    func append(_ entity: RawSpan, isSame: Bool) throws(WhenceError) {
        if !isSame || values.isEmpty { values = try EntityKey.values(of: entity) }
        guard values.count == builders.count else { throw RowHeader.damagedKey("entity") }
        for index in builders.indices {
            switch values[index] {
            case .int64(let value): builders[index].append(fixed: value)
            case .string(let text): try builders[index].append(.string(text))
            case .bytes(let bytes): try builders[index].append(.bytes(bytes))
            case .bool(let flag): try builders[index].append(.bool(flag))
            }
        }
    }

    func finish() throws(WhenceError) -> [Column] {
        var columns: [Column] = []
        for builder in builders { columns.append(try builder.finish()) }
        return columns
    }
}

extension KeyType {
    /// The type of a column that holds join keys of this type.
    public var columnType: FeatureType {
        switch self {
        case .int64: .int64
        case .string: .string
        case .bytes: .bytes
        case .bool: .bool
        }
    }
}

extension RowHeader {
    static func damagedKey(_ place: String) -> WhenceError {
        WhenceError(.corruption, "a stored key is damaged", place: place, hint: "restore the view from a backup")
    }
}

extension Store {
    /// Scans a view; see `ViewScan`.
    public func scan(_ request: ScanRequest) throws(WhenceError) -> ViewScan { try ViewScan(self, request) }
}
