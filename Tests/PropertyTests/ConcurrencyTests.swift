import Foundation
import Synchronization
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Readers beside a writer: all rows of a batch carry one number, so that a reader that sees a part of a batch sees two.
@Suite(.serialized) struct ConcurrencyTests {
    private static let entities = 40
    private static let batches = 150

    /// What the readers found, and whether the writer is still at it.
    private final class Shared: Sendable {
        let isWriting = Atomic<Bool>(true)
        let faults = Mutex<[String]>([])
        let joins = Atomic<Int>(0)
        let latestReads = Atomic<Int>(0)

        var isEnough: Bool { joins.load(ordering: .relaxed) >= 30 && latestReads.load(ordering: .relaxed) >= 800 }

        func fault(_ what: String) { faults.withLock { if $0.count < 10 { $0.append(what) } } }
    }

    private static func batch(_ view: StoredView, _ number: Int, at tick: Int) throws -> RowBatch {
        let batch = RowBatch(view)
        for entity in 0..<entities {
            try batch.append(EntityKey([.int64(Int64(entity))]), at: World.time(tick), ["z": .int64(Int64(number))])
        }
        return batch
    }

    private static func spine(at tick: Int) throws -> ColumnBatch {
        let (uid, at) = (ColumnBuilder(.int64), ColumnBuilder(.timestamp))
        for entity in 0..<entities {
            uid.append(fixed: Int64(entity))
            at.append(fixed: World.time(tick).microseconds)
        }
        return ColumnBatch(names: ["uid", "at"], columns: [try uid.finish(), try at.finish()], count: entities)
    }

    private static func join(_ store: Store, _ service: ResolvedService, _ spine: ColumnBatch, knownAt: Timestamp?) throws -> (
        [Value], Timestamp
    ) {
        var join = try store.join(
            JoinRequest(service: service, eventTimeColumn: "at", knownAt: knownAt, threads: 2), spine: RowsSpine([spine]))
        var values: [Value] = []
        while let batch = try join.next() {
            guard let column = batch.column(named: "plain.z") else { throw Mismatch("there is no plain.z") }
            values += (0..<batch.count).map { column.value($0) }
        }
        return (values, join.knownAt)
    }

    /// Joins again and again: each sees whole batches, never older ones than before, and the same at the same pin later.
    private static func joinUntilDone(_ store: Store, _ service: ResolvedService, _ shared: Shared) throws {
        let spine = try spine(at: 100_000)
        var pins: [(Timestamp, Value)] = []
        var last = Int64.min
        while shared.isWriting.load(ordering: .acquiring) {
            let (values, knownAt) = try join(store, service, spine, knownAt: nil)
            guard Set(values).count == 1, let value = values.first else {
                shared.fault("a join knowing \(World.tick(knownAt)) sees \(Set(values).count) batches")
                continue
            }
            if case .int64(let number) = value {
                if number < last { shared.fault("a join sees batch \(number) after \(last)") }
                last = number
            }
            pins.append((knownAt, value))
            let (pin, before) = pins[pins.count / 2]
            let (again, _) = try join(store, service, spine, knownAt: pin)
            if again.contains(where: { $0 != before }) { shared.fault("a join pinned at \(World.tick(pin)) has changed from \(before)") }
            shared.joins.add(2, ordering: .relaxed)
        }
        for (pin, before) in pins {
            let (again, _) = try join(store, service, spine, knownAt: pin)
            if again.contains(where: { $0 != before }) { shared.fault("a join pinned at \(World.tick(pin)) has changed from \(before)") }
        }
    }

    /// Reads latest values again and again: those of one entity never go back.
    private static func readUntilDone(_ store: Store, _ service: ResolvedService, _ shared: Shared) throws {
        let reader = try store.onlineReader(service, capacity: entities)
        let latest = try store.latestReader("plain", features: ["z"])
        let spine = try spine(at: 0)
        var seen = [Int64](repeating: .min, count: entities)
        func look(_ entity: Int, _ number: Int64, _ how: String) {
            if number < seen[entity] { shared.fault("\(how) of entity \(entity) is \(number) after \(seen[entity])") }
            seen[entity] = max(seen[entity], number)
        }
        while shared.isWriting.load(ordering: .acquiring) {
            let batch = try reader.read(spine)
            guard let column = batch.column(named: "plain.z") else { throw Mismatch("there is no plain.z") }
            for entity in 0..<entities { if case .int64(let number) = column.value(entity) { look(entity, number, "an online read") } }
            for entity in 0..<entities {
                let bytes = try EntityKey([.int64(Int64(entity))]).bytes
                try unsafe latest.read(0, bytes.span.bytes, at: store.now)
                if latest.columns.isValid(0, 0) { look(entity, latest.columns.load(0, 0, as: Int64.self), "a latest read") }
            }
            shared.latestReads.add(2 * entities, ordering: .relaxed)
        }
    }

    /// Writes batch after batch, until there are enough and the readers have seen something of it. Returns how many.
    private func write(_ store: Store, _ view: StoredView, _ shared: Shared) throws -> Int {
        defer { shared.isWriting.store(false, ordering: .releasing) }
        var number = 0
        while number < ConcurrencyTests.batches || number < 20 * ConcurrencyTests.batches && !shared.isEnough {
            number += 1
            // Every third is a correction of what there is; a few come as backfills, which are seen all at once as well.
            let tick = 1 + number / 3
            if number % 25 == 24 {
                let backfill = try store.backfill("plain")
                for entity in 0..<ConcurrencyTests.entities {
                    try backfill.rows().append(EntityKey([.int64(Int64(entity))]), at: World.time(tick), ["z": .int64(Int64(number))])
                }
                _ = try backfill.publish()
            } else {
                try store.write(ConcurrencyTests.batch(view, number, at: tick))
            }
            if number % 40 == 0 { try store.flush("plain") }
            if number % 110 == 0 { try store.compact("plain") }
        }
        return number
    }

    private func run(latestCacheBytes: Int, isClockStill: Bool) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("whence-concurrency-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var options = StoreOptions()
        options.durability = .buffered
        options.latestCacheBytes = latestCacheBytes
        if isClockStill { options.clock = { World.time(20) } }
        let store = try Store(at: directory, options: options)
        var definitions = Definitions(
            entities: [Entity(name: "user", joinKeys: World.kinds[0].joinKeys)],
            views: [FeatureView(name: "plain", entity: "user", features: World.viewFeatures[2].map { Feature(name: $0.0, type: $0.1) })])
        definitions.services = [FeatureService(name: "all", selections: [FeatureSelection(view: "plain")])]
        try store.apply(store.plan(definitions))
        let view = try store.catalog.view(named: "plain")
        let service = try store.catalog.resolve(service: "all")
        try store.write(ConcurrencyTests.batch(view, 0, at: 1))
        let shared = Shared()
        let readers: [@Sendable () throws -> Void] = [
            { try ConcurrencyTests.joinUntilDone(store, service, shared) },
            { try ConcurrencyTests.joinUntilDone(store, service, shared) },
            { try ConcurrencyTests.readUntilDone(store, service, shared) },
        ]
        let group = DispatchGroup()
        for reader in readers {
            group.enter()
            // A thread each: a pool might let the readers wait until the writer is done.
            Thread {
                do { try reader() } catch { shared.fault("a reader: \(error)") }
                group.leave()
            }.start()
        }
        let written = try write(store, view, shared)
        group.wait()
        let faults = shared.faults.withLock { $0 }
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
        print(
            "beside \(written) batches: \(shared.joins.load(ordering: .relaxed)) joins, "
                + "\(shared.latestReads.load(ordering: .relaxed)) latest reads")
    }

    @Test func readersSeeWholeBatches() throws { try run(latestCacheBytes: 1 << 20, isClockStill: false) }

    /// A cache so small that its entries come and go, and commit times ahead of the clock.
    @Test func readersSeeWholeBatchesWhenTheClockStandsStill() throws { try run(latestCacheBytes: 16_384, isClockStill: true) }

    @Test func readersSeeWholeBatchesWithoutACache() throws { try run(latestCacheBytes: 0, isClockStill: true) }
}
