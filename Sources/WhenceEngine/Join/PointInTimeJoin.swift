import RocksDB
import WhenceCatalog
import WhenceCore

/// What a point-in-time join is to do.
public struct JoinRequest: Sendable {
    public var service: ResolvedService
    /// The spine's column that says at which instant each row is evaluated.
    public var eventTimeColumn: String
    /// Pins what is known; nil for all that is committed when the join begins.
    public var knownAt: Timestamp?
    /// Leave out, row by row, what serving could not have seen yet.
    public var asServed: Bool
    /// Memory for one block: its spine rows, keys and features. A longer spine is joined block by block.
    public var memoryBytes: Int
    /// Threads to use; nil for the store's number.
    public var threads: Int?

    public init(
        service: ResolvedService, eventTimeColumn: String = "event_time", knownAt: Timestamp? = nil, asServed: Bool = false,
        memoryBytes: Int = 256 << 20, threads: Int? = nil
    ) {
        self.service = service
        self.eventTimeColumn = eventTimeColumn
        self.knownAt = knownAt
        self.asServed = asServed
        self.memoryBytes = memoryBytes
        self.threads = threads
    }
}

/// A point-in-time join (design, section 3): for every row of a spine, in the spine's order, its own columns and the
/// features of a service as they were known at the row's event time. Every spine row comes back exactly once.
///
/// The spine is taken in blocks as large as the stated memory allows. A block's keys are sorted as the store is, cut into pieces at
/// entity boundaries, and walked by several threads, each row's values landing in the spine's order. All blocks read the same snapshot.
public struct PointInTimeJoin<Source: Spine> {
    /// The columns of every batch: the spine's, then the service's.
    public let columns: [SpineColumn]
    /// What this join knows; give it as `knownAt` to get the same answer again.
    public let knownAt: Timestamp
    private let request: JoinRequest
    private let store: Store
    private var spine: Source
    private let snapshot: Snapshot
    private let visibility: Visibility
    private let selections: [Selection]
    /// The selections' distinct join columns; those that share them share keys and order.
    private let keyGroups: [KeyGroup]
    private let blockRows: Int
    private let threads: Int
    private var rowsSoFar = 0

    struct Selection: Sendable {
        let view: OpenView
        let projection: RowProjection
        let group: Int
        let names: [String]
    }

    struct KeyGroup: Sendable, Equatable {
        let columns: [String]
        let types: [KeyType]
    }

    init(_ store: Store, _ request: JoinRequest, _ spine: Source) throws(WhenceError) {
        self.store = store
        self.request = request
        self.spine = spine
        // The pin first: what the snapshot holds beyond it is left out by commit time.
        knownAt = store.pin(request.knownAt)
        snapshot = store.database.makeSnapshot()
        visibility = store.visibility(ReadPoint(knownAt: knownAt, asServed: request.asServed))
        threads = max(1, request.threads ?? store.options.threads)
        var selections: [Selection] = []
        var groups: [KeyGroup] = []
        for selection in request.service.selections {
            let view = try store.view(selection.view.definition.name)
            try view.checkHorizon(knownAt: knownAt)
            let group = KeyGroup(columns: selection.joinColumns, types: selection.view.entity.joinKeys.map(\.type))
            if !groups.contains(group) { groups.append(group) }
            selections.append(
                Selection(
                    view: view,
                    projection: RowProjection(
                        targets: view.targets(selection.features.map { ($0.featureID, $0.type) }), layouts: view.layouts),
                    group: groups.firstIndex(of: group) ?? 0, names: selection.features.map(\.name)))
        }
        self.selections = selections
        keyGroups = groups
        let features = selections.flatMap { selection in
            zip(selection.names, selection.projection.targets).map { SpineColumn(name: $0, type: $1.type) }
        }
        columns = spine.columns + features
        try PointInTimeJoin.check(columns, spine.columns, request, groups)
        // For each row: its columns' slots with a mark each, staged values, and for each group a sort key twice and the key itself.
        let rowBytes = columns.reduce(0) { $0 + 2 * ($1.type.width ?? 48) + 1 } + groups.count * 64
        blockRows = max(1024, request.memoryBytes / rowBytes)
    }

    private static func check(
        _ columns: [SpineColumn], _ spine: [SpineColumn], _ request: JoinRequest, _ groups: [KeyGroup]
    ) throws(WhenceError) {
        let names = spine.map(\.name)
        for column in groups.flatMap(\.columns) + [request.eventTimeColumn] where !names.contains(column) {
            throw WhenceError(
                .invalidArgument, "the spine has no column '\(column)'", place: "spine",
                hint: "its columns are \(names.joined(separator: ", "))")
        }
        var seen: Set<String> = []
        for column in columns where !seen.insert(column.name).inserted {
            throw WhenceError(
                .invalidArgument, "two columns of the result would be named '\(column.name)'", place: "spine",
                hint: "rename the spine's column, or give the service's selection a prefix")
        }
    }

    /// The next block of rows, in the spine's order; nil at the end.
    public mutating func next() throws(WhenceError) -> ColumnBatch? {
        guard let block = try spine.next(maxRows: blockRows) else { return nil }
        let result = try join(block)
        rowsSoFar += block.count
        return result
    }

    private func join(_ block: ColumnBatch) throws(WhenceError) -> ColumnBatch {
        let times = try eventTimes(block)
        let outputs = selections.map { ProjectedColumns($0.projection, count: block.count, inRandomOrder: true) }
        for (index, group) in keyGroups.enumerated() {
            let keys = try SortedKeys(block, group.columns, group.types, times, threads: threads)
            let members = selections.indices.filter { selections[$0].group == index }
            try inParallel(keys.pieceCount, threads: threads) { piece throws(WhenceError) in
                let order = keys.sorted(piece)
                for member in members {
                    let selection = selections[member]
                    var reader = ViewReader(
                        selection.view, visibility, cursor: store.database.makeCursor(selection.view.family, at: snapshot),
                        decoder: RowDecoder(selection.projection, into: outputs[member]))
                    try keys.forEach(order) { row, entity, T throws(WhenceError) in
                        try reader.read(row, entity, at: T, ascending: true)
                    }
                }
            }
        }
        let stretch = max(16_384, (block.count + threads - 1) / threads)
        try inParallel((block.count + stretch - 1) / stretch, threads: threads) { index throws(WhenceError) in
            for output in outputs { output.unstage((index * stretch)..<min((index + 1) * stretch, block.count)) }
        }
        var columns = block.columns
        var names = block.names
        for (selection, output) in zip(selections, outputs) {
            names += selection.names
            columns += try output.finish()
        }
        return ColumnBatch(names: names, columns: columns, count: block.count)
    }

    /// The event time of every row; each must have one, in range.
    private func eventTimes(_ block: ColumnBatch) throws(WhenceError) -> Column {
        guard let column = block.column(named: request.eventTimeColumn), column.type == .timestamp else {
            throw WhenceError(
                .invalidTime, "the spine's event times must be timestamps", place: "column '\(request.eventTimeColumn)'",
                hint: "name the column that holds them")
        }
        for row in 0..<block.count {
            guard column.isValid(row), Timestamp(microseconds: column.load(row, as: Int64.self)).isInRange else {
                throw WhenceError(
                    .invalidTime, "the event time is missing or out of range",
                    place: "spine row \(rowsSoFar + row + 1), column '\(request.eventTimeColumn)'",
                    hint: "times run from 0001-01-01 to 9999-12-31")
            }
        }
        return column
    }
}

extension Store {
    /// Joins the features of a service to `spine`; see `PointInTimeJoin`.
    public func join<Source: Spine>(_ request: JoinRequest, spine: Source) throws(WhenceError) -> PointInTimeJoin<Source> {
        try PointInTimeJoin(self, request, spine)
    }
}
