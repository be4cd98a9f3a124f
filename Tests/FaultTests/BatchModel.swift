import StoreFixtures
import WhenceCore

/// Section 3 of the design, read off the batches that are in a store.
struct BatchModel {
    private struct Version {
        let eventTime: Timestamp
        let commit: Timestamp
        let values: [String: Value]?
    }

    private struct Place: Hashable {
        let view: String
        let entity: Int64
    }

    /// For each entity of each view, the newest first.
    private var versions: [Place: [Version]] = [:]

    init(_ batches: [BatchID: Timestamp], _ workload: KillWorkload) {
        for (id, commit) in batches {
            for row in workload.rows(id) {
                versions[Place(view: row.view, entity: row.entity), default: []].append(
                    Version(eventTime: row.eventTime, commit: commit, values: row.values))
            }
        }
        for place in versions.keys { versions[place]?.sort { ($0.eventTime, $0.commit) > ($1.eventTime, $1.commit) } }
    }

    /// The value of `feature` (`VIEW.NAME`) at T, from what was committed at or before `knownAt`.
    func value(_ feature: String, _ entity: Int64, at T: Timestamp, knownAt: Timestamp) -> Value {
        let parts = feature.split(separator: ".").map(String.init)
        // Only the newest known version of an event time ends the reads of a feature by being a deletion.
        for version in versions[Place(view: parts[0], entity: entity)] ?? [] where version.eventTime <= T && version.commit <= knownAt {
            guard let values = version.values else { return .null }
            if let value = values[parts[1]] { return value }
        }
        return .null
    }
}
