import RandomFixtures
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// The point-in-time join: every spine row comes back once, in the spine's order, with what was known at its own instant.
@Suite("Joins") struct JoinTests {
    private let it: Examples

    init() throws {
        it = try Examples()
        let trips = try it.store.batch("trips")
        let position = try it.store.batch("position")
        for id in 1...3 as ClosedRange<Int64> {
            for minutes in [-60, -30, -5] {
                try trips.append(try Examples.key(id), at: Examples.minute(minutes), ["count": .int64(id * 100 - Int64(minutes))])
            }
            try position.append(try Examples.key(id), at: Examples.minute(-5), ["lat": .float64(Double(id))])
        }
        let weather = try it.store.batch("weather")
        for (country, city, temp) in [("DE", "Berlin", 10), ("US", "Berlin", 20), ("US", "Boston", 30)] as [(String, String, Float)] {
            try weather.append(
                try EntityKey([.string(country), .string(city)]), at: Examples.minute(-45),
                ["temp": .float32(temp), "is_wet": .bool(temp == 10)])
        }
        try it.store.write([trips, position, weather])
    }

    private struct Row {
        var driver: Int64?
        var country: String?
        var city: String?
        var minutes: Int
    }

    private func spine(_ rows: [Row]) throws -> RowsSpine {
        RowsSpine([try batch(rows)])
    }

    private func batch(_ rows: [Row], label: Int = 0) throws -> ColumnBatch {
        ColumnBatch(
            names: ["label", "city", "event_time", "driver", "country"],
            columns: [
                try Store.column(.string, rows.indices.map { .string("row \($0 + label)") }),
                try Store.column(.string, rows.map { $0.city.map { .string($0) } ?? .null }),
                try Store.column(.timestamp, rows.map { .timestamp(Examples.minute($0.minutes)) }),
                try Store.column(.int64, rows.map { $0.driver.map { .int64($0) } ?? .null }),
                try Store.column(.string, rows.map { $0.country.map { .string($0) } ?? .null }),
            ], count: rows.count)
    }

    /// The rows of a result, feature columns only.
    private func features(_ batch: ColumnBatch) -> [[Value]] {
        (0..<batch.count).map { row in batch.columns.dropFirst(5).map { $0.value(row) } }
    }

    @Test("several views and entities in one pass; null keys, unknown entities, repeated rows") func several() throws {
        let service = try it.store.catalog.resolve(service: "dispatch")
        let rows = [
            Row(driver: 3, country: "US", city: "Boston", minutes: 0),
            Row(driver: 1, country: "DE", city: "Berlin", minutes: -31),
            Row(driver: nil, country: "US", city: "Berlin", minutes: 0),
            Row(driver: 1, country: nil, city: "Berlin", minutes: -5),
            Row(driver: 77, country: "FR", city: "Paris", minutes: 0),
            Row(driver: 1, country: "DE", city: "Berlin", minutes: -31),
            Row(driver: 1, country: "DE", city: "Berlin", minutes: -61),
            Row(driver: 2, country: "US", city: nil, minutes: 6),
        ]
        var join = try it.store.join(JoinRequest(service: service), spine: try spine(rows))
        #expect(
            join.columns.map(\.name) == [
                "label", "city", "event_time", "driver", "country", "count", "rating", "lat", "lon", "weather.temp",
            ])
        let result = try #require(try join.next())
        #expect(try join.next() == nil)
        // The spine's own columns pass through, in its order.
        #expect((0..<result.count).map { result.columns[0].value($0) } == rows.indices.map { .string("row \($0)") })
        #expect(result.columns[3].value(2) == .null)
        #expect(
            features(result) == [
                [.int64(305), .null, .float64(3), .null, .float32(30)],
                [.int64(160), .null, .null, .null, .float32(10)],
                [.null, .null, .null, .null, .float32(20)],
                [.int64(105), .null, .float64(1), .null, .null],
                [.null, .null, .null, .null, .null],
                [.int64(160), .null, .null, .null, .float32(10)],
                [.null, .null, .null, .null, .null],
                // Eleven minutes are more than the position's TTL of ten.
                [.int64(205), .null, .null, .null, .null],
            ])
    }

    @Test("the answer does not depend on blocks, batches, memory or threads") func blocks() throws {
        let seed = SeededRandom.seed()
        print("blocks: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        let rows = (0..<5000).map { _ in
            Row(
                driver: random.chance(1, 20) ? nil : Int64(random.below(5)), country: random.chance(1, 2) ? "US" : "DE",
                city: random.chance(1, 2) ? "Berlin" : "Boston", minutes: -70 + random.below(80))
        }
        let service = try it.store.catalog.resolve(service: "dispatch")
        func run(_ batches: [ColumnBatch], _ change: (inout JoinRequest) -> Void) throws -> (
            values: [[Value]], labels: [Value], blocks: Int
        ) {
            var request = JoinRequest(service: service)
            change(&request)
            var join = try it.store.join(request, spine: RowsSpine(batches))
            var (values, labels, blocks) = ([[Value]](), [Value](), 0)
            while let block = try join.next() {
                values += features(block)
                labels += (0..<block.count).map { block.columns[0].value($0) }
                blocks += 1
            }
            return (values, labels, blocks)
        }
        let whole = try run([try batch(rows)]) { $0.threads = 1 }
        #expect(whole.labels == rows.indices.map { .string("row \($0)") })
        #expect(Set(whole.values).count > 10, "the rows differ")
        for threads in [2, 5] { #expect(try run([try batch(rows)]) { $0.threads = threads }.values == whole.values, "WHENCE_SEED=\(seed)") }
        var parts: [ColumnBatch] = []
        var first = 0
        while first < rows.count {
            let end = min(rows.count, first + 1 + random.below(900))
            parts.append(try batch(Array(rows[first..<end]), label: first))
            first = end
        }
        let joined = try run(parts) {
            $0.memoryBytes = 1
            $0.spill = .never
        }
        #expect(joined.blocks == parts.count)
        #expect(joined.values == whole.values && joined.labels == whole.labels, "WHENCE_SEED=\(seed)")
        let spilled = try run(parts) { $0.memoryBytes = 1 }
        #expect(spilled.values == whole.values && spilled.labels == whole.labels, "WHENCE_SEED=\(seed)")
        // From files instead of memtables, and without the block cache warm.
        for view in ["trips", "position", "weather"] { try it.store.compact(view) }
        #expect(try run(parts) { _ in }.values == whole.values, "WHENCE_SEED=\(seed)")
    }

    @Test("all blocks of a join see one state, and it says which") func oneState() throws {
        let service = try it.store.catalog.resolve(features: ["trips.count"])
        let row = Row(driver: 1, country: "DE", city: "Berlin", minutes: 0)
        var join = try it.store.join(JoinRequest(service: service), spine: RowsSpine([try batch([row]), try batch([row])]))
        let first = try #require(try join.next())
        try it.write(at: -1, ["count": .int64(0)])
        let second = try #require(try join.next())
        #expect(features(first) == [[.int64(105)]] && features(second) == features(first))
        var again = try it.store.join(JoinRequest(service: service, knownAt: join.knownAt), spine: try spine([row]))
        #expect(try again.next().map(features) == [[.int64(105)]])
        var now = try it.store.join(JoinRequest(service: service), spine: try spine([row]))
        #expect(try now.next().map(features) == [[.int64(0)]])
    }

    @Test("an empty spine, and a spine of no batches") func emptySpine() throws {
        let service = try it.store.catalog.resolve(features: ["trips.count"])
        var join = try it.store.join(JoinRequest(service: service), spine: try spine([]))
        #expect(try join.next()?.count == 0)
        var none = try it.store.join(
            JoinRequest(service: service),
            spine: RowsSpine([], columns: [SpineColumn(name: "driver", type: .int64), SpineColumn(name: "event_time", type: .timestamp)]))
        #expect(try none.next() == nil)
    }

    @Test("a spine that does not fit is refused, with the column named") func misfits() throws {
        let service = try it.store.catalog.resolve(features: ["trips.count"])
        let store = try it.store
        func failure(_ columns: [(String, FeatureType, Value)]) -> WhenceError? {
            do throws(WhenceError) {
                var built: [Column] = []
                for (_, type, value) in columns { built.append(try Store.column(type, [value])) }
                let batch = ColumnBatch(names: columns.map(\.0), columns: built, count: 1)
                var join = try store.join(JoinRequest(service: service), spine: RowsSpine([batch]))
                _ = try join.next()
                return nil
            } catch {
                return error
            }
        }
        #expect(failure([("event_time", .timestamp, .timestamp(Examples.noon)), ("driver", .int64, .int64(1))]) == nil)
        #expect(
            failure([("event_time", .timestamp, .timestamp(Examples.noon)), ("driver", .int32, .int32(1))]) == nil,
            "a narrower integer holds keys as well")
        #expect(failure([("event_time", .timestamp, .timestamp(Examples.noon))])?.message.contains("'driver'") == true)
        #expect(failure([("driver", .int64, .int64(1))])?.message.contains("'event_time'") == true)
        #expect(failure([("event_time", .timestamp, .timestamp(Examples.noon)), ("driver", .string, .string("1"))])?.code == .invalidKey)
        #expect(failure([("event_time", .int64, .int64(1)), ("driver", .int64, .int64(1))])?.code == .invalidTime)
        let missing = failure([("event_time", .timestamp, .null), ("driver", .int64, .int64(1))])
        #expect(missing?.code == .invalidTime && missing?.place.contains("row 1") == true)
        #expect(failure([("event_time", .timestamp, .timestamp(.distantFuture)), ("driver", .int64, .int64(1))])?.code == .invalidTime)
        let twice = failure([
            ("event_time", .timestamp, .timestamp(Examples.noon)), ("driver", .int64, .int64(1)), ("trips.count", .int64, .int64(1)),
        ])
        #expect(twice?.code == .invalidArgument && twice?.message.contains("trips.count") == true)
    }
}
