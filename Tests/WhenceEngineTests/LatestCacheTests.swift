import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// The cache of latest rows: never seen in an answer, and within its budget.
@Suite("The cache of latest rows") struct LatestCacheTests {
    private func statistics(_ it: Examples) throws -> (entries: Int, bytes: Int, hits: Int, misses: Int) {
        let all = try it.store.statistics()
        return (all.latestCacheEntries, all.latestCacheUsedBytes, all.latestCacheHits, all.latestCacheMisses)
    }

    @Test("a read fills it, the next one is answered from it") func hits() throws {
        let it = try Examples()
        try it.write(at: -5, ["count": .int64(1)])
        let before = try statistics(it)
        #expect(try it.latest("trips.count") == [.int64(1)])
        let filled = try statistics(it)
        #expect(filled.misses == before.misses + 1 && filled.hits == before.hits)
        #expect(filled.entries == before.entries + 1)
        #expect(try it.latest("trips.count") == [.int64(1)])
        let used = try statistics(it)
        #expect(used.hits == filled.hits + 1 && used.misses == filled.misses)
        // That there is nothing is an answer as well.
        #expect(try it.latest("trips.count", of: 99) == [.null])
        #expect(try it.latest("trips.count", of: 99) == [.null])
        #expect(try statistics(it).hits == used.hits + 1)
    }

    @Test("every kind of write shows at once: newer, older, corrected, deleted, retracted, backfilled") func writeThrough() throws {
        let it = try Examples()
        let key = try Examples.key(1)
        func expect(_ count: Value, _ rating: Value, _ what: String) throws {
            // Twice: from whatever the commit left, and from what that read left.
            for _ in 0..<2 { #expect(try it.latest("trips.count", "trips.rating") == [count, rating], "\(what)") }
        }
        try it.write(at: -30, ["count": .int64(1), "rating": .float64(1)])
        try expect(.int64(1), .float64(1), "the first")
        try it.write(at: -20, ["count": .int64(2), "rating": .float64(2)])
        try expect(.int64(2), .float64(2), "a newer row")
        try it.write(at: -25, ["count": .int64(99), "rating": .float64(99)])
        try expect(.int64(2), .float64(2), "a late row")
        try it.write(at: -20, ["count": .int64(3)])
        try expect(.int64(3), .float64(2), "a sparse correction")
        try it.write(at: -15, ["rating": .null])
        try expect(.int64(3), .null, "a sparse newer row")
        let retraction = try it.store.batch("trips")
        try retraction.appendRetraction(key, at: Examples.minute(-15))
        try it.store.write(retraction)
        try expect(.int64(3), .float64(2), "a retraction")
        let deletion = try it.store.batch("trips")
        try deletion.appendDeletion(key, at: Examples.minute(-10))
        try it.store.write(deletion)
        try expect(.null, .null, "a deletion")
        let backfill = try it.store.backfill("trips")
        try backfill.rows().append(key, at: Examples.minute(-8), ["count": .int64(8)])
        try expect(.null, .null, "a backfill under way")
        _ = try backfill.publish()
        try expect(.int64(8), .null, "a published backfill")
        it.clock.now = Examples.minute(1)
        _ = try it.store.erase("driver", key)
        try expect(.null, .null, "an erasure")
    }

    @Test("a row of the future ends an entry when its time comes") func expiry() throws {
        let it = try Examples()
        try it.write(at: -5, ["count": .int64(1)])
        #expect(try it.latest("trips.count") == [.int64(1)])
        try it.write(at: 5, ["count": .int64(2)])
        #expect(try it.latest("trips.count") == [.int64(1)])
        it.clock.now = Examples.minute(5)
        #expect(try it.latest("trips.count") == [.int64(2)])
    }

    @Test("it stays within its budget, whatever is read") func budget() throws {
        let budget = 40_000
        let it = try Examples { $0.latestCacheBytes = budget }
        let batch = try it.store.batch("trips")
        for id in 0..<2000 as Range<Int64> {
            try batch.append(try Examples.key(id), at: Examples.minute(-5), ["count": .int64(id), "note": .string("driver \(id)")])
        }
        try it.store.write(batch)
        let reader = try it.store.onlineReader(try it.store.catalog.resolve(features: ["trips.count"]))
        for id in 0..<2000 as Range<Int64> {
            let request = ColumnBatch(names: ["driver"], columns: [try Store.column(.int64, [.int64(id)])], count: 1)
            #expect(try reader.read(request).columns[0].value(0) == .int64(id))
        }
        let full = try statistics(it)
        #expect(full.bytes <= budget && full.entries > 10 && full.entries < 2000)
        // What was pushed out is read from the store again.
        for id in 0..<2000 as Range<Int64> where id % 97 == 0 { #expect(try it.latest("trips.count", of: id) == [.int64(id)]) }
        #expect(try statistics(it).bytes <= budget)
    }

    @Test("without a budget there is none") func off() throws {
        let it = try Examples { $0.latestCacheBytes = 0 }
        try it.write(at: -5, ["count": .int64(1)])
        for _ in 0..<3 { #expect(try it.latest("trips.count") == [.int64(1)]) }
        #expect(try statistics(it).entries == 0)
        #expect(try statistics(it).hits == 0)
    }
}
