import Foundation
import RandomFixtures
import StoreFixtures
import WhenceCore
import WhenceEngine

/// The threads of a writer that goes on until it is killed.
final class Writing: Sendable {
    private let store: Store
    private let workload: KillWorkload
    private let round: Int

    init(_ store: Store, _ workload: KillWorkload, round: Int) {
        self.store = store
        self.workload = workload
        self.round = round
    }

    func run() throws(WhenceError) {
        for thread in KillWorkload.writers {
            loop { number throws(WhenceError) in
                let id = BatchID(round: self.round, thread: thread, number: number)
                let commit = try self.workload.write(id, to: self.store)
                say("ack \(id.code) \(commit.time.microseconds)")
            }
        }
        loop { number throws(WhenceError) in
            let id = BatchID(round: self.round, thread: KillWorkload.backfiller, number: number)
            let commit = try self.workload.backfill(id, to: self.store)
            say("ack \(id.code) \(commit.time.microseconds)")
        }
        loop { number throws(WhenceError) in try self.upkeep(number) }
        while true { sleep(60) }
    }

    /// Runs `body` with 0, 1, 2, … on a thread of its own.
    private func loop(_ body: @escaping @Sendable (Int) throws(WhenceError) -> Void) {
        Thread.detachNewThread {
            var number = 0
            while true {
                do throws(WhenceError) {
                    try body(number)
                } catch {
                    report(error)
                    exit(1)
                }
                number += 1
            }
        }
    }

    private func upkeep(_ number: Int) throws(WhenceError) {
        var random = SeededRandom(seed: workload.seed ^ UInt64(round) << 32 ^ UInt64(number))
        let view = ["numbers", "texts", "aged"][random.below(3)]
        switch random.below(6) {
        case 0: try store.compact(view)
        case 1, 2: try store.flush(view)
        case 3: _ = try store.retain("aged", horizon: KillWorkload.instant(random.below(400)))
        default: _ = try store.history(view, try EntityKey([.int64(Int64(random.below(120)))]))
        }
        usleep(useconds_t(random.below(20_000)))
    }
}
