import Foundation
import StoreFixtures
import Testing
import WhenceCore
import WhenceEngine

/// A disk that fills up: said clearly, nothing in part, and all that was acknowledged is there once there is space again.
@Suite("A full disk", .serialized) struct FullDiskTests {
    private let workload = KillWorkload(seed: SplitMix.seed())

    private func id(_ number: Int) -> BatchID { BatchID(round: 0, thread: 1, number: number) }

    /// Checks that `error` says what happened and what to do.
    private func expectDiskFull(_ error: WhenceError?) {
        #expect(error?.code == .diskFull, "WHENCE_SEED=\(workload.seed): \(error.map { "\($0)" } ?? "no error")")
        #expect(error?.hint.contains("free some space") == true)
        #expect(error?.isRetryable == true)
    }

    /// A file that takes up space until it is removed.
    private func ballast(_ disk: MountedDirectory, megabytes: Int) throws -> String {
        let path = disk.path + "/ballast"
        try Data(count: megabytes << 20).write(to: URL(filePath: path))
        return path
    }

    /// What is in the store is `acknowledged` and, whole or not at all, `pending`; then that one is written again, and more after it.
    private func expectWhole(_ path: String, _ acknowledged: [BatchID: Timestamp], pending: BatchID) throws {
        let store = try Store(at: path, options: KillWorkload.options())
        var expected = acknowledged
        let stored = try StoredBatches(store, workload)
        expected[pending] = stored.commits[pending]
        #expect(stored.commits == expected, "WHENCE_SEED=\(workload.seed)")
        let commit = try workload.write(pending, to: store)
        #expect(commit.wasRepeated == (expected[pending] != nil))
        expected[pending] = commit.time
        for number in pending.number + 1...pending.number + 3 { expected[id(number)] = try workload.write(id(number), to: store).time }
        try store.compact("numbers")
        #expect(try StoredBatches(store, workload).commits == expected, "WHENCE_SEED=\(workload.seed)")
    }

    /// Writes until it fails.
    private func fill(_ store: Store, from first: Int = 0, _ acknowledged: inout [BatchID: Timestamp]) -> (pending: BatchID, error: WhenceError?) {
        for number in first..<20_000 {
            do throws(WhenceError) {
                acknowledged[id(number)] = try workload.write(id(number), to: store).time
            } catch {
                return (id(number), error)
            }
        }
        return (id(20_000), nil)
    }

    @Test("writes until it is full", .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func writes() throws {
        let disk = try MountedDirectory(megabytes: 16)
        let ballast = try ballast(disk, megabytes: 10)
        let path = disk.path + "/store"
        var acknowledged: [BatchID: Timestamp] = [:]
        var pending = id(0)
        do {
            let store = try Store(at: path, options: KillWorkload.options())
            try store.define(KillWorkload.yaml)
            let (failed, error) = fill(store, &acknowledged)
            pending = failed
            expectDiskFull(error)
            #expect(acknowledged.count > 3)
            // The next one is told the same, and what was acknowledged can still be read.
            #expect(throws: WhenceError.self) { try workload.write(id(failed.number + 1), to: store) }
            var known = try StoredBatches(store, workload).commits
            known[failed] = nil
            #expect(known == acknowledged, "WHENCE_SEED=\(workload.seed)")
        }
        try FileManager.default.removeItem(atPath: ballast)
        try expectWhole(path, acknowledged, pending: pending)
    }

    @Test("a backfill until it is full", .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func backfill() throws {
        let disk = try MountedDirectory(megabytes: 24)
        let path = disk.path + "/store"
        var acknowledged: [BatchID: Timestamp] = [:]
        do {
            let store = try Store(at: path, options: KillWorkload.options())
            try store.define(KillWorkload.yaml)
            for number in 0..<5 { acknowledged[id(number)] = try workload.write(id(number), to: store).time }
            let ballast = try ballast(disk, megabytes: 12)
            var random = SplitMix(workload.seed)
            var failure: WhenceError?
            do throws(WhenceError) {
                let backfill = try store.backfill("numbers")
                for index in 0..<400_000 {
                    let label = String((0..<8).map { _ in String(random.next(), radix: 36) }.joined())
                    let time = KillWorkload.instant(0).advanced(by: .microseconds(index))
                    try backfill.rows().append(try EntityKey([.int64(Int64(index % 120))]), at: time, ["label": .string(label)])
                }
                _ = try backfill.publish()
            } catch {
                failure = error
            }
            expectDiskFull(failure)
            // What it had written is given up, so that there is space for the next one.
            #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/tmp") == [])
            #expect(try StoredBatches(store, workload).commits == acknowledged, "WHENCE_SEED=\(workload.seed)")
            try FileManager.default.removeItem(atPath: ballast)
        }
        try expectWhole(path, acknowledged, pending: id(5))
        let store = try Store(at: path, options: KillWorkload.options())
        let batch = BatchID(round: 1, thread: KillWorkload.backfiller, number: 0)
        let commit = try workload.backfill(batch, to: store)
        #expect(try StoredBatches(store, workload).commits[batch] == commit.time)
    }

    @Test("files that may not grow further, in another process")
    func limitedFiles() throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path("store")
        let writer = try WriterProcess(["fill", path, String(workload.seed), "300000"], log: scratch.path("log"))
        #expect(writer.waitUntilExit() == 1)
        let said = try writer.lines()
        #expect(said.last?.hasPrefix("error diskFull free some space") == true, "WHENCE_SEED=\(workload.seed): \(said.last ?? "")")
        let acknowledged = try writer.acknowledgements()
        #expect(acknowledged.count > 3)
        try expectWhole(
            path, Dictionary(uniqueKeysWithValues: acknowledged.map { ($0.batch, $0.commit) }), pending: id(acknowledged.count))
    }
}
