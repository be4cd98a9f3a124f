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
    /// Only entities from this one on, in the order of the store (`Formats/keys.md`); it may be the first join keys alone. Nil for all.
    public var firstKey: EntityKey?
    /// Only entities up to this one, or up to the last one that begins with these join keys. Nil for all.
    public var lastKey: EntityKey?

    public init(
        view: String, features: [String]? = nil, knownAt: Timestamp? = nil, from: Timestamp = .distantPast, to: Timestamp = .distantFuture,
        eventTimeColumn: String = "event_time", firstKey: EntityKey? = nil, lastKey: EntityKey? = nil
    ) {
        self.view = view
        self.features = features
        self.knownAt = knownAt
        self.from = from
        self.to = to
        self.eventTimeColumn = eventTimeColumn
        self.firstKey = firstKey
        self.lastKey = lastKey
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
    private let place: ScanPlace

    init(_ store: Store, _ request: ScanRequest) throws(WhenceError) {
        // The pin first: what the snapshot holds beyond it is left out by commit time.
        let knownAt = store.pin(request.knownAt)
        self.knownAt = knownAt
        let snapshot = store.database.makeSnapshot()
        let view = try store.view(request.view)
        if let knownAt = request.knownAt { try view.checkHorizon(knownAt: knownAt) }
        self.view = view
        self.request = request
        visibility = store.visibility(ReadPoint(knownAt: knownAt))
        let targets = try view.targets(request.features)
        projection = RowProjection(targets: targets, layouts: view.layouts)
        let names = request.features ?? view.stored.currentSchema.fields.map(\.name)
        columns =
            view.stored.entity.joinKeys.map { SpineColumn(name: $0.name, type: $0.type.columnType) }
            + [SpineColumn(name: request.eventTimeColumn, type: .timestamp)]
            + zip(names, targets).map { SpineColumn(name: $0, type: $1.type) }
        var seen: Set<String> = []
        for column in columns where !seen.insert(column.name).inserted {
            throw WhenceError(
                .invalidArgument, "two columns of the scan would be named '\(column.name)'", place: "view '\(request.view)'",
                hint: column.name == request.eventTimeColumn ? "name the column of event times otherwise" : "name each feature once")
        }
        place = ScanPlace(
            ScanCursor(
                store.database.makeCursor(view.family, at: snapshot, fillCache: false), first: request.firstKey, last: request.lastKey))
    }

    public mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        let batch = try next(maxRows: maxRows, versions: .max)
        return batch?.count == 0 ? nil : batch
    }

    /// The next rows, at most `maxRows`; nil at the end. At most `versions` of the view are looked at for them, so that the batch
    /// may have few rows or none, where most versions are not in the range of the scan.
    public mutating func next(maxRows: Int, versions: Int) throws(WhenceError) -> ColumnBatch? {
        // An error ends the scan: the cursor is not put back.
        guard var cursor = place.cursor.take() else { return nil }
        var keys = EntityColumns(view.stored.entity)
        let times = ColumnBuilder(.timestamp)
        let output = ProjectedColumns(projection, count: maxRows)
        var sink = DecodingSink(RowDecoder(projection, into: output))
        var row = 0
        var budget = versions
        var outcome = ScanCursor.Outcome.stopped
        while row < maxRows {
            outcome = try cursor.nextVersion(
                from: request.from, to: request.to, visibility, place: view.name, budget: &budget
            ) { entity, isNewEntity, eventTime, header, version, commit throws(WhenceError) in
                try keys.append(entity, isSame: !isNewEntity && row > 0)
                times.append(fixed: eventTime.microseconds)
                sink.begin(row)
                _ = try sink.take(version, header: header, eventTime: eventTime, commit: commit)
            }
            guard outcome == .found else { break }
            row += 1
        }
        place.cursor = consume cursor
        guard row > 0 || outcome != .atEnd else { return nil }
        let built = try keys.finish() + [times.finish()] + output.finish(rows: row)
        return ColumnBatch(names: columns.map(\.name), columns: built, count: row)
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
