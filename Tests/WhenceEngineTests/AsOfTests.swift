import StoreFixtures
import Testing
import WhenceCore
import WhenceEngine

/// What a read at T finds (design, section 3).
@Suite("As-of reads") struct AsOfTests {
    private let it: Examples

    init() throws { it = try Examples() }

    @Test("the newest row at or before T") func newest() throws {
        try it.write(at: -30, ["count": .int64(1)])
        try it.write(at: -10, ["count": .int64(2)])
        #expect(try it.value(at: -31) == .null)
        #expect(try it.value(at: -30) == .int64(1))
        #expect(try it.value(at: -11) == .int64(1))
        #expect(try it.value(at: -10) == .int64(2))
        #expect(try it.value(at: 1_000_000) == .int64(2))
        #expect(try it.latest("trips.count") == [.int64(2)])
    }

    @Test("a correction: a new version of the same event time; a pinned read stays as it was") func correction() throws {
        let first = try it.write(at: -30, ["count": .int64(1)])
        it.clock.now = Examples.minute(1)
        let second = try it.write(at: -30, ["count": .int64(7)])
        #expect(second.time > first.time)
        #expect(try it.value(at: -30) == .int64(7))
        #expect(try it.value(at: -30, knownAt: first.time) == .int64(1))
        #expect(try it.value(at: -30, knownAt: Timestamp(microseconds: first.time.microseconds - 1)) == .null)
        #expect(try it.value(at: -30, knownAt: second.time) == .int64(7))
    }

    @Test("late data takes its place in the past, and is not known to earlier pins") func lateData() throws {
        let early = try it.write(at: -10, ["count": .int64(2)])
        try it.write(at: -30, ["count": .int64(1)])
        #expect(try it.value(at: -20) == .int64(1))
        #expect(try it.value(at: -20, knownAt: early.time) == .null)
        #expect(try it.value(at: -10) == .int64(2))
        #expect(try it.latest("trips.count") == [.int64(2)])
    }

    @Test("a deletion: no values from its event time on, until a newer version") func deletion() throws {
        try it.write(at: -30, ["count": .int64(1), "rating": .float64(4.5)])
        let batch = try it.store.batch("trips")
        try batch.appendDeletion(try Examples.key(1), at: Examples.minute(-20))
        let deleted = try it.store.write(batch)
        try it.write(at: -10, ["count": .int64(3)])
        #expect(try it.value(at: -21) == .int64(1))
        #expect(try it.value(at: -20) == .null)
        #expect(try it.value(at: -10) == .int64(3))
        // A feature that the newer version does not carry is not looked for behind the deletion.
        #expect(try it.value("trips.rating", at: -10) == .null)
        #expect(try it.value(at: -20, knownAt: Timestamp(microseconds: deleted.time.microseconds - 1)) == .int64(1))
    }

    @Test("a retraction: what it retracts never happened, and older versions show again") func retraction() throws {
        try it.write(at: -30, ["count": .int64(1)])
        let wrong = try it.write(at: -20, ["count": .int64(99)])
        let batch = try it.store.batch("trips")
        try batch.appendRetraction(try Examples.key(1), at: Examples.minute(-20))
        try it.store.write(batch)
        #expect(try it.value(at: -10) == .int64(1))
        #expect(try it.latest("trips.count") == [.int64(1)])
        #expect(try it.value(at: -10, knownAt: wrong.time) == .int64(99))
        // What is written there afterwards counts again.
        try it.write(at: -20, ["count": .int64(2)])
        #expect(try it.value(at: -10) == .int64(2))
    }

    @Test("a row of the future is invisible until then") func future() throws {
        try it.write(at: -5, ["count": .int64(1)])
        try it.write(at: 30, ["count": .int64(2)])
        #expect(try it.latest("trips.count") == [.int64(1)])
        #expect(try it.value(at: 29) == .int64(1))
        #expect(try it.value(at: 30) == .int64(2))
        it.clock.now = Timestamp(microseconds: Examples.minute(30).microseconds - 1)
        #expect(try it.latest("trips.count") == [.int64(1)])
        it.clock.now = Examples.minute(30)
        #expect(try it.latest("trips.count") == [.int64(2)])
    }

    @Test("as served: leaves out what could not have been served at T") func asServed() throws {
        // Happened at -30, known to serving at -20, and stored at noon.
        try it.write(at: -30, availableAt: Examples.minute(-20), ["count": .int64(1)])
        #expect(try it.value(at: -25) == .int64(1))
        #expect(try it.value(at: -25, asServed: true) == .null)
        #expect(try it.value(at: -20, asServed: true) == .int64(1))
        // Without a stated availability it is the commit time.
        try it.write(at: -15, ["count": .int64(2)])
        #expect(try it.value(at: -1) == .int64(2))
        #expect(try it.value(at: -1, asServed: true) == .int64(1))
        #expect(try it.value(at: 1, asServed: true) == .int64(2))
        // The two choices are independent.
        try it.write(at: -10, availableAt: Examples.minute(-10), ["count": .int64(3)])
        #expect(try it.value(at: -5, asServed: true) == .int64(3))
        #expect(try it.value(at: -5, knownAt: Timestamp(microseconds: it.store.lastCommit.microseconds - 1), asServed: true) == .int64(1))
    }

    @Test("an online read is as served: what becomes available later is seen later") func availableLater() throws {
        try it.write(at: -5, availableAt: Examples.minute(10), ["count": .int64(1)])
        #expect(try it.latest("trips.count") == [.null])
        it.clock.now = Examples.minute(10)
        #expect(try it.latest("trips.count") == [.int64(1)])
    }

    @Test("TTL: an age of exactly the TTL is alive, a microsecond more is not") func ttl() throws {
        try it.write("position", at: -30, availableAt: Examples.minute(-30), ["lat": .float64(52.5)])
        let edge = Examples.minute(-20)
        func read(_ T: Timestamp) throws -> Value { try it.store.value("position.lat", "driver", 1, at: T) }
        #expect(try read(edge) == .float64(52.5))
        #expect(try read(Timestamp(microseconds: edge.microseconds + 1)) == .null)
        // The same for online reads, from the store and from the cache of latest rows.
        try it.write("position", 2, at: 0, ["lat": .float64(48)])
        let now = Examples.minute(10)
        for _ in 0..<2 {
            it.clock.now = now
            #expect(try it.latest("position.lat", of: 2) == [.float64(48)])
        }
        it.clock.now = Timestamp(microseconds: now.microseconds + 1)
        #expect(try it.latest("position.lat", of: 2) == [.null])
    }

    @Test("null is a value; an absent feature is looked for in older versions") func nullAndAbsent() throws {
        try it.write(at: -30, ["count": .int64(1), "rating": .float64(4.5), "note": .string("old")])
        try it.write(at: -20, ["count": .int64(2), "rating": .null])
        #expect(try it.value("trips.count", at: 0) == .int64(2))
        #expect(try it.value("trips.rating", at: 0) == .null)
        #expect(try it.value("trips.note", at: 0) == .string("old"))
        #expect(try it.latest("trips.count", "trips.rating", "trips.note") == [.int64(2), .null, .string("old")])
        let newest = try it.store.history("trips", try Examples.key(1), limit: 1)
        #expect(newest.first?.values.map(\.name).sorted() == ["count", "rating"])
    }
}
