import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Versions from the rows in which a server tells a history.
enum HistoryRows {
    /// Columns before those of the features.
    private static let columns = ["kind", "event_time", "commit_time", "availability_time", "carries"]

    /// The first `limit` versions.
    static func read(_ rows: RemoteRows, of view: StoredView, limit: Int) throws(WhenceError) -> [Version] {
        var versions: [Version] = []
        while versions.count < limit, let batch = try rows.next() {
            for row in 0..<min(batch.count, limit - versions.count) { versions.append(try version(batch, row, view)) }
        }
        return versions
    }

    private static func version(_ batch: ColumnBatch, _ row: Int, _ view: StoredView) throws(WhenceError) -> Version {
        guard batch.names.starts(with: columns), case .string(let kind) = batch.columns[0].value(row),
            case .timestamp(let event) = batch.columns[1].value(row), case .timestamp(let commit) = batch.columns[2].value(row),
            case .timestamp(let availability) = batch.columns[3].value(row), case .list(let carried) = batch.columns[4].value(row),
            let kind = VersionKind.allCases.first(where: { "\($0)" == kind })
        else { throw WhenceError(.protocolViolation, "the server tells a history in other columns", hint: "is it of a later version?") }
        var values: [(field: UInt32, name: String, value: Value)] = []
        for index in columns.count..<batch.columns.count where carried.contains(.string(batch.names[index])) {
            let column = batch.names[index]
            let name = column.hasPrefix(view.definition.name + ".") ? String(column.dropFirst(view.definition.name.count + 1)) : column
            // A feature that has been added since the verb began has no id here yet, and none that another one has.
            let field = view.currentSchema.fields.first { $0.name == name }?.id ?? .max - UInt32(index)
            values.append((field, name, batch.columns[index].value(row)))
        }
        return Version(kind: kind, eventTime: event, commitTime: commit, availabilityTime: availability, values: values)
    }
}
