import Foundation
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// A damaged log of rows that are in no file yet: refused, or cut between two batches; never misread.
@Suite("A damaged log", .serialized) struct LogDamageTests {
    private let scratch: ScratchDirectory
    private let seed = SplitMix.seed()
    private let batches: [BatchID]
    private let commits: [BatchID: Timestamp]
    private let log: String

    init() throws {
        scratch = try ScratchDirectory()
        let workload = KillWorkload(seed: seed)
        batches = (0..<30).map { BatchID(round: 0, thread: 1, number: $0) }
        var commits: [BatchID: Timestamp] = [:]
        do {
            let store = try Store(at: scratch.path("store"), options: LogDamageTests.options)
            try store.define(KillWorkload.yaml)
            for batch in batches { commits[batch] = try workload.write(batch, to: store).time }
        }
        self.commits = commits
        let logs = try FileTree.names(scratch.path("store/db"), ending: ".log")
        log = try #require(logs.last)
        try #require(try FileTree.byteCount(scratch.path("store/db/" + log)) > 10_000, "the batches are in the log")
    }

    /// Memtables that hold everything, so that it is in the log alone.
    private static var options: StoreOptions {
        var options = KillWorkload.options()
        options.memtableBytes = 256 << 20
        return options
    }

    /// Opens a copy of the store whose log `damage` has changed. How many batches are left, or nil where it was refused.
    private func survivors(_ name: String, _ damage: (String) throws -> Void) throws -> Int? {
        let path = scratch.path(name)
        try FileManager.default.copyItem(atPath: scratch.path("store"), toPath: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try damage(path + "/db/" + log)
        let store: Store
        do throws(WhenceError) {
            store = try Store(at: path, options: LogDamageTests.options)
        } catch {
            #expect(error.code == .corruption, "\(error)")
            #expect(error.hint.isEmpty == false)
            return nil
        }
        guard !store.catalog.views.isEmpty else { return 0 }
        let stored = try StoredBatches(store, KillWorkload(seed: seed))
        let prefix = Dictionary(uniqueKeysWithValues: batches.prefix(stored.commits.count).map { ($0, commits[$0]) })
        #expect(stored.commits == prefix.compactMapValues { $0 }, "WHENCE_SEED=\(seed): not the first batches")
        if let last = stored.commits.values.max() { #expect(store.lastCommit == last, "WHENCE_SEED=\(seed)") }
        // And it goes on from there.
        let next = BatchID(round: 1, thread: 1, number: 0)
        let commit = try KillWorkload(seed: seed).write(next, to: store)
        #expect(!commit.wasRepeated)
        #expect(try StoredBatches(store, KillWorkload(seed: seed)).commits.count == stored.commits.count + 1)
        return stored.commits.count
    }

    @Test("whole, for comparison") func whole() throws {
        #expect(try survivors("whole") { _ in } == batches.count)
    }

    @Test("a flipped byte") func flipped() throws {
        print("flipped: WHENCE_SEED=\(seed)")
        var random = SplitMix(seed)
        var refused = 0
        var cut = 0
        for index in 0..<25 {
            let left = try survivors("copy-\(index)") { file in
                let size = try FileTree.byteCount(file)
                try FileTree.flip(file, at: random.below(size), mask: 1 << UInt8(random.below(8)))
            }
            if let left {
                cut += left < batches.count ? 1 : 0
            } else {
                refused += 1
            }
        }
        #expect(refused + cut > 0, "no damage was noticed")
        print("flipped: of 25 logs \(refused) were refused, \(cut) cut short")
    }

    @Test("cut short, as by a power failure") func torn() throws {
        print("torn: WHENCE_SEED=\(seed)")
        var random = SplitMix(seed)
        for index in 0..<15 {
            let left = try survivors("copy-\(index)") { file in
                let size = try FileTree.byteCount(file)
                try FileTree.truncate(file, to: random.below(size))
            }
            #expect(left.map { $0 < batches.count } == true, "a torn end is no corruption, and loses the last batch")
        }
    }
}
