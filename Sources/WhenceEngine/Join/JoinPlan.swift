import RocksDB
import WhenceCatalog
import WhenceCore

/// All of a join but its spine: what is read, as of which state, and how much at a time. Found out once, when the join begins.
struct JoinPlan: Sendable {
    struct Selection: Sendable {
        let view: OpenView
        let projection: RowProjection
        let group: Int
        let names: [String]
        /// Images of the view's files, where that pays.
        var images: ViewImages?
    }

    /// Join columns that one or more selections share, and with them keys and order.
    struct KeyGroup: Sendable, Equatable {
        let columns: [String]
        let types: [KeyType]
    }

    let store: Store
    let snapshot: Snapshot
    let visibility: Visibility
    private(set) var selections: [Selection]
    let groups: [KeyGroup]
    /// The columns of the spine, which every batch of it has.
    let spineColumns: [SpineColumn]
    let eventTimeColumn: String
    let check: (@Sendable (_ spilledBytes: Int) throws(WhenceError) -> Void)?
    let threads: Int
    let memoryBytes: Int
    /// Memory that a row of a block takes.
    let rowBytes: Int
    /// Rows that one block may have.
    let blockRows: Int

    init(_ store: Store, _ request: JoinRequest, spine: [SpineColumn]) throws(WhenceError) {
        self.store = store
        // The pin first: what the snapshot holds beyond it is left out by commit time.
        let knownAt = store.pin(request.knownAt)
        snapshot = store.database.makeSnapshot()
        visibility = store.visibility(ReadPoint(knownAt: knownAt, asServed: request.asServed))
        threads = max(1, request.threads ?? store.options.threads)
        spineColumns = spine
        eventTimeColumn = request.eventTimeColumn
        check = request.check
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
        self.groups = groups
        memoryBytes = request.memoryBytes
        // For each row: its columns' slots with a mark each, staged values, and for each group a sort key twice and the key itself.
        rowBytes =
            JoinPlan.bytes(spine) + JoinPlan.bytes(selections.flatMap(JoinPlan.features)) + groups.count * 64
        blockRows = max(16, request.memoryBytes / max(1, rowBytes))
        try checkColumns()
    }

    private static func features(_ selection: Selection) -> [SpineColumn] {
        zip(selection.names, selection.projection.targets).map { SpineColumn(name: $0, type: $1.type) }
    }

    private static func bytes(_ columns: [SpineColumn]) -> Int { columns.reduce(0) { $0 + 2 * ($1.type.width ?? 48) + 1 } }

    /// The columns of the answer: the spine's, then the service's.
    var columns: [SpineColumn] { spineColumns + selections.flatMap(JoinPlan.features) }

    /// Memory that a row takes of the spine alone, and of everything else.
    var spineRowBytes: Int { JoinPlan.bytes(spineColumns) }

    /// The selections whose keys are those of `group`.
    func members(of group: Int) -> [Int] { selections.indices.filter { selections[$0].group == group } }

    private func checkColumns() throws(WhenceError) {
        let names = spineColumns.map(\.name)
        for column in groups.flatMap(\.columns) + [eventTimeColumn] where !names.contains(column) {
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

    /// The event time of every row of a block; each must have one, in range. `rowsBefore` rows of the spine came before it.
    func eventTimes(_ block: ColumnBatch, rowsBefore: Int) throws(WhenceError) -> Column {
        guard let column = block.column(named: eventTimeColumn), column.type == .timestamp else {
            throw WhenceError(
                .invalidTime, "the spine's event times must be timestamps", place: "column '\(eventTimeColumn)'",
                hint: "name the column that holds them")
        }
        let buffer = column.values
        let instants = buffer.span
        precondition(instants.byteCount >= block.count * 8)
        for row in 0..<block.count {
            let T = Timestamp(microseconds: unsafe instants.unsafeLoadUnaligned(fromUncheckedByteOffset: row &* 8, as: Int64.self))
            guard T.isInRange, column.nullCount == 0 || column.isValid(row) else {
                throw WhenceError(
                    .invalidTime, "the event time is missing or out of range",
                    place: "spine row \(rowsBefore + row + 1), column '\(eventTimeColumn)'",
                    hint: "times run from 0001-01-01 to 9999-12-31")
            }
        }
        return column
    }

    /// The columns of `block` that hold the join keys of `group`.
    func keyColumns(_ block: ColumnBatch, _ group: KeyGroup) throws(WhenceError) -> [Column] {
        try KeyTable.columns(of: block, group.columns, group.types) { name in
            WhenceError(.invalidArgument, "the spine has no column '\(name)'", place: "spine")
        }
    }

    /// Finds out whether images of files serve this join, of which `rows` rows are looked up first. Called once, before any reader is made.
    mutating func useImages(rows: Int) throws(WhenceError) {
        for index in selections.indices {
            selections[index].images = try store.history.images(
                selections[index].view, store.database, at: snapshot, lookups: rows, threads: threads)
        }
    }

    /// A reader of a selection's view, which writes into `output`.
    func reader(_ selection: Selection, into output: ProjectedColumns) -> ViewReader {
        ViewReader(
            selection.view, visibility, cursor: store.database.makeCursor(selection.view.family, at: snapshot),
            images: selection.images?.makeSearch(),
            decoder: RowDecoder(selection.projection, into: output))
    }

    /// Columns for the features of `count` rows, a set for each selection.
    func outputs(_ count: Int) -> [ProjectedColumns] {
        selections.map { ProjectedColumns($0.projection, count: count, inRandomOrder: true) }
    }

    /// A block with the features of its rows, which are all there.
    func assemble(_ block: ColumnBatch, _ outputs: [ProjectedColumns]) throws(WhenceError) -> ColumnBatch {
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
}
