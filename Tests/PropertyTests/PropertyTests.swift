import Foundation
import RandomFixtures
import Testing
import WhenceCore
import WhenceEngine

/// The engine against the naive model, over random schedules. `WHENCE_SEED` replays one schedule; `WHENCE_SOAK_SECONDS` runs
/// fresh ones for so long.
@Suite(.serialized) struct PropertyTests {
    /// Why a schedule fails, or nil where it does not.
    private static func failure(_ schedule: Schedule) -> String? {
        do {
            _ = try ScheduleRunner.run(schedule)
            return nil
        } catch {
            return "\(error)"
        }
    }

    private static let stepsPerSchedule = 120

    /// What a run must have done at least once.
    private static let kinds = [
        "abandon", "alter", "compact", "entities", "erase", "flush", "history", "join", "join of images", "join that spills", "large join",
        "online",
        "online with a kept reader", "publish", "publish of runs", "refused beyond retention", "repeated write", "restart",
        "retain that removes", "scan", "split write", "write",
    ]

    private static func isCovered(_ coverage: [String: Int]) -> Bool { kinds.allSatisfy { coverage[$0] != nil } }

    /// Runs the schedule of `seed`; shrinks and reports it where it fails.
    private static func run(_ seed: UInt64, _ reads: inout Int, _ coverage: inout [String: Int]) -> Bool {
        var generator = ScheduleGenerator(seed: seed)
        let schedule = generator.schedule(steps: stepsPerSchedule)
        do {
            let result = try ScheduleRunner.run(schedule)
            reads += result.reads
            coverage.merge(result.coverage, uniquingKeysWith: +)
            return true
        } catch {
            var shrinker = Shrinker(schedule, "\(error)", failure: PropertyTests.failure)
            shrinker.shrink()
            Issue.record("WHENCE_SEED=\(seed) fails: \(error)\nshrunk: \(shrinker.message)\n\(shrinker.best)")
            return false
        }
    }

    @Test func readsAreThoseOfTheModel() {
        let environment = ProcessInfo.processInfo.environment
        let first = SeededRandom.statedSeed ?? UInt64.random(in: 0..<1 << 48)
        print("readsAreThoseOfTheModel: WHENCE_SEED=\(first)")
        var reads = 0
        var coverage: [String: Int] = [:]
        if SeededRandom.statedSeed != nil {
            _ = PropertyTests.run(first, &reads, &coverage)
            return
        }
        var seeds = SeededRandom(seed: first)
        var seed = first
        var schedules = 0
        if let seconds = environment["WHENCE_SOAK_SECONDS"].flatMap({ Double($0) }) {
            let start = ContinuousClock.now
            while ContinuousClock.now - start < .seconds(seconds) {
                print("schedule \(schedules + 1): WHENCE_SEED=\(seed)")
                guard PropertyTests.run(seed, &reads, &coverage) else { return }
                schedules += 1
                seed = seeds.next() >> 16
            }
        } else {
            while reads < 200_000 || (!PropertyTests.isCovered(coverage) && schedules < 200) {
                guard PropertyTests.run(seed, &reads, &coverage) else { return }
                schedules += 1
                seed = seeds.next() >> 16
            }
            #expect(reads >= 100_000)
            #expect(PropertyTests.isCovered(coverage), "some kinds of steps did nothing in \(schedules) schedules: \(coverage)")
        }
        print("\(schedules) schedules, \(reads) values compared")
        for (what, count) in coverage.sorted(by: { $0.key < $1.key }) { print("  \(what): \(count)") }
    }
}
