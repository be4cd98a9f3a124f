import WhenceCore
import WhenceEngine

/// Versions from the rows in which a server tells a history.
enum HistoryRows {
    /// The first `limit` versions.
    static func read(_ rows: RemoteRows, limit: Int) throws(WhenceError) -> [Version] {
        var versions: [Version] = []
        while versions.count < limit, let batch = try rows.next() {
            for row in 0..<min(batch.count, limit - versions.count) { versions.append(try version(batch, row)) }
        }
        return versions
    }

    private static func version(_ batch: ColumnBatch, _ row: Int) throws(WhenceError) -> Version {
        func value(_ name: String) -> Value { batch.column(named: name)?.value(row) ?? .null }
        guard case .string(let kind) = value("kind"), case .timestamp(let event) = value("event_time"),
            case .timestamp(let commit) = value("commit_time"), case .timestamp(let availability) = value("availability_time"),
            let kind = VersionKind.allCases.first(where: { "\($0)" == kind })
        else { throw WhenceError(.protocolViolation, "the server tells a history in other columns", hint: "is it of a later version?") }
        var values: [(name: String, value: Value)] = []
        if case .list(let carried) = value("carries") {
            for case .string(let name) in carried { values.append((name, value(name))) }
        }
        return Version(kind: kind, eventTime: event, commitTime: commit, availabilityTime: availability, values: values)
    }
}
