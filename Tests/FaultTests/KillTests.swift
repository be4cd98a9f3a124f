import Foundation
import StoreFixtures
import Testing
import WhenceCore
import WhenceEngine

/// A writer is killed at a random instant; what it acknowledged is there, and nothing is there in part. `WHENCE_SOAK_KILLS` says
/// how often; `WHENCE_SEED` replays what is written and when the kill is meant to come, though not where it hits.
@Suite("A writer that is killed", .serialized) struct KillTests {
    /// A store lives through so many kills before the next one is begun.
    private static let killsPerStore = 5

    @Test("whatever it acknowledged is there, and whole") func kills() throws {
        let seed = SplitMix.seed()
        print("kills: WHENCE_SEED=\(seed)")
        var random = SplitMix(seed)
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
}
