import Foundation
import RandomFixtures
import RocksDB
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Records that RocksDB hands out faithfully and that Whence never wrote: an error or a value, never the end of the process.
@Suite("Forged records", .serialized) struct ForgedRecordsTests {
    private let scratch: ScratchDirectory
    private let path: String
    private let views: [String: UInt32]
    private let seed = SeededRandom.seed()
    private static let T = KillWorkload.end

    init() throws {
        scratch = try ScratchDirectory()
        path = scratch.path("store")
        let store = try Store(at: path, options: KillWorkload.options())
        try store.define(KillWorkload.yaml)
        views = store.catalog.views.mapValues(\.id)
    }

    private func batch(_ store: Store, entities: Range<Int64>) throws {
        let batch = try store.batch("numbers")
        for id in entities {
            try batch.append(
                try EntityKey([.int64(id)]), at: KillWorkload.instant(1),
                ["batch": .int64(id), "amount": .float64(0.5), "label": .string("label \(id)")])
        }
        try store.write(batch)
    }

    /// Changes the database behind the store's back.
    private func forge(_ body: (Database, _ records: ColumnFamily, _ numbers: ColumnFamily) throws -> Void) throws {
        let database = try Database(path: path + "/db", options: DatabaseOptions()) { _ in ColumnFamilyOptions() }
        let id = try #require(views["numbers"])
        try body(database, try #require(database.family("default")), try #require(database.family("view.\(id)")))
    }

    /// A changed byte may also be that of the row's format.
    private func isDamage(_ error: WhenceError) -> Bool { error.code == .corruption || error.code == .unknownFormat }

    private func open() -> WhenceError? {
        do throws(WhenceError) {
            _ = try Store(at: path, options: KillWorkload.options())
            return nil
        } catch {
            return error
        }
    }

    /// What is read of one entity, in every way there is; throws where one of them does.
    private func readEverything(_ store: Store, _ entity: EntityKey, _ id: Int64) throws(WhenceError) {
        _ = try store.history("numbers", entity)
        let features = ["numbers.batch", "numbers.amount", "numbers.label"]
        _ = try store.values(features, "id", id, at: ForgedRecordsTests.T)
        _ = try store.values(features, "id", id, at: ForgedRecordsTests.T, asServed: true)
        _ = try store.latest(features, "id", id)
    }

    /// Walks over the whole view, in every way there is.
    private func walkEverything(_ store: Store) -> [WhenceError] {
        var errors: [WhenceError] = []
        func collect(_ body: () throws(WhenceError) -> Void) {
            do throws(WhenceError) { try body() } catch { errors.append(error) }
        }
        collect { () throws(WhenceError) in
            var scan = try store.scan(ScanRequest(view: "numbers"))
            while try scan.next(maxRows: 100) != nil {}
        }
        collect { () throws(WhenceError) in
            var spine = try store.entities(of: "numbers", at: [ForgedRecordsTests.T])
            while try spine.next(maxRows: 100) != nil {}
        }
        collect { () throws(WhenceError) in _ = try store.retain("numbers", horizon: ForgedRecordsTests.T, dryRun: true) }
        return errors
    }

    @Test("rows with changed, missing and added bytes") func rows() throws {
        print("rows: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        let count: Int64 = 400
        do { try batch(try Store(at: path, options: KillWorkload.options()), entities: 0..<count) }
        try forge { database, _, numbers in
            var forged = WriteBatch()
            var cursor = database.makeCursor(numbers)
            var isThere = cursor.seekToFirst()
            while isThere {
                var row = unsafe cursor.value.withUnsafeBytes { unsafe Array($0) }
                for _ in 0...random.below(3) {
                    switch random.below(4) {
                    case 0 where !row.isEmpty: row[random.below(row.count)] ^= 1 << UInt8(random.below(8))
                    case 1 where !row.isEmpty: row.removeLast(1 + random.below(row.count))
                    case 2 where !row.isEmpty: row[random.below(min(row.count, 12))] = UInt8(random.below(256))
                    default: row += (0...random.below(20)).map { _ in UInt8(random.below(256)) }
                    }
                }
                forged.put(cursor.keyBytes, row, in: numbers)
                isThere = cursor.next()
            }
            try database.write(forged, sync: true)
        }
        let store = try Store(at: path, options: KillWorkload.options())
        var refused = 0
        for id in 0..<count {
            do throws(WhenceError) {
                try readEverything(store, try EntityKey([.int64(id)]), id)
            } catch {
                #expect(isDamage(error), "WHENCE_SEED=\(seed), entity \(id): \(error)")
                refused += 1
            }
        }
        #expect(refused > Int(count) / 4, "the damage is noticed where it can be")
        for error in walkEverything(store) { #expect(isDamage(error), "WHENCE_SEED=\(seed): \(error)") }
        // The store goes on.
        try batch(store, entities: 1000..<1001)
        #expect(try store.value("numbers.label", "id", 1000, at: ForgedRecordsTests.T) == .string("label 1000"))
    }

    @Test("keys that are none") func keys() throws {
        print("keys: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        do { try batch(try Store(at: path, options: KillWorkload.options()), entities: 0..<20) }
        var found = 0
        for round in 0..<12 {
            try forge { database, _, numbers in
                var cursor = database.makeCursor(numbers)
                cursor.seekToFirst()
                let row = unsafe cursor.value.withUnsafeBytes { unsafe Array($0) }
                var forged = WriteBatch()
                for _ in 0..<5 {
                    var key = random.chance(1, 2) ? [] : cursor.keyBytes
                    switch random.below(3) {
                    case 0: key = Array(key.prefix(random.below(18)))
                    case 1: key += (0..<random.below(4)).map { _ in UInt8(random.below(256)) }
                    default: key = (0..<random.below(40)).map { _ in UInt8(random.below(256)) }
                    }
                    forged.put(key, row, in: numbers)
                }
                try database.write(forged, sync: true)
            }
            let store = try Store(at: path, options: KillWorkload.options())
            for error in walkEverything(store) { #expect(isDamage(error), "WHENCE_SEED=\(seed), round \(round): \(error)") }
            for id in 0..<20 as Range<Int64> {
                // A key that is none may hide what stands behind it, but another entity's row is never taken for this one's.
                do throws(WhenceError) {
                    let value = try store.value("numbers.label", "id", id, at: ForgedRecordsTests.T)
                    if value == .string("label \(id)") { found += 1 } else { #expect(value == .null, "WHENCE_SEED=\(seed), entity \(id)") }
                } catch {
                    #expect(isDamage(error), "WHENCE_SEED=\(seed): \(error)")
                }
            }
        }
        #expect(found > 12 * 15)
    }

    @Test("the store's own records", arguments: ["commit/last", "backfill/", "horizon/", "catalog/", "once/"])
    func ownRecords(_ prefix: String) throws {
        do {
            let store = try Store(at: path, options: KillWorkload.options())
            _ = try KillWorkload(seed: 1).write(BatchID(round: 0, thread: 1, number: 0), to: store)
            _ = try KillWorkload(seed: 1).backfill(BatchID(round: 0, thread: 3, number: 0), to: store)
            _ = try store.retain("aged", horizon: KillWorkload.instant(1))
        }
        var keys = 0
        try forge { database, records, _ in
            var cursor = database.makeCursor(records)
            let start = Array(prefix.utf8)
            unsafe cursor.seek(start.span.bytes)
            var forged = WriteBatch()
            while cursor.isValid, cursor.keyBytes.starts(with: start) {
                forged.put(cursor.keyBytes, [1, 2, 3], in: records)
                keys += 1
                cursor.next()
            }
            try database.write(forged, sync: true)
        }
        #expect(keys > 0)
        if prefix == "once/" {
            // Read when its write comes again.
            let store = try Store(at: path, options: KillWorkload.options())
            let error = #expect(throws: WhenceError.self) {
                try KillWorkload(seed: 1).write(BatchID(round: 0, thread: 1, number: 0), to: store)
            }
            #expect(error?.code == .corruption)
        } else {
            let error = open()
            #expect(error?.code == .corruption, "\(error.map { "\($0)" } ?? "opened")")
            #expect(error?.hint.isEmpty == false)
        }
    }
}
