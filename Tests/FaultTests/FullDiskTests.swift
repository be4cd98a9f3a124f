import Foundation
import RandomFixtures
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// A disk that fills up: said clearly, nothing in part, and all that was acknowledged is there once there is space again.
@Suite("A full disk", .serialized) struct FullDiskTests {
    private let workload = KillWorkload(seed: SeededRandom.seed())

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

    /// What is in the store is `acknowledged` and, whole or not at all, the two that failed; then those are written again, and more.
    private func expectWhole(_ path: String, _ acknowledged: [BatchID: Timestamp]) throws {
        let store = try Store(at: path, options: KillWorkload.options())
        var expected = acknowledged
        let stored = try StoredBatches(store, workload)
        let failed = [id(acknowledged.count), id(acknowledged.count + 1)]
        for batch in failed { expected[batch] = stored.commits[batch] }
        #expect(stored.commits == expected, "WHENCE_SEED=\(workload.seed)")
        for batch in failed + [id(acknowledged.count + 2), id(acknowledged.count + 3)] {
            let commit = try workload.write(batch, to: store)
            #expect(commit.wasRepeated == (expected[batch] != nil))
            expected[batch] = commit.time
        }
        try store.compact("numbers")
        #expect(try StoredBatches(store, workload).commits == expected, "WHENCE_SEED=\(workload.seed)")
    }

    /// Lets a writer in another process write until the disk is full: RocksDB may well end a process over that.
    private func fill(_ path: String, log: String, mode: String = "fill", fileBytes: Int = 0) throws -> [BatchID: Timestamp] {
        let writer = try WriterProcess([mode, path, String(workload.seed), String(fileBytes)], log: log)
        let code = writer.waitUntilExit()
        let said = try writer.lines()
        try #require(code == 0, "WHENCE_SEED=\(workload.seed): the writer ended with \(code) after '\(said.last ?? "")'")
        let acknowledged = try writer.acknowledgements()
        #expect(acknowledged.count > 3)
        let errors = said.filter { $0.hasPrefix("error") }
        #expect(errors.count == 2, "the write that failed was told, and the next one")
        #expect(errors.allSatisfy { $0.hasPrefix("error diskFull free some space") }, "WHENCE_SEED=\(workload.seed): \(errors)")
        #expect(said.last == "whole \(acknowledged.count)", "WHENCE_SEED=\(workload.seed): what was acknowledged can still be read")
        return Dictionary(uniqueKeysWithValues: acknowledged.map { ($0.batch, $0.commit) })
    }

    @Test("writes until it is full", .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func writes() throws {
        let disk = try MountedDirectory(megabytes: 16)
        let ballast = try ballast(disk, megabytes: 10)
        let path = disk.path + "/store"
        let scratch = try ScratchDirectory()
        let acknowledged = try fill(path, log: scratch.path("log"))
        try FileManager.default.removeItem(atPath: ballast)
        try expectWhole(path, acknowledged)
    }

    @Test("filled to the last byte by something else", .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func crammed() throws {
        let disk = try MountedDirectory(megabytes: 16)
        let path = disk.path + "/store"
        let scratch = try ScratchDirectory()
        let acknowledged = try fill(path, log: scratch.path("log"), mode: "cram")
        try FileManager.default.removeItem(atPath: disk.path + "/ballast")
        try expectWhole(path, acknowledged)
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
            var random = SeededRandom(seed: workload.seed)
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
        try expectWhole(path, acknowledged)
        let store = try Store(at: path, options: KillWorkload.options())
        let batch = BatchID(round: 1, thread: KillWorkload.backfiller, number: 0)
        let commit = try workload.backfill(batch, to: store)
        #expect(try StoredBatches(store, workload).commits[batch] == commit.time)
    }

    /// Rows of the same few accounts, as many as are asked for.
    private struct Accounts: Spine {
        let columns = [SpineColumn(name: "id", type: .int64), SpineColumn(name: "event_time", type: .timestamp)]
        var left: Int

        mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
            guard left > 0 else { return nil }
            let (ids, times) = (ColumnBuilder(.int64), ColumnBuilder(.timestamp))
            let count = min(left, maxRows)
            for row in 0..<count {
                ids.append(fixed: Int64((left - row) * 7 % 120))
                times.append(fixed: KillWorkload.end.microseconds)
            }
            left -= count
            return ColumnBatch(names: columns.map(\.name), columns: [try ids.finish(), try times.finish()], count: count)
        }
    }

    @Test(
        "a join that spills into it: told, given up, and run again elsewhere",
        .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func join() throws {
        let disk = try MountedDirectory(megabytes: 2)
        let scratch = try ScratchDirectory()
        let store = try Store(at: scratch.path("store"), options: KillWorkload.options())
        try store.define(KillWorkload.yaml)
        for number in 0..<4 { _ = try workload.write(id(number), to: store) }
        let service = try store.catalog.resolve(features: ["numbers.*", "aged.amount"])
        func request(_ spill: JoinSpill) -> JoinRequest { JoinRequest(service: service, memoryBytes: 1 << 20, spill: spill) }
        // Full while the spine is taken in, or only when its rows are looked up.
        for rows in [400_000, 80_000] {
            var join = try store.join(request(.inDirectory(disk.path)), spine: Accounts(left: rows))
            var failure: WhenceError?
            do throws(WhenceError) {
                _ = try join.next()
            } catch {
                failure = error
            }
            expectDiskFull(failure)
            #expect(failure?.place == disk.path)
            #expect(try join.next() == nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path) == [])
        }
        // All that the one that failed had written is free again.
        _ = try ballast(disk, megabytes: 1)
        var join = try store.join(request(.inStore), spine: Accounts(left: 50_000))
        var (rows, found) = (0, 0)
        while let batch = try join.next() {
            rows += batch.count
            found += batch.columns[2].count - batch.columns[2].nullCount
        }
        #expect(rows == 50_000 && found > 0 && join.spilledBytes > 2 << 20)
        try disk.remount(readOnly: true)
        var refused = try store.join(request(.inDirectory(disk.path)), spine: Accounts(left: 50_000))
        do throws(WhenceError) {
            _ = try refused.next()
            Issue.record("a join spilled into a file system that is mounted read-only")
        } catch {
            #expect(error.code == .permissionDenied && error.place == disk.path && !error.hint.isEmpty, "\(error)")
        }
    }

    @Test("files that may not grow further") func limitedFiles() throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path("store")
        try expectWhole(path, try fill(path, log: scratch.path("log"), fileBytes: 300_000))
    }
}
