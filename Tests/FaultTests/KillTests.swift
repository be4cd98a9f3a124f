import Foundation
import RandomFixtures
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// A writer is killed at a random instant; what it acknowledged is there, and nothing is there in part. `WHENCE_SOAK_KILLS` says
/// how often; `WHENCE_SEED` replays what is written and when the kill is meant to come, though not where it hits.
@Suite("A writer that is killed", .serialized) struct KillTests {
    /// A store lives through so many kills before the next one is begun.
    private static let killsPerStore = 5

    @Test("whatever it acknowledged is there, and whole") func kills() throws {
        let seed = SeededRandom.seed()
        print("kills: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        let kills = ProcessInfo.processInfo.environment["WHENCE_SOAK_KILLS"].flatMap { Int($0) } ?? 20
        var totals = Survivor.Totals()
        var survivor = Survivor(try ScratchDirectory(), KillWorkload(seed: seed))
        for round in 0..<kills {
            if round > 0, round % KillTests.killsPerStore == 0 { survivor = Survivor(try ScratchDirectory(), KillWorkload(seed: seed)) }
            do {
                try survivor.killOnce(round, &random, &totals)
            } catch {
                Issue.record("WHENCE_SEED=\(seed), kill \(round + 1): \(error)")
                return
            }
        }
        print("kills: \(kills), \(totals)")
        // Without these the test would have shown nothing.
        #expect(totals.acknowledged > kills)
        #expect(totals.retried > 0)
        #expect(totals.joined > 0)
    }

    @Test("a store that was being made is made by the next one who opens it") func madeAgain() throws {
        let seed = SeededRandom.seed()
        print("madeAgain: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        var unfinished = 0
        for round in 0..<25 {
            let scratch = try ScratchDirectory()
            let path = scratch.path("store")
            let writer = try WriterProcess(["write", path, String(seed), "0"], log: scratch.path("log"))
            writer.wait { FileManager.default.fileExists(atPath: path) }
            usleep(useconds_t(random.below(round % 5 == 0 ? 1000 : 40_000)))
            _ = writer.killHard()
            if try writer.lines().isEmpty { unfinished += 1 }
            let acknowledged = try writer.acknowledgements()
            try expectUsable(path, acknowledged, seed)
        }
        print("madeAgain: \(unfinished) of 25 were killed before the store was open")
        #expect(unfinished > 0)
    }

    /// Kills that come where a file grows beyond a size: at certain points of the making, each of them every time.
    @Test(
        "a store whose making was cut short at a certain byte",
        arguments: [0, 1, 4, 8, 16, 17, 40, 64, 100, 150, 250, 400, 700, 1000, 3000, 8000, 15_000, 25_000, 50_000])
    func cutShort(_ byteCount: Int) throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path("store")
        let writer = try WriterProcess(["limit", path, "11", String(byteCount)], log: scratch.path("log"))
        #expect(writer.waitForSignal() == SIGXFSZ)
        let acknowledged = try writer.acknowledgements()
        try expectUsable(path, acknowledged, 11)
    }

    /// Definitions are there whole or not at all, all that was acknowledged is, and it can be written to.
    private func expectUsable(_ path: String, _ acknowledged: [WriterProcess.Acknowledgement], _ seed: UInt64) throws {
        let workload = KillWorkload(seed: seed)
        let store = try Store(at: path, options: KillWorkload.options())
        let views = store.catalog.views.count
        try #require(views == 3 || (views == 0 && acknowledged.isEmpty), "WHENCE_SEED=\(seed): definitions are applied whole")
        if views == 0 { try store.define(KillWorkload.yaml) }
        let stored = try StoredBatches(store, workload).commits
        for each in acknowledged { try #require(stored[each.batch] == each.commit, "WHENCE_SEED=\(seed): batch \(each.batch)") }
        let batch = BatchID(round: 1, thread: 1, number: 0)
        let commit = try workload.write(batch, to: store)
        try #require(try StoredBatches(store, workload).commits[batch] == commit.time)
    }
}
