import Foundation
import RandomFixtures
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// One store that lives through several kills of its writer.
struct Survivor {
    struct Totals: CustomStringConvertible {
        var acknowledged = 0
        /// Batches that were not acknowledged, and are there.
        var silent = 0
        var backfills = 0
        var retried = 0
        var joined = 0

        var description: String {
            "\(acknowledged) acknowledged batches (\(backfills) of them backfills), \(silent) more that were there, \(retried) retries, "
                + "\(joined) joined values"
        }
    }

    private let directory: ScratchDirectory
    private let workload: KillWorkload
    /// The batches that are known to be there, from the acknowledgements of all writers so far or from having been seen.
    private var ledger: [BatchID: Timestamp] = [:]

    init(_ directory: ScratchDirectory, _ workload: KillWorkload) {
        self.directory = directory
        self.workload = workload
    }

    /// Starts the writer, kills it, and checks the store.
    mutating func killOnce(_ round: Int, _ random: inout SeededRandom, _ totals: inout Totals) throws {
        let path = directory.path("store")
        let log = directory.path("log-\(round)")
        let writer = try WriterProcess(["write", path, String(workload.seed), String(round)], log: log)
        // Half of the kills come so long after the start, at times while the store is opened; the others amid the work.
        if random.chance(1, 2) {
            usleep(useconds_t(random.below(600_000)))
        } else {
            try writer.wait(forLines: 2 + random.below(90))
            usleep(useconds_t(random.below(30_000)))
        }
        let wasKilled = writer.killHard()
        let said = try writer.lines()
        try #require(wasKilled, "the writer ended by itself: \(said.last ?? "")")
        let acknowledged = try writer.acknowledgements()
        totals.acknowledged += acknowledged.count
        totals.backfills += acknowledged.count { $0.batch.thread == KillWorkload.backfiller }

        let store = try Store(at: path, options: KillWorkload.options())
        let before = ledger.values.max() ?? .distantPast
        var latest: [Int: WriterProcess.Acknowledgement] = [:]
        for each in acknowledged {
            try #require(each.commit > before, "a commit time goes back behind an earlier run of the writer")
            if let last = latest[each.batch.thread] {
                try #require(each.commit > last.commit, "the commit times of one thread do not increase")
            }
            latest[each.batch.thread] = each
            try #require(!ledger.values.contains(each.commit), "two batches have one commit time")
            ledger[each.batch] = each.commit
        }
        if store.catalog.views.isEmpty {
            try #require(ledger.isEmpty, "the definitions are gone")
            return
        }
        try #require(store.lastCommit >= ledger.values.max() ?? .distantPast)

        // What is there: all that is in the ledger, and of each thread at most the one batch that was on its way.
        let pending = (0...KillWorkload.backfiller).map {
            BatchID(round: round, thread: $0, number: (latest[$0]?.batch.number ?? -1) + 1)
        }
        let stored = try StoredBatches(store, workload)
        for (batch, commit) in ledger {
            try #require(stored.commits[batch] == commit, "batch \(batch) was acknowledged at \(commit.microseconds)")
        }
        for (batch, commit) in stored.commits where ledger[batch] == nil {
            try #require(pending.contains(batch), "batch \(batch) was never written by this run")
            try #require(commit <= store.lastCommit && commit > before)
            try #require(!ledger.values.contains(commit), "two batches have one commit time")
            ledger[batch] = commit
            totals.silent += 1
        }
        try compareJoins(store, &random, &totals)
        try retry(pending, acknowledged, store, &totals)
        let after = try StoredBatches(store, workload)
        try #require(after.commits == ledger, "a retry changed what is there")
    }

    /// A write of the same idempotency key is one write, whether or not the first one was acknowledged, and a backfill one publication.
    private mutating func retry(
        _ pending: [BatchID], _ acknowledged: [WriterProcess.Acknowledgement], _ store: Store, _ totals: inout Totals
    ) throws {
        func isBackfill(_ batch: BatchID) -> Bool { batch.thread == KillWorkload.backfiller }
        let known = [acknowledged.last { KillWorkload.hasKey($0.batch) }, acknowledged.last { isBackfill($0.batch) }].compactMap {
            $0?.batch
        }
        for batch in pending.filter({ KillWorkload.hasKey($0) || isBackfill($0) }) + known {
            let last = store.lastCommit
            let commit = try isBackfill(batch) ? workload.backfill(batch, to: store) : workload.write(batch, to: store)
            if let earlier = ledger[batch] {
                try #require(commit.wasRepeated && commit.time == earlier, "batch \(batch) was written again")
            } else {
                try #require(!commit.wasRepeated && commit.time > last, "batch \(batch) was lost, and is not written again")
                ledger[batch] = commit.time
            }
            totals.retried += 1
        }
    }

    /// Joins pinned at commit times of the ledger give what the batches up to there say.
    private func compareJoins(_ store: Store, _ random: inout SeededRandom, _ totals: inout Totals) throws {
        let model = BatchModel(ledger, workload)
        let commits = ledger.values.sorted()
        guard !commits.isEmpty else { return }
        let pins = [commits[random.below(commits.count)], commits[random.below(commits.count)], store.lastCommit]
        for pin in pins {
            let instants = [0, 1].map { _ in KillWorkload.instant(random.below(1400)) } + [KillWorkload.end]
            try compare(
                ["numbers.batch", "numbers.amount", "numbers.label", "texts.batch", "texts.text"], instants, pin, model, store, &totals)
            // Its history is cut short, but not behind the end.
            try compare(["aged.batch", "aged.amount"], [KillWorkload.end], pin, model, store, &totals)
        }
    }

    private func compare(
        _ features: [String], _ instants: [Timestamp], _ pin: Timestamp, _ model: BatchModel, _ store: Store, _ totals: inout Totals
    ) throws {
        let rows = KillWorkload.entities.flatMap { entity in instants.map { (entity, $0) } }
        let spine = try Store.spine([("id", rows.map { .int64($0.0) })], types: [.int64], at: rows.map(\.1))
        var join = try store.join(JoinRequest(service: try store.catalog.resolve(features: features), knownAt: pin), spine: spine)
        let result = try #require(try join.next())
        try #require(result.count == rows.count)
        for feature in features {
            let column = try #require(result.column(named: feature))
            for (row, (entity, T)) in rows.enumerated() {
                let expected = model.value(feature, entity, at: T, knownAt: pin)
                let got = column.value(row)
                try #require(
                    got.isIdentical(to: expected),
                    "\(feature) of \(entity) at \(T.microseconds), known at \(pin.microseconds): \(got), not \(expected)")
                totals.joined += 1
            }
        }
    }
}
