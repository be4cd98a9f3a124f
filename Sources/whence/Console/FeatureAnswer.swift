import WhenceCatalog
import WhenceCore
import WhenceServer

/// The features of some entities, as a person or a program reads them.
struct FeatureAnswer {
    private struct Feature {
        let name: String
        let value: Value
    }

    /// What an online read tells of a view beside its values: the event time of the newest version that gave one of them. Others may be of
    /// older versions.
    private struct View {
        let name: String
        let joinColumns: [String]
        /// Nil where nothing was found.
        let eventTime: Timestamp?
    }

    private let title: String
    private let point: [(String, JSON)]
    private let keys: [JoinKey]
    private let entities: [[KeyValue]]
    /// For each entity its features in the service's order.
    private let features: [[Feature]]
    /// For each entity of an online read the views that were read, in the service's order; empty for other reads.
    private let views: [[View]]
    /// The present of an online read.
    private let now: Timestamp?

    /// What an online read says: for each selection its features, then a column of event times.
    init(service: ResolvedService, keys: [JoinKey], entities: [[KeyValue]], online: ColumnBatch, now: Timestamp) {
        self.keys = keys
        self.entities = entities
        self.now = now
        title = "now, \(now)"
        point = [("as_of", JSON(now)), ("as_served", .bool(true))]
        var features: [[Feature]] = []
        var views: [[View]] = []
        for row in entities.indices {
            var at = 0
            var (all, read): ([Feature], [View]) = ([], [])
            for selection in service.selections {
                let times = online.columns[at + selection.features.count]
                let time = times.isValid(row) ? Timestamp(microseconds: times.load(row, as: Int64.self)) : nil
                read.append(View(name: selection.view.definition.name, joinColumns: selection.joinColumns, eventTime: time))
                for (offset, feature) in selection.features.enumerated() {
                    all.append(Feature(name: feature.name, value: online.columns[at + offset].value(row)))
                }
                at += selection.features.count + 1
            }
            features.append(all)
            views.append(read)
        }
        (self.features, self.views) = (features, views)
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
        views = []
        let names = service.outputNames
        features = entities.indices.map { row in
            names.enumerated().map { index, name in
                Feature(name: name, value: joined.columns[keys.count + 1 + index].value(row))
            }
        }
    }

    /// A block for each entity.
    var text: String {
        var blocks: [String] = []
        for (row, entity) in entities.enumerated() {
            let named = zip(keys, entity).map { "\($0.name)=\($1)" }.joined(separator: ", ")
            var table = TextTable(["feature", "value"])
            for feature in features[row] { table.append([feature.name, feature.value == .null ? "–" : feature.value.cell]) }
            var block = "\(named)  (\(title))\n\(table.text)"
            if let now {
                var table = TextTable(["view", "newest version read", "age"])
                for view in views[row] {
                    table.append([
                        "\(view.name) (\(view.joinColumns.joined(separator: ", ")))", view.eventTime.map(\.description) ?? "–",
                        view.eventTime.map { now.since($0).ageText } ?? "–",
                    ])
                }
                block += "\n" + table.text
            }
            blocks.append(block)
        }
        return blocks.joined(separator: "\n")
    }

    /// A line for each entity.
    var jsonLines: String {
        entities.enumerated().map { row, entity in
            var members: [(String, JSON)] = [("entity", .object(zip(keys, entity).map { ($0.name, JSON($1.value)) }))]
            members.append(("features", .object(features[row].map { ($0.name, JSON($0.value)) })))
            if now != nil {
                let read = views[row].map { view in
                    JSON.object([
                        ("view", .string(view.name)), ("join_columns", .array(view.joinColumns.map { .string($0) })),
                        ("event_time", JSON(view.eventTime)),
                    ])
                }
                members.append(("views", .array(read)))
            }
            return JSON.object(members + point).text
        }.joined(separator: "\n")
    }
}
