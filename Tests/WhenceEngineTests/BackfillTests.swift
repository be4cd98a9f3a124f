import Foundation
import StoreFixtures
import Synchronization
import Testing
import WhenceCatalog
import WhenceCore

@testable import WhenceEngine

@Suite("Backfills") struct BackfillTests {
    @Test("rows become visible all at once, when it is published; earlier pins stay as they were") func publication() throws {
        let it = try Examples()
        let first = try it.write(at: -30, ["count": .int64(1)])
        var second = first
        let published = try it.backfill { rows in
            try rows.append(try Examples.key(1), at: Examples.minute(-20), ["count": .int64(2)])
            // Streaming goes on meanwhile.
            it.clock.now = Examples.minute(1)
            second = try it.write(at: -25, ["count": .int64(7)])
            #expect(try it.value(at: -10) == .int64(7))
            it.clock.now = Examples.minute(2)
        }
        #expect(published.time > second.time)
        #expect(try it.store.lastCommit == published.time)
        #expect(try it.value(at: -10) == .int64(2))
        #expect(try it.value(at: -10, knownAt: published.time) == .int64(2))
        #expect(try it.value(at: -10, knownAt: second.time) == .int64(7))
        #expect(try it.value(at: -10, knownAt: first.time) == .int64(1))
        // Readers are told the publication as its commit time.
        let versions = try it.store.history("trips", try Examples.key(1))
        #expect(versions.map(\.commitTime) == [published.time, second.time, first.time])
        try it.reopen()
        #expect(try it.value(at: -10, knownAt: second.time) == .int64(7))
        #expect(try it.value(at: -10) == .int64(2))
        #expect(try it.store.history("trips", try Examples.key(1)) == versions)
    }

    @Test("one that is given up leaves nothing, and its commit time is not given again") func abandoned() throws {
        let it = try Examples()
        do {
            let backfill = try it.store.backfill("trips")
            try backfill.rows().append(try Examples.key(1), at: Examples.minute(-20), ["count": .int64(2)])
        }
        let last = try it.store.lastCommit
        #expect(try it.value(at: 0) == .null)
        #expect(try FileManager.default.contentsOfDirectory(atPath: it.path + "/tmp") == [])
        try it.reopen()
        #expect(try it.store.lastCommit == last)
        #expect(try it.write(at: -5, ["count": .int64(1)]).time > last)
    }

    @Test("an empty one changes nothing") func empty() throws {
        let it = try Examples()
        try it.write(at: -5, ["count": .int64(1)])
        _ = try it.store.backfill("trips").publish()
        #expect(try it.value(at: 0) == .int64(1))
    }

    @Test("availability: as stated, else the event time and the view's delay") func availability() throws {
        let it = try Examples()
        let backfill = try it.store.backfill("position")
        try backfill.rows().append(try Examples.key(1), at: Examples.minute(-9), ["lat": .float64(1)])
        try backfill.rows().append(try Examples.key(2), at: Examples.minute(-9), availableAt: Examples.minute(-5), ["lat": .float64(2)])
        _ = try backfill.publish()
        #expect(try it.store.history("position", try Examples.key(1)).map(\.availabilityTime) == [Examples.minute(-8)])
        let end = try it.store.backfill("position")
        let last = Timestamp(microseconds: Timestamp.latest.microseconds - 60_000_000)
        try end.rows().append(try Examples.key(3), at: last, ["lat": .float64(1)])
        let late = try Timestamp(parsing: "9999-12-31T23:59:00Z")
        for append in [
            { try end.rows().append(try Examples.key(3), at: late, ["lat": .float64(1)]) },
            { try end.rows().appendDeletion(try Examples.key(3), at: late) },
        ] {
            #expect {
                try append()
            } throws: {
                ($0 as? WhenceError)?.code == .invalidTime && ($0 as? WhenceError)?.message.contains("1m after the event time") == true
            }
        }
        #expect(try end.rows().count == 1)
        for (id, since) in [(1, -8), (2, -5)] as [(Int64, Int)] {
            let instant = Examples.minute(since)
            let before = Timestamp(microseconds: instant.microseconds - 1)
            #expect(try it.store.value("position.lat", "driver", id, at: instant, asServed: true) == .float64(Double(id)))
            #expect(try it.store.value("position.lat", "driver", id, at: before, asServed: true) == .null)
            #expect(try it.store.value("position.lat", "driver", id, at: before) == .float64(Double(id)))
        }
        // A view without a delay: at the event time.
        let trips = try it.store.backfill("trips")
        try trips.rows().append(try Examples.key(1), at: Examples.minute(-9), ["count": .int64(1)])
        _ = try trips.publish()
        #expect(try it.value(at: -9, asServed: true) == .int64(1))
    }

    @Test("more rows than its memory: spilled, sorted, merged across runs, the later row winning") func spills() throws {
        let it = try Examples { $0.backfillBytes = 1 }
        let backfill = try it.store.backfill("trips")
        let count = 30_000
        let padding = String(repeating: "p", count: 250)
        // Each entity and event time three times, far apart, each time with another feature or another value.
        for pass in 0..<3 {
            for index in 0..<count / 3 {
                // In no order of keys.
                let id = Int64(index * 7919 % 1000)
                let values: [String: Value] =
                    switch pass {
                    case 0: ["count": .int64(0), "note": .string(padding)]
                    case 1: ["rating": .float64(Double(index))]
                    default: ["count": .int64(Int64(index))]
                    }
                try backfill.rows().append(try Examples.key(id), at: Examples.minute(-(index / 1000) - 1), values)
            }
        }
        _ = try backfill.publish()
        #expect(backfill.spilledBytes > 0)
        #expect(backfill.count == count)
        #expect(try FileManager.default.contentsOfDirectory(atPath: it.path + "/tmp") == [])
        var scan = try it.store.scan(ScanRequest(view: "trips"))
        var rows = 0
        while let batch = try scan.next(maxRows: 4096) {
            for row in 0..<batch.count {
                guard case .int64(let id) = batch.columns[0].value(row), case .timestamp(let time) = batch.columns[1].value(row) else {
                    Issue.record("no key")
                    return
                }
                let thousand = Int(Examples.noon.since(time).microseconds / 60_000_000) - 1
                // The index of the row, from its key: 7919 is invertible modulo 1000.
                let index = thousand * 1000 + Int(id) * 679 % 1000
                #expect(batch.columns[2].value(row) == .int64(Int64(index)))
                #expect(batch.columns[3].value(row) == .float64(Double(index)))
                #expect(batch.columns[4].value(row) == .string(padding))
            }
            rows += batch.count
        }
        #expect(rows == count / 3)
    }

    @Test("says how far its publication is, in memory and through runs that are merged more than once", arguments: [3, 40, 70])
    func progress(runs: Int) throws {
        let it = try Examples { $0.backfillBytes = 1 }
        let backfill = try it.store.backfill("trips")
        let note = String(repeating: "n", count: 12_000)
        let count = runs == 3 ? 60 : runs * (1 << 20) / note.utf8.count
        for index in 0..<count {
            try backfill.rows().append(try Examples.key(Int64(index * 7919 % count)), at: Examples.minute(-1), ["note": .string(note)])
        }
        let seen = Mutex<[(rows: Int, total: Int)]>([])
        _ = try backfill.publish { rows, total in seen.withLock { $0.append((rows, total)) } }
        let told = seen.withLock { $0 }
        #expect(told.map(\.rows) == told.map(\.rows).sorted() && told.allSatisfy { $0.rows <= $0.total })
        #expect(told.last?.rows == told.last?.total)
        // What is merged beforehand is written once more.
        #expect(runs <= MergedRuns.fanIn ? told.last?.total == count : (told.last?.total ?? 0) > count)
        #expect((backfill.spilledBytes > 0) == (runs > 3))
    }

    @Test("under an idempotency key it is published once, however its rows are cut; other rows under that key are refused")
    func once() throws {
        let it = try Examples { $0.backfillBytes = 1 }
        let rows = 9000
        func load(_ view: String, _ key: String?, runBytes: Int?, changing: Int? = nil) throws -> Commit {
            let backfill = try Backfill(try it.store, try it.store.view(view), idempotencyKey: key, runBytes: runBytes)
            for index in 0..<rows {
                let feature = view == "trips" ? "count" : "lat"
                let value = index == changing ? -1 : index
                try backfill.rows().append(
                    try Examples.key(Int64(index % 10)), at: Examples.minute(-1 - index),
                    [feature: view == "trips" ? .int64(Int64(value)) : .float64(Double(value))])
            }
            return try backfill.publish()
        }
        func versions() throws -> Int { try it.store.history("trips", try Examples.key(0)).count }
        let first = try load("trips", "jan", runBytes: nil)
        #expect(!first.wasRepeated)
        #expect(try versions() == rows / 10)
        for runBytes in [nil, 100_000] {
            let again = try load("trips", "jan", runBytes: runBytes)
            #expect(again == Commit(time: first.time, wasRepeated: true))
            #expect(try versions() == rows / 10 && FileManager.default.contentsOfDirectory(atPath: it.path + "/tmp") == [])
            // Also out of what is stored.
            try it.reopen()
        }
        for (view, changing) in [("trips", rows / 2), ("position", nil)] as [(String, Int?)] {
            let last = try it.store.lastCommit
            let refused = #expect(throws: WhenceError.self) { try load(view, "jan", runBytes: nil, changing: changing) }
            #expect(refused?.code == .alreadyExists && refused?.message.contains("'jan'") == true)
            #expect(refused?.hint.contains("nothing was written") == true)
            // Of a backfill only its beginning is a commit.
            #expect(try versions() == rows / 10 && it.store.history("position", try Examples.key(0)).isEmpty && it.store.lastCommit > last)
        }
        // Another key, and none, are other loads.
        #expect(try !load("trips", "feb", runBytes: 100_000).wasRepeated && !load("trips", nil, runBytes: nil).wasRepeated)
        #expect(try versions() == 3 * rows / 10)
        // Two that are under way at once: the second to be published is the repetition.
        let batch = ["count": Value.int64(1)]
        let (one, two) = (try it.store.backfill("trips", idempotencyKey: "mar"), try it.store.backfill("trips", idempotencyKey: "mar"))
        for backfill in [one, two] {
            try backfill.rows().append(try Examples.key(77), at: Examples.minute(-1), batch)
            try backfill.prepare()
        }
        let published = try two.publish()
        #expect(try one.publish() == Commit(time: published.time, wasRepeated: true))
        #expect(try it.store.history("trips", try Examples.key(77)).count == 1)
        for key in ["", String(repeating: "k", count: Limits.entityKeyBytes)] {
            let refused = #expect(throws: WhenceError.self) { try it.store.backfill("trips", idempotencyKey: key) }
            #expect(refused?.code == .invalidArgument)
        }
    }

    @Test("reads and streaming writes go on while one is under way") func meanwhile() throws {
        let it = try Examples { $0.backfillBytes = 1 }
        let store = try it.store
        let backfill = try store.backfill("trips")
        for index in 0..<20_000 {
            try backfill.rows().append(
                try Examples.key(Int64(index % 500)), at: Examples.minute(-10 - index / 500),
                ["count": .int64(1), "note": .string("a row of the backfill, which is not known yet")])
            if index % 1000 == 0 {
                let id = Int64(1000 + index)
                try it.write("trips", id, at: -5, ["count": .int64(id)])
                #expect(try it.value("trips.count", id, at: 0) == .int64(id))
                #expect(try it.value("trips.count", Int64(index % 500), at: 0) == .null)
                #expect(try it.latest("trips.count", of: Int64(index % 500)) == [.null])
                if index % 5000 == 0 { try store.compact("trips") }
            }
        }
        _ = try backfill.publish()
        for id in 0..<500 as Range<Int64> where id % 50 == 0 { #expect(try it.latest("trips.count", of: id) == [.int64(1)]) }
        for id in stride(from: Int64(1000), to: 21_000, by: 1000) { #expect(try it.latest("trips.count", of: id) == [.int64(id)]) }
    }

    @Test("several at a time, published in another order than they began") func overlapping() throws {
        let it = try Examples()
        let first = try it.store.backfill("trips")
        let second = try it.store.backfill("position")
        let third = try it.store.backfill("trips")
        try first.rows().append(try Examples.key(1), at: Examples.minute(-5), ["count": .int64(1)])
        try second.rows().append(try Examples.key(1), at: Examples.minute(-5), ["lat": .float64(1)])
        try third.rows().append(try Examples.key(1), at: Examples.minute(-6), ["count": .int64(3)])
        let thirdTime = try third.publish().time
        #expect(try it.value(at: 0) == .int64(3))
        let secondTime = try second.publish().time
        #expect(try it.value(at: 0) == .int64(3))
        let firstTime = try first.publish().time
        #expect(thirdTime < secondTime && secondTime < firstTime)
        #expect(try it.value(at: 0) == .int64(1))
        #expect(try it.value(at: 0, knownAt: secondTime) == .int64(3))
        #expect(try it.value("position.lat", at: 0, knownAt: thirdTime) == .null)
        #expect(try it.value("position.lat", at: 0, knownAt: secondTime) == .float64(1))
    }
}
