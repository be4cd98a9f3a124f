import WhenceCatalog
import WhenceCore
import WhenceServer

/// The features of some entities, as a person or a program reads them.
struct FeatureAnswer {
    private struct Feature {
        let name: String
        let value: Value
        /// Known from an online read only; nil there where nothing was found.
        let eventTime: Timestamp?
    }

    private let title: String
    private let point: [(String, JSON)]
    private let keys: [JoinKey]
    private let entities: [[KeyValue]]
    /// For each entity its features in the service's order.
    private let features: [[Feature]]
    /// The present of an online read, which knows event times.
    private let now: Timestamp?

    /// What an online read says: for each selection its features, then a column of event times.
    init(service: ResolvedService, keys: [JoinKey], entities: [[KeyValue]], online: ColumnBatch, now: Timestamp) {
        self.keys = keys
        self.entities = entities
        self.now = now
        title = "now, \(now)"
        point = [("as_of", JSON(now)), ("as_served", .bool(true))]
        features = entities.indices.map { row in
            var at = 0
            var all: [Feature] = []
            for selection in service.selections {
                let times = online.columns[at + selection.features.count]
                let time = times.isValid(row) ? Timestamp(microseconds: times.load(row, as: Int64.self)) : nil
                for (offset, feature) in selection.features.enumerated() {
                    all.append(Feature(name: feature.name, value: online.columns[at + offset].value(row), eventTime: time))
                }
                at += selection.features.count + 1
            }
            return all
        }
    }

    /// What a join says for rows of join keys and a time: those columns, then the features.
    init(
        service: ResolvedService, keys: [JoinKey], entities: [[KeyValue]], joined: ColumnBatch, asOf: Timestamp, knownAt: Timestamp,
        asServed: Bool
    ) {
        self.keys = keys
        self.entities = entities
        now = nil
        title = "as of \(asOf), known at \(knownAt)" + (asServed ? ", as served" : "")
        point = [("as_of", JSON(asOf)), ("known_at", JSON(knownAt)), ("as_served", .bool(asServed))]
        let names = service.outputNames
        features = entities.indices.map { row in
            names.enumerated().map { index, name in
                Feature(name: name, value: joined.columns[keys.count + 1 + index].value(row), eventTime: nil)
            }
        }
    }

    /// A block for each entity.
    var text: String {
        var blocks: [String] = []
        for (entity, features) in zip(entities, features) {
            let named = zip(keys, entity).map { "\($0.name)=\($1)" }.joined(separator: ", ")
            var table = TextTable(now == nil ? ["feature", "value"] : ["feature", "value", "event time", "age"])
            for feature in features {
                let value = feature.value == .null ? "–" : feature.value.cell
                guard let now else {
                    table.append([feature.name, value])
                    continue
                }
                let time = feature.eventTime
                table.append([feature.name, value, time.map(\.description) ?? "–", time.map { now.since($0).ageText } ?? "–"])
            }
            blocks.append("\(named)  (\(title))\n\(table.text)")
        }
        return blocks.joined(separator: "\n")
    }

    /// A line for each entity.
    var jsonLines: String {
        zip(entities, features).map { entity, features in
            var members: [(String, JSON)] = [("entity", .object(zip(keys, entity).map { ($0.name, JSON($1.value)) }))]
            members.append(("features", .object(features.map { ($0.name, JSON($0.value)) })))
            if now != nil { members.append(("event_times", .object(features.map { ($0.name, JSON($0.eventTime)) }))) }
            return JSON.object(members + point).text
        }.joined(separator: "\n")
    }
}
