import Foundation
import StoreFixtures
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// A store for one example: drivers and their trips, and a clock that stands where it is put.
final class Examples {
    static let yaml = """
        entities:
          - { name: driver, join_keys: [{ name: driver, type: int64 }] }
          - { name: city, join_keys: [{ name: country, type: string }, { name: city, type: string }] }
        views:
          - name: trips
            entity: driver
            features: [{ name: count, type: int64 }, { name: rating, type: float64 }, { name: note, type: string }]
          - name: position
            entity: driver
            ttl: 10m
            availability_delay: 1m
            features: [{ name: lat, type: float64 }, { name: lon, type: float64 }]
          - name: weather
            entity: city
            features: [{ name: temp, type: float32 }, { name: is_wet, type: bool }]
        services:
          - name: dispatch
            features:
              - { view: trips, select: [count, rating], prefix: "" }
              - { view: position, prefix: "" }
              - { view: weather, join_keys: { country: country, city: city }, select: [temp] }
        """

    private let scratch: ScratchDirectory
    let path: String
    let clock: SettableClock
    private var opened: Store?

    /// Noon of the day of the examples.
    static let noon = Timestamp(microseconds: 1_700_000_000_000_000)

    /// So many minutes after noon.
    static func minute(_ minutes: Int) -> Timestamp { noon.advanced(by: .seconds(60 * minutes)) }

    /// The clock begins at noon.
    init(_ change: (inout StoreOptions) -> Void = { _ in }, yaml: String = Examples.yaml) throws {
        scratch = try ScratchDirectory()
        path = scratch.path("store")
        clock = SettableClock(Examples.noon)
        var options = clock.options
        change(&options)
        let store = try Store(at: path, options: options)
        opened = store
        try store.define(yaml)
    }

    struct Closed: Error {}

    var store: Store {
        get throws {
            guard let opened else { throw Closed() }
            return opened
        }
    }

    /// Closes the store, and opens it again.
    func reopen() throws {
        let options = try store.options
        opened = nil
        opened = try Store(at: path, options: options)
    }

    func close() { opened = nil }

    static func key(_ id: Int64) throws -> EntityKey { try EntityKey([.int64(id)]) }

    /// Writes one row of `view` for driver `id`.
    @discardableResult func write(
        _ view: String = "trips", _ id: Int64 = 1, at minutes: Int, availableAt: Timestamp? = nil, _ values: [String: Value]
    ) throws -> Commit {
        let batch = try store.batch(view)
        try batch.append(try Examples.key(id), at: Examples.minute(minutes), availableAt: availableAt, values)
        return try store.write(batch)
    }

    /// Backfills `trips` with what `fill` appends.
    @discardableResult func backfill(_ fill: (RowBatch) throws -> Void) throws -> Commit {
        let backfill = try store.backfill("trips")
        try fill(try backfill.rows())
        return try backfill.publish()
    }

    /// What a join gives for a feature of driver `id`.
    func value(
        _ feature: String = "trips.count", _ id: Int64 = 1, at minutes: Int, knownAt: Timestamp? = nil, asServed: Bool = false
    ) throws -> Value {
        try store.value(feature, "driver", id, at: Examples.minute(minutes), knownAt: knownAt, asServed: asServed)
    }

    /// What an online read gives.
    func latest(_ features: String..., of id: Int64 = 1) throws -> [Value] { try store.latest(features, "driver", id) }
}
