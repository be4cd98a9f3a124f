import WhenceCatalog
import WhenceCore
import WhenceEngine

extension Store {
    /// Applies definitions that are written in YAML.
    public func define(_ yaml: String) throws(WhenceError) {
        let plan = try plan(try Definitions.parse(yaml: yaml, file: "definitions.yaml"))
        try apply(plan)
    }

    /// An empty batch for `view`.
    public func batch(_ view: String) throws(WhenceError) -> RowBatch { RowBatch(try catalog.view(named: view)) }

    /// One spine of `keys` (the join columns' values, row by row) at `times`.
    public static func spine(_ keys: [(name: String, values: [Value])], types: [FeatureType], at times: [Timestamp]) throws(WhenceError)
        -> RowsSpine
    {
        var columns: [Column] = []
        for (key, type) in zip(keys, types) { columns.append(try Store.column(type, key.values)) }
        columns.append(try Store.column(.timestamp, times.map { .timestamp($0) }))
        return RowsSpine([ColumnBatch(names: keys.map(\.name) + ["event_time"], columns: columns, count: times.count)])
    }

    /// A column of `values`.
    public static func column(_ type: FeatureType, _ values: [Value]) throws(WhenceError) -> Column {
        let builder = ColumnBuilder(type)
        for value in values {
            if value == .null { builder.appendNull() } else { try builder.append(value) }
        }
        return try builder.finish()
    }

    /// What a join gives for `features` (`VIEW.FEATURE`) of one entity with the one integer join key `name`, at `T`.
    public func values(
        _ features: [String], _ name: String, _ id: Int64, at T: Timestamp, knownAt: Timestamp? = nil, asServed: Bool = false
    ) throws(WhenceError) -> [Value] {
        let request = JoinRequest(service: try catalog.resolve(features: features), knownAt: knownAt, asServed: asServed)
        var join = try join(request, spine: try Store.spine([(name, [.int64(id)])], types: [.int64], at: [T]))
        guard let batch = try join.next() else { return [] }
        return batch.columns.suffix(features.count).map { $0.value(0) }
    }

    /// The same for one feature.
    public func value(
        _ feature: String, _ name: String, _ id: Int64, at T: Timestamp, knownAt: Timestamp? = nil, asServed: Bool = false
    ) throws(WhenceError) -> Value {
        try values([feature], name, id, at: T, knownAt: knownAt, asServed: asServed).first ?? .null
    }

    /// What an online read gives for `features` of one entity with the one integer join key `name`.
    public func latest(_ features: [String], _ name: String, _ id: Int64) throws(WhenceError) -> [Value] {
        let reader = try onlineReader(try catalog.resolve(features: features))
        let request = ColumnBatch(names: [name], columns: [try Store.column(.int64, [.int64(id)])], count: 1)
        return try reader.read(request).columns.map { $0.value(0) }
    }
}
