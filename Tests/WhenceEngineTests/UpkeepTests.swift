import Foundation
import RandomFixtures
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// What a person does to a store: retention, erasure, compaction, a look at its state.
@Suite("Upkeep") struct UpkeepTests {
    private let it: Examples
    private static let horizon = Examples.minute(5)

    init() throws {
        it = try Examples()
        for minutes in [-30, -20, -10, 10] {
            try it.write(at: minutes, availableAt: Examples.minute(minutes), ["count": .int64(Int64(minutes))])
        }
        try it.write("trips", 2, at: -30, ["count": .int64(2), "note": .string("carried by the older one alone")])
        try it.write("trips", 2, at: -20, ["count": .int64(3)])
        it.clock.now = Examples.minute(60)
    }

    private func count(_ id: Int64) throws -> Int { try it.store.history("trips", try Examples.key(id)).count }

    @Test("retention keeps what a read at the horizon or later needs, and refuses the ones before") func retention() throws {
        let before = try [0, 5, 10, 30].map { try it.value(at: $0 + 5) }
        let dry = try it.store.retain("trips", horizon: UpkeepTests.horizon, dryRun: true)
        #expect(dry.versionsSeen == 6 && dry.versionsRemoved == 2)
        #expect(try count(1) == 4 && it.value(at: -25) == .int64(-30))
        var progress = 0
        let report = try it.store.retain("trips", horizon: UpkeepTests.horizon) { progress = $0 }
        #expect(report.versionsRemoved == dry.versionsRemoved && report.bytesRemoved > 0 && report.bytesRemoved == dry.bytesRemoved)
        // The files were rewritten without them: an entry that is deleted but still there would count twice.
        #expect(try it.store.statistics().views.first { $0.name == "trips" }?.versions == 4)
        #expect(report.horizon == UpkeepTests.horizon && progress <= 6)
        for _ in 0..<2 {
            #expect(try count(1) == 2 && count(2) == 2, "the newest before the horizon stays, and what only an older one carries")
            #expect(try [0, 5, 10, 30].map { try it.value(at: $0 + 5) } == before)
            #expect(
                try it.store.values(["trips.count", "trips.note"], "driver", 2, at: UpkeepTests.horizon) == [
                    .int64(3), .string("carried by the older one alone"),
                ])
            #expect(try it.latest("trips.count", of: 1) == [.int64(10)])
            let early = #expect(throws: WhenceError.self) { try it.value(at: 4) }
            #expect(early?.code == .beyondRetention && early?.hint.isEmpty == false)
            let pinned = #expect(throws: WhenceError.self) { try it.value(at: 30, knownAt: Examples.minute(4)) }
            #expect(pinned?.code == .beyondRetention)
            #expect(try it.value(at: 30, knownAt: UpkeepTests.horizon) == .int64(10))
            // Other views are as they were.
            #expect(try it.value("position.lat", at: -25) == .null)
            #expect(try it.store.statistics().views.first { $0.name == "trips" }?.horizon == UpkeepTests.horizon)
            try it.reopen()
        }
        // The horizon does not go back, and is not in the future.
        #expect(try it.store.retain("trips", horizon: Examples.minute(-60)).horizon == UpkeepTests.horizon)
        let future = #expect(throws: WhenceError.self) { try it.store.retain("trips", horizon: Examples.minute(61)) }
        #expect(future?.code == .invalidTime)
        // What a retraction would uncover is gone.
        let batch = try it.store.batch("trips")
        try batch.appendRetraction(try Examples.key(1), at: Examples.minute(-10))
        let retraction = #expect(throws: WhenceError.self) { try it.store.write(batch) }
        #expect(retraction?.code == .beyondRetention)
    }

    @Test("the horizon that a view declares") func declared() throws {
        let undeclared = #expect(throws: WhenceError.self) { try it.store.retain("trips") }
        #expect(undeclared?.code == .invalidArgument && undeclared?.hint.contains("retention") == true)
        try it.store.define(
            Examples.yaml.replacing(
                "    entity: driver\n    features: [{ name: count",
                with: "    entity: driver\n    retention: 55m\n    features: [{ name: count"))
        #expect(try it.store.retain("trips").horizon == UpkeepTests.horizon)
        #expect(try count(1) == 2)
    }

    @Test("erasure: every version of the entity in every view, and its bytes in every file") func erasure() throws {
        // Long and without repeats, so that no compression hides it.
        var random = SeededRandom(seed: 4)
        let marker = (0..<8).map { _ in String(random.next(), radix: 36) }.joined()
        let key = try Examples.key(0x1234_5678_9ABC)
        let keyBytes = Data(key.bytes)
        func write(_ minutes: Int, flush: Bool) throws {
            let batch = try it.store.batch("trips")
            try batch.append(key, at: Examples.minute(minutes), ["note": .string(marker)])
            try batch.append(try Examples.key(0x1234_5678_9ABD), at: Examples.minute(minutes), ["note": .string("the neighbour stays")])
            try it.store.write(batch)
            if flush { try it.store.flush("trips") }
        }
        try write(-9, flush: true)
        try write(-8, flush: true)
        try it.backfill { batch in try batch.append(key, at: Examples.minute(-7), ["note": .string(marker)]) }
        try it.write("position", 0x1234_5678_9ABC, at: -5, ["lat": .float64(1)])
        try write(-6, flush: false)
        #expect(try it.latest("trips.note", of: 0x1234_5678_9ABC) == [.string(marker)])

        func files(with bytes: Data) throws -> [String] {
            try FileTree.contents(it.path).filter { $0.value?.range(of: bytes) != nil }.map(\.key).sorted()
        }
        #expect(try files(with: Data(marker.utf8)).contains { $0.hasSuffix(".sst") }, "the marker would be found")
        #expect(try files(with: Data(marker.utf8)).contains { $0.hasSuffix(".log") }, "also in the log")
        let dry = try it.store.erase("driver", key, dryRun: true)
        #expect(dry.map(\.view) == ["position", "trips"] && dry.map(\.versionsRemoved) == [1, 4])
        #expect(try it.store.history("trips", key).count == 4)
        var steps: [Int] = []
        let report = try it.store.erase("driver", key) { done, total in
            steps.append(done)
            // From two views, out of memory for them, another one and the records, out of the files of the two.
            #expect(total == 2 + 4 + 2)
        }
        #expect(steps == Array(0...8))
        #expect(report.map(\.versionsRemoved) == [1, 4])
        #expect(try files(with: Data(marker.utf8)) == [], "the bytes are gone while the store is open")
        // RocksDB's list of files names the first and the last key of each, those of the removed ones as well, until it is written anew.
        #expect(try files(with: keyBytes).filter { !$0.contains("MANIFEST") } == [], "so is the key")
        for _ in 0..<2 {
            #expect(try it.store.history("trips", key).isEmpty && it.store.history("position", key).isEmpty)
            #expect(try it.latest("trips.note", of: 0x1234_5678_9ABC) == [.null])
            #expect(try it.store.history("trips", try Examples.key(0x1234_5678_9ABD)).count == 3)
            #expect(try count(1) == 4)
            try it.reopen()
        }
        #expect(try it.store.erase("driver", key).map(\.versionsRemoved) == [0, 0])
        let unknown = #expect(throws: WhenceError.self) { try it.store.erase("planet", key) }
        #expect(unknown?.code == .notFound)
        it.close()
        #expect(try files(with: Data(marker.utf8)) == [])
        #expect(try files(with: keyBytes) == [])
    }

    @Test("statistics: what there is, before and after it becomes files") func statistics() throws {
        let fresh = try it.store.statistics()
        #expect(fresh.path == it.path && fresh.formatVersion == 1 && fresh.catalogVersion == 1)
        #expect(try fresh.lastCommit == it.store.lastCommit)
        #expect(fresh.views.map(\.name) == ["position", "trips", "weather"])
        #expect(fresh.views[1].versions == 6 && fresh.views[1].files == 0 && fresh.views[1].memtableBytes > 0)
        #expect(!fresh.isWriteStopped && fresh.backgroundErrors == 0)
        #expect(fresh.blockCacheBytes == 8 << 20)
        try it.store.flush("trips")
        let flushed = try it.store.statistics().views[1]
        #expect(flushed.files == 1 && flushed.fileBytes > 0 && flushed.filesByLevel == [1])
        try it.write(at: -1, ["count": .int64(0)])
        try it.store.compact("trips")
        let compacted = try it.store.statistics().views[1]
        #expect(compacted.files == 1 && compacted.versions == 7 && compacted.filesByLevel.first == 0 && compacted.filesByLevel.last == 1)
        #expect(compacted.horizon == nil && compacted.pendingCompactionBytes == 0)
        for body in [{ try it.store.compact("planes") }, { try it.store.flush("planes") }] as [() throws -> Void] {
            let error = #expect(throws: WhenceError.self, performing: body)
            #expect(error?.code == .notFound)
        }
    }

    @Test("flushes and compactions change no answer") func noChange() throws {
        func answers() throws -> [Value] {
            try (-35...15).flatMap { minutes in try [1, 2].map { try it.value("trips.count", $0, at: minutes) } }
        }
        let before = try answers()
        #expect(Set(before).count > 4)
        try it.store.flush("trips")
        #expect(try answers() == before)
        try it.store.compact("trips")
        #expect(try answers() == before)
        try it.reopen()
        #expect(try answers() == before)
    }
}
