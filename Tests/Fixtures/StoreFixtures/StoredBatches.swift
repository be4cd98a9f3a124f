import WhenceCore
import WhenceEngine

/// The batches that a store holds, put together again from the versions of every entity.
public struct StoredBatches {
    typealias Row = KillWorkload.Row

    /// What a store holds that it must not.
    public struct Fault: Error, CustomStringConvertible {
        public let description: String
        init(_ text: String) { description = text }
    }

    /// The commit time of each.
    public private(set) var commits: [BatchID: Timestamp] = [:]

    /// Throws where a batch is there in part, twice, or with other rows than were written.
    ///
    /// Retention removes rows of `aged`, so that view is left out here.
    public init(_ store: Store, _ workload: KillWorkload) throws {
        var rows: [Timestamp: Set<Row>] = [:]
        for view in ["numbers", "texts"] {
            for entity in KillWorkload.entities {
                for version in try store.history(view, try EntityKey([.int64(entity)])) {
                    let values =
                        version.kind == .deletion ? nil : Dictionary(uniqueKeysWithValues: version.values.map { ($0.name, $0.value) })
                    let row = Row(view: view, entity: entity, eventTime: version.eventTime, values: values)
                    guard rows[version.commitTime, default: []].insert(row).inserted else {
                        throw Fault("\(view): a version is there twice: \(row)")
                    }
                }
            }
        }
        for (commit, found) in rows {
            let codes = Set(
                found.compactMap { row -> Int64? in
                    if case .int64(let code)? = row.values?["batch"] { code } else { nil }
                })
            guard codes.count == 1, let code = codes.first else {
                throw Fault("the commit \(commit.microseconds) has rows of batches \(codes)")
            }
            let id = BatchID(code: code)
            let expected = Set(workload.rows(id).filter { $0.view != "aged" })
            guard found == expected else {
                throw Fault(
                    "batch \(id) is there in part: \(found.intersection(expected).count) of \(expected.count) rows, "
                        + "and \(found.subtracting(expected).count) that it does not have")
            }
            if let other = commits.updateValue(commit, forKey: id) {
                throw Fault("batch \(id) is there twice, at \(other.microseconds) and \(commit.microseconds)")
            }
        }
    }
}
