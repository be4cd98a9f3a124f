import Foundation
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// A place where no store can be opened: refused with a reason, and left as it was.
@Suite("The directory of a store") struct DirectoryTests {
    private let scratch: ScratchDirectory
    private let path: String
    private let workload = KillWorkload(seed: 7)

    init() throws {
        scratch = try ScratchDirectory()
        path = scratch.path("store")
    }

    /// Makes the store and writes one batch.
    @discardableResult private func make(_ path: String) throws -> BatchID {
        let store = try Store(at: path, options: KillWorkload.options())
        try store.define(KillWorkload.yaml)
        let id = BatchID(round: 0, thread: 1, number: 0)
        _ = try workload.write(id, to: store)
        return id
    }

    private func failure(_ path: String, _ change: (inout StoreOptions) -> Void = { _ in }) -> WhenceError? {
        var options = KillWorkload.options()
        change(&options)
        do throws(WhenceError) {
            _ = try Store(at: path, options: options)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "on a file system that is mounted read-only", .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func readOnly() throws {
        let disk = try MountedDirectory(megabytes: 16)
        let path = disk.path + "/store"
        let id = try make(path)
        try disk.remount(readOnly: true)
        for refused in [path, disk.path + "/another"] {
            let error = failure(refused)
            #expect(error?.code == .permissionDenied, "\(error.map { "\($0)" } ?? "no error")")
            #expect(error?.hint.contains("read-only") == true)
        }
        do {
            var options = KillWorkload.options()
            options.readOnly = true
            let store = try Store(at: path, options: options)
            #expect(try StoredBatches(store, workload).commits.keys.sorted { $0.code < $1.code } == [id])
            let error = #expect(throws: WhenceError.self) { try workload.write(id, to: store) }
            #expect(error?.code == .readOnly)
        }
        try disk.remount(readOnly: false)
        let store = try Store(at: path, options: KillWorkload.options())
        #expect(try workload.write(id, to: store).wasRepeated)
    }

    @Test("that is open already, in this process and from another one") func openedTwice() throws {
        let id = try make(path)
        do {
            let store = try Store(at: path, options: KillWorkload.options())
            // Rows of a backfill that are on disk already, and that the second one had better leave alone.
            let backfill = try store.backfill("numbers")
            let rows = BatchID(round: 0, thread: KillWorkload.backfiller, number: 0)
            for part in 0..<24_000 {
                let label = Value.string(String(repeating: "x", count: 200))
                let time = KillWorkload.instant(1500).advanced(by: .microseconds(part))
                try backfill.rows().append(
                    try EntityKey([.int64(Int64(part % 7) + 1000)]), at: time, ["batch": .int64(rows.code), "label": label])
            }
            // Sorted runs have no name; finished files have, and are anyone's who may empty the directory.
            let finished = path + "/tmp/sst-1-0-0.sst"
            try Data("a file of a backfill".utf8).write(to: URL(filePath: finished))
            let error = failure(path)
            #expect(error?.code == .storeLocked)
            #expect(error?.isRetryable == true)
            #expect(error?.hint.contains("close the other one") == true)
            let other = try WriterProcess(["open", path], log: scratch.path("log"))
            #expect(other.waitUntilExit() == 1)
            #expect(try other.lines().last?.hasPrefix("error storeLocked close the other one") == true)
            // The first is none the worse for it.
            #expect(FileManager.default.fileExists(atPath: finished))
            _ = try backfill.publish()
            #expect(backfill.spilledBytes > 0)
            #expect(try store.history("numbers", try EntityKey([.int64(1003)])).count == 24_000 / 7 + 1)
            #expect(try workload.write(id, to: store).wasRepeated)
        }
        let other = try WriterProcess(["open", path], log: scratch.path("log"))
        #expect(other.waitUntilExit() == 0)
        #expect(try other.lines() == ["open"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/tmp") == [], "the next one that opens it empties it")
    }

    @Test("that is a file") func file() throws {
        try Data("a letter".utf8).write(to: URL(filePath: path))
        let error = failure(path)
        #expect(error?.code == .invalidArgument)
        #expect(error?.place == path)
        #expect(error?.hint.isEmpty == false)
        let below = failure(path + "/store")
        #expect(below != nil && below?.hint.isEmpty == false)
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("a letter".utf8))
    }

    @Test("that holds something else") func somethingElse() throws {
        try FileManager.default.createDirectory(atPath: path + "/db", withIntermediateDirectories: true)
        try Data("precious".utf8).write(to: URL(filePath: path + "/db/CURRENT"))
        let before = try FileTree.contents(path)
        for readOnly in [false, true] {
            let error = failure(path) { $0.readOnly = readOnly }
            #expect(error?.code == .unknownFormat)
            #expect(error?.hint.contains("empty directory") == true)
        }
        #expect(try FileTree.contents(path) == before)
    }

    @Test("that is not there, or empty, and must be there") func missing() throws {
        try FileManager.default.createDirectory(atPath: scratch.path("empty"), withIntermediateDirectories: true)
        for readOnly in [false, true] {
            for path in [path, scratch.path("empty")] {
                let error = failure(path) {
                    $0.mustExist = true
                    $0.readOnly = readOnly
                }
                #expect(error?.code == .notFound)
            }
        }
        #expect(try FileTree.contents(scratch.path) == ["empty": nil])
    }

    @Test(
        "whose format is another one",
        arguments: [
            "whence 2\n", "whence 0\n", "whence 18446744073709551617\n", "whence one\n", "whence 1 1\n", "", "\u{0}\u{0}\u{0}",
            String(repeating: "whence 1 ", count: 100),
        ].map { Data($0.utf8) } + [Data([0xFF, 0xFE, 0x00, 0xC0])])
    func otherFormat(_ format: Data) throws {
        try make(path)
        try format.write(to: URL(filePath: path + "/FORMAT"))
        let before = try FileTree.contents(path)
        for readOnly in [false, true] {
            let error = failure(path) { $0.readOnly = readOnly }
            #expect(error?.code == .unknownFormat, "\(error.map { "\($0)" } ?? "no error")")
            #expect(error?.hint.isEmpty == false)
        }
        #expect(try FileTree.contents(path) == before, "a store of an unknown format is left alone")
    }

    @Test("in which the making of a store was cut short") func halfMade() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Data("whence 1\n".utf8).write(to: URL(filePath: path + "/FORMAT"))
        #expect(failure(path) == nil, "a store that has its FORMAT and no database yet is made")
        #expect(failure(path) { $0.mustExist = true } == nil)
    }
}
