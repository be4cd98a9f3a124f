import Foundation
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// The made-up history that benchmarks run on: `entities` x `versions` rows of eight doubles with 10,000 distinct values.
/// Every value follows from its place alone, so that `peers/data.py` makes the same rows.
public struct History: Sendable {
    public var entities: Int
    public var versions: Int
    public static let features = 8
    /// 2024-01-01T00:00:00Z.
    public static let start: Int64 = 1_704_067_200_000_000
    /// An hour between the versions of an entity.
    public static let step: Int64 = 3_600_000_000

    public init(entities: Int = 100_000, versions: Int = 50) {
        self.entities = entities
        self.versions = versions
    }

    public var rows: Int { entities * versions }

    /// SplitMix64's finalizer (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
    @inline(__always) public static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// When version `version` of `entity` happened: one a step, at a place within it that differs from entity to entity.
    @inline(__always) public static func eventTime(_ entity: Int, _ version: Int) -> Timestamp {
        Timestamp(microseconds: start + Int64(version) * step + Int64(mix(UInt64(entity)) % 3_600_000) * 1000)
    }

    @inline(__always) public static func value(_ entity: Int, _ version: Int, _ feature: Int) -> Double {
        Double(mix(UInt64(entity) << 24 | UInt64(version) << 4 | UInt64(feature)) % 10_000) / 100
    }

    public static let definitions = Definitions(
        entities: [Entity(name: "user", joinKeys: [JoinKey(name: "user_id", type: .int64)])],
        views: [
            FeatureView(
                name: "activity", entity: "user",
                features: (0..<features).map { Feature(name: "f\($0)", type: .float64) }, eventTime: TimeColumn(column: "event_time"))
        ],
        services: [FeatureService(name: "all", selections: [FeatureSelection(view: "activity", prefix: "")])])

    /// Appends one row of the history.
    @inline(__always) public static func append(_ entity: Int, _ version: Int, to batch: RowBatch, _ key: inout [UInt8]) throws(WhenceError)
    {
        key.removeAll(keepingCapacity: true)
        EntityKey.append(Int64(entity), to: &key)
        try batch.append(encoded: key.span.bytes, at: eventTime(entity, version)) { encoder in
            for feature in 0..<features { encoder.set(feature, fixed: value(entity, version, feature)) }
        }
    }

    /// Loads the whole history with one backfill; rows come by time, as they would from a log.
    public func backfill(_ store: Store) throws(WhenceError) {
        let backfill = try store.backfill("activity")
        var key: [UInt8] = []
        for version in 0..<versions {
            for entity in 0..<entities { try History.append(entity, version, to: try backfill.rows(), &key) }
        }
        _ = try backfill.publish()
    }

    /// `rows` rows of a spine, from row `first` on: entities and instants at random, from before the first version to after the last.
    /// `among`: how many of the entities it has, spread over all of them; nil for all.
    public func spine(first: Int = 0, rows: Int, seed: UInt64 = 7, among: Int? = nil) throws(WhenceError) -> ColumnBatch {
        let among = min(among ?? entities, entities)
        let users = ColumnBuilder(.int64)
        let times = ColumnBuilder(.timestamp)
        for row in first..<(first + rows) {
            let a = History.mix(seed << 40 | UInt64(row) << 1)
            let b = History.mix(seed << 40 | UInt64(row) << 1 | 1)
            users.append(fixed: Int64(a % UInt64(among)) * Int64(entities / among))
            times.append(
                fixed: History.start + Int64(b % UInt64((versions + 1))) * History.step + Int64(b >> 32 & 0xFFFF_FFFF) % History.step)
        }
        return ColumnBatch(names: ["user_id", "event_time"], columns: [try users.finish(), try times.finish()], count: rows)
    }

    /// The same rows as `spine`, sorted by entity and time.
    public func sortedSpine(rows: Int) throws(WhenceError) -> ColumnBatch {
        let random = try spine(rows: rows)
        let order = (0..<rows).map { row in
            (user: random.columns[0].load(row, as: Int64.self), time: random.columns[1].load(row, as: Int64.self))
        }.sorted { $0 < $1 }
        let users = ColumnBuilder(.int64)
        let times = ColumnBuilder(.timestamp)
        for (user, time) in order {
            users.append(fixed: user)
            times.append(fixed: time)
        }
        return ColumnBatch(names: random.names, columns: [try users.finish(), try times.finish()], count: rows)
    }

    /// Opens the store at `path` with the definitions applied.
    public static func open(_ path: String, _ options: StoreOptions = StoreOptions()) throws(WhenceError) -> Store {
        let store = try Store(at: path, options: options)
        let plan = try store.plan(definitions)
        if !plan.isEmpty { try store.apply(plan) }
        return store
    }
}
