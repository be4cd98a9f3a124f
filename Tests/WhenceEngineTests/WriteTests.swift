import StoreFixtures
import Testing
import WhenceCore
import WhenceEngine

/// What a commit is.
@Suite("Writes") struct WriteTests {
    private let it: Examples

    init() throws { it = try Examples() }

    @Test("rows of one batch with the same entity and event time are merged feature by feature, the later one winning")
    func merge() throws {
        let batch = try it.store.batch("trips")
        let key = try Examples.key(1)
        try batch.append(key, at: Examples.minute(-5), ["count": .int64(1), "note": .string("first")])
        try batch.append(key, at: Examples.minute(-5), ["count": .int64(2), "rating": .null])
        #expect(batch.count == 2)
        let commit = try it.store.write(batch)
        let versions = try it.store.history("trips", key)
        #expect(versions.count == 1)
        #expect(versions.first?.commitTime == commit.time)
        let values = Dictionary(uniqueKeysWithValues: versions.first?.values.map { ($0.name, $0.value) } ?? [])
        #expect(values == ["count": .int64(2), "note": .string("first"), "rating": .null])
    }

    @Test("batches that are written together are one commit; also two of one view") func together() throws {
        let key = try Examples.key(1)
        let trips = try it.store.batch("trips")
        try trips.append(key, at: Examples.minute(-5), ["count": .int64(1)])
        let more = try it.store.batch("trips")
        try more.append(key, at: Examples.minute(-5), ["rating": .float64(3)])
        let position = try it.store.batch("position")
        try position.append(key, at: Examples.minute(-5), ["lat": .float64(1)])
        let before = try it.store.lastCommit
        let commit = try it.store.write([trips, position, more])
        #expect(commit.time > before)
        #expect(try it.store.lastCommit == commit.time)
        #expect(try it.store.history("trips", key).map(\.commitTime) == [commit.time])
        #expect(try it.store.history("position", key).map(\.commitTime) == [commit.time])
        #expect(try it.store.values(["trips.count", "trips.rating"], "driver", 1, at: Examples.noon) == [.int64(1), .float64(3)])
        let pin = Timestamp(microseconds: commit.time.microseconds - 1)
        #expect(try it.store.values(["trips.count", "position.lat"], "driver", 1, at: Examples.noon, knownAt: pin) == [.null, .null])
    }

    @Test("commit times increase strictly, even when the clock stands still or steps back") func commitTimes() throws {
        var last = try it.store.lastCommit
        for minutes in [0, 0, 1, -60, -60, 0, 2] {
            it.clock.now = Examples.minute(minutes)
            let time = try it.write(at: -5, ["count": .int64(Int64(minutes))]).time
            #expect(time > last)
            last = time
        }
        try it.reopen()
        #expect(try it.store.lastCommit == last)
        it.clock.now = Examples.minute(-600)
        #expect(try it.write(at: -5, ["count": .int64(0)]).time > last)
        #expect(try it.store.now >= last)
    }

    @Test("a retry with the same idempotency key is one write, also after the store was opened again") func idempotency() throws {
        let batch = try it.store.batch("trips")
        try batch.append(try Examples.key(1), at: Examples.minute(-5), ["count": .int64(1)])
        let first = try it.store.write(batch, idempotencyKey: "upload 17")
        #expect(!first.wasRepeated)
        #expect(try it.store.write(batch, idempotencyKey: "upload 17") == Commit(time: first.time, wasRepeated: true))
        try it.reopen()
        #expect(try it.store.write(batch, idempotencyKey: "upload 17") == Commit(time: first.time, wasRepeated: true))
        #expect(try !it.store.write(batch, idempotencyKey: "upload 18").wasRepeated)
        #expect(try it.store.history("trips", try Examples.key(1)).count == 2)
        for key in ["", String(repeating: "k", count: Limits.entityKeyBytes + 1)] {
            let error = #expect(throws: WhenceError.self) { try it.store.write(batch, idempotencyKey: key) }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test("a row that is refused leaves the batch as it was") func refusedRow() throws {
        let batch = try it.store.batch("trips")
        let key = try Examples.key(1)
        try batch.append(key, at: Examples.minute(-5), ["count": .int64(1)])
        let bytes = batch.byteCount
        func refused(_ at: Timestamp, _ values: [String: Value], availability: Timestamp? = nil) -> WhenceError.Code? {
            do throws(WhenceError) {
                try batch.append(key, at: at, availableAt: availability, values)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(refused(Examples.noon, ["colour": .int64(1)]) == .unknownFeature)
        #expect(refused(Examples.noon, ["count": .string("many")]) == .invalidValue)
        #expect(refused(Examples.noon, ["note": .string(String(repeating: "x", count: Limits.valueBytes + 1))]) == .limitExceeded)
        #expect(refused(.distantFuture, ["count": .int64(1)]) == .invalidTime)
        #expect(refused(Examples.noon, ["count": .int64(1)], availability: .distantPast) == .invalidTime)
        #expect(batch.count == 1 && batch.byteCount == bytes)
        try it.store.write(batch)
        #expect(try it.store.history("trips", key).count == 1)
    }

    @Test("history: every version with its three times, newest first") func history() throws {
        let first = try it.write(at: -30, availableAt: Examples.minute(-25), ["count": .int64(1)])
        let second = try it.write(at: -30, ["count": .int64(2)])
        let batch = try it.store.batch("trips")
        try batch.appendDeletion(try Examples.key(1), at: Examples.minute(-10))
        let third = try it.store.write(batch)
        let versions = try it.store.history("trips", try Examples.key(1))
        #expect(versions.map(\.kind) == [.deletion, .row, .row])
        #expect(versions.map(\.eventTime) == [-10, -30, -30].map(Examples.minute))
        #expect(versions.map(\.commitTime) == [third.time, second.time, first.time])
        #expect(versions.map(\.availabilityTime) == [third.time, second.time, Examples.minute(-25)])
        #expect(try it.store.history("trips", try Examples.key(1), knownAt: first.time).count == 1)
        #expect(try it.store.history("trips", try Examples.key(1), limit: 2).map(\.commitTime) == [third.time, second.time])
        #expect(try it.store.history("trips", try Examples.key(2)).isEmpty)
        // An entity whose key is the beginning of another one's.
        #expect(try it.store.history("trips", EntityKey(encoded: [0x15])).isEmpty)
    }

    @Test("what cannot be written to") func refused() throws {
        let batch = try it.store.batch("trips")
        try batch.append(try Examples.key(1), at: Examples.noon, ["count": .int64(1)])
        try it.store.write(batch)
        #expect(throws: WhenceError.self) { try it.store.batch("planes") }
        var options = it.clock.options
        options.readOnly = true
        it.close()
        let store = try Store(at: it.path, options: options)
        for body in [
            { _ = try store.write(batch) }, { _ = try store.backfill("trips") }, { _ = try store.retain("trips", horizon: Examples.noon) },
            { _ = try store.erase("driver", try Examples.key(1)) }, { try store.compact("trips") }, { try store.flush("trips") },
            { try store.define("entities: [{ name: x, join_keys: [{ name: x, type: bool }] }]") },
        ] as [() throws -> Void] {
            let error = #expect(throws: WhenceError.self, performing: body)
            #expect(error?.code == .readOnly)
        }
        #expect(try store.value("trips.count", "driver", 1, at: Examples.noon) == .int64(1))
    }
}
