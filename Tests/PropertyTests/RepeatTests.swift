import Foundation
import RandomFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// The answer depends on nothing but the question: not on threads, memory, caches or where the rows lie.
@Suite struct RepeatTests {
    private static let rows = 4_500

    /// A spine with repeats, null keys and entities that the store does not know, in no order.
    private static func spine(_ random: inout SeededRandom) throws -> ColumnBatch {
        let (uid, town, number, at) = (ColumnBuilder(.int64), ColumnBuilder(.string), ColumnBuilder(.int64), ColumnBuilder(.timestamp))
        for _ in 0..<rows {
            if random.chance(1, 30) { uid.appendNull() } else { uid.append(fixed: Int64(random.below(50)) - 5) }
            if random.chance(1, 30) { town.appendNull() } else { try town.append(.string("a town of long name \(random.below(5))")) }
            number.append(fixed: Int64(random.below(10)))
            at.append(fixed: World.time(random.below(600)).microseconds)
        }
        return ColumnBatch(
            names: ["uid", "town", "number", "at"], columns: [try uid.finish(), try town.finish(), try number.finish(), try at.finish()],
            count: rows)
    }

    private static func definitions() -> Definitions {
        Definitions(
            entities: [0, 1].map { Entity(name: World.kinds[$0].name, joinKeys: World.kinds[$0].joinKeys) },
            views: [0, 1, 2].map { view in
                FeatureView(
                    name: World.viewNames[view], entity: World.kinds[World.viewKinds[view]].name,
                    features: World.viewFeatures[view].map { Feature(name: $0.0, type: $0.1) }, ttl: view == 2 ? .microseconds(90) : nil)
            },
            services: [FeatureService(name: "all", selections: [0, 1, 2].map { FeatureSelection(view: World.viewNames[$0]) })])
    }

    private static func fill(_ store: Store, _ random: inout SeededRandom) throws {
        for commit in 0..<20 {
            var batches: [RowBatch] = []
            for view in 0..<3 {
                let batch = RowBatch(try store.catalog.view(named: World.viewNames[view]))
                for _ in 0..<40 {
                    let key: [KeyValue] =
                        World.viewKinds[view] == 0
                        ? [.int64(Int64(random.below(40)))]
                        : [.string("a town of long name \(random.below(4))"), .int64(Int64(random.below(9)))]
                    let time = World.time(random.below(600))
                    switch random.below(20) {
                    case 0: try batch.appendDeletion(EntityKey(key), at: time)
                    case 1: try batch.appendRetraction(EntityKey(key), at: time)
                    default:
                        var values: [String: Value] = [:]
                        for (name, type) in World.viewFeatures[view] where random.chance(2, 3) {
                            values[name] = World.value(type, seed: random.next() % 1000)
                        }
                        try batch.append(EntityKey(key), at: time, values)
                    }
                }
                batches.append(batch)
            }
            try store.write(batches)
            if commit % 9 == 8 { try store.flush(World.viewNames[commit % 3]) }
        }
    }

    /// All bytes of a result: of each column its bitmap, its offsets and its values.
    private static func bytes(_ batches: [ColumnBatch]) -> [[UInt8]] {
        batches.flatMap { batch in
            batch.columns.flatMap { column in
                [column.validity, column.offsets, column.values, column.elementOffsets].map { buffer in
                    buffer.map { buffer in unsafe buffer.span.withUnsafeBytes { unsafe Array($0) } } ?? []
                }
            }
        }
    }

    @Test func aJoinIsTheSameToTheByte() throws {
        let seed = SeededRandom.statedSeed ?? UInt64.random(in: 0..<1 << 48)
        print("aJoinIsTheSameToTheByte: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("whence-repeat-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let spine = try RepeatTests.spine(&random)
        let clock = SettableClock(World.time(300))
        var first: [[UInt8]]?
        var knownAt: Timestamp?
        for round in 0..<4 {
            var options = StoreOptions()
            options.durability = .buffered
            options.threads = 1 + round
            options.latestCacheBytes = round == 0 ? 0 : 1 << (14 + round)
            options.blockCacheBytes = [1 << 16, 1 << 20, 0, 64 << 20][round]
            options.clock = { clock.now }
            let store = try Store(at: directory, options: options)
            if round == 0 {
                try store.apply(store.plan(RepeatTests.definitions()))
                try RepeatTests.fill(store, &random)
            }
            let service = try store.catalog.resolve(service: "all")
            for threads in 1...4 {
                for memoryBytes in [threads.isMultiple(of: 2) ? 1 : 256 << 20] {
                    var join = try store.join(
                        JoinRequest(
                            service: service, eventTimeColumn: "at", knownAt: knownAt, asServed: true, memoryBytes: memoryBytes,
                            threads: threads),
                        spine: RowsSpine([spine]))
                    knownAt = join.knownAt
                    var batches: [ColumnBatch] = []
                    while let batch = try join.next() { batches.append(batch) }
                    #expect(batches.map(\.count) == [RepeatTests.rows])
                    let bytes = RepeatTests.bytes(batches)
                    if let first {
                        #expect(bytes == first, "round \(round), \(threads) threads, \(memoryBytes) bytes")
                    } else {
                        first = bytes
                    }
                }
            }
            // What comes later, and where the rows lie, changes nothing at the pin.
            for name in World.viewNames.prefix(3) { try round.isMultiple(of: 2) ? store.compact(name) : store.flush(name) }
            try RepeatTests.fill(store, &random)
        }
    }
}
