import Foundation
import StoreFixtures
import Testing

@testable import RocksDB

@Suite("Databases") struct DatabaseTests {
    private let it: TestDatabase

    init() throws { it = try TestDatabase() }

    @Test("a batch: all of it or nothing, the last word counts") func batch() throws {
        var batch = WriteBatch()
        let family = try it.family
        let a = Array("a".utf8)
        batch.put(a, [1], in: family)
        batch.put(Array("b".utf8), [2], in: family)
        batch.put(a, [3], in: family)
        batch.delete("b", in: family)
        let count = batch.count
        #expect(count == 4)
        #expect(try it.database.get(a, in: family) == nil)
        try it.database.write(batch, sync: true)
        #expect(try it.database.get(a, in: family) == [3])
        #expect(try it.get("b") == nil)
        batch.clear()
        let left = batch.count
        #expect(left == 0)
        try it.database.write(batch, sync: true)
        #expect(try it.database.get(a, in: family) == [3])
    }

    @Test("an empty value is a value") func emptyValue() throws {
        try it.put([("k", "")])
        #expect(try it.get("k") == "")
        #expect(try it.get("") == nil)
    }

    @Test("families: made once, found again, each with keys of its own; one batch writes to several") func families() throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path("db")
        #expect(Database.families(at: path).isEmpty)
        do {
            let database = try Database(path: path, options: DatabaseOptions()) { _ in ColumnFamilyOptions() }
            #expect(database.familyNames == ["default"])
            #expect(database.family("view.1") == nil)
            let first = try database.createFamily("view.1", options: ColumnFamilyOptions())
            #expect(try database.createFamily("view.1", options: ColumnFamilyOptions()) === first)
            let second = try database.createFamily("view.2", options: ColumnFamilyOptions())
            var batch = WriteBatch()
            batch.put([1], [10], in: first)
            batch.put([1], [20], in: second)
            try database.write(batch, sync: true)
        }
        #expect(Database.families(at: path).sorted() == ["default", "view.1", "view.2"])
        var asked: [String] = []
        let database = try Database(path: path, options: DatabaseOptions()) { name in
            asked.append(name)
            return ColumnFamilyOptions()
        }
        #expect(asked.sorted() == ["default", "view.1", "view.2"])
        #expect(database.familyNames == ["default", "view.1", "view.2"])
        for (name, value) in [("default", nil), ("view.1", [10]), ("view.2", [20])] as [(String, [UInt8]?)] {
            let family = try #require(database.family(name))
            #expect(try database.get([1], in: family) == value)
        }
    }

    @Test("ingest: files of sorted keys are moved in, over what was there") func ingest() throws {
        try it.put([("a", "old"), ("z", "old")])
        func file(_ name: String, _ entries: [(String, String)]) throws -> String {
            let path = it.scratch.path(name)
            var writer = try SSTWriter(path: path, options: ColumnFamilyOptions())
            for (key, value) in entries { try writer.put(key, value) }
            try writer.finish()
            let byteCount = writer.byteCount
            #expect(try byteCount == FileTree.byteCount(path))
            return path
        }
        let snapshot = it.database.makeSnapshot()
        let paths = [try file("1.sst", [("a", "1"), ("b", "2")]), try file("2.sst", [("c", "3"), ("d", "4")])]
        try it.database.ingest([(paths, it.family)])
        #expect(try ["a", "b", "c", "d", "z"].map { try it.get($0) } == ["1", "2", "3", "4", "old"])
        for path in paths { #expect(!FileManager.default.fileExists(atPath: path)) }
        var cursor = it.database.makeCursor(try it.family, at: snapshot)
        let found = cursor.seekToFirst()
        let text = cursor.entryText
        #expect(found && text == "a=old")
        #expect(it.database.files().contains { $0.entries == 2 && $0.family == "default" && $0.byteCount > 0 && $0.name.hasSuffix(".sst") })
        // All of them or none: a file that is missing takes the other one with it.
        let third = try file("3.sst", [("e", "5")])
        #expect(throws: RocksDBError.self) { try it.database.ingest([([third, it.scratch.path("none.sst")], it.family)]) }
        #expect(try it.get("e") == nil)
        // Over two families, too, and whichever of them it is that cannot be.
        let other = try it.database.createFamily("other", options: ColumnFamilyOptions())
        let (here, there) = (try file("4.sst", [("e", "5")]), try file("5.sst", [("f", "6")]))
        let missing = it.scratch.path("none.sst")
        for parts in [[([here], try it.family), ([missing], other)], [([missing], try it.family), ([there], other)]] {
            #expect(throws: RocksDBError.self) { try it.database.ingest(parts) }
            #expect(try it.get("e") == nil && it.database.get(Array("f".utf8), in: other) == nil)
        }
        try it.database.ingest([([here], it.family), ([there], other)])
        #expect(try it.get("e") == "5" && it.database.get(Array("f".utf8), in: other) == Array("6".utf8))
    }

    @Test("a writer of files refuses keys out of order, and an empty file") func fileWriter() throws {
        var writer = try SSTWriter(path: it.scratch.path("1.sst"), options: ColumnFamilyOptions())
        try writer.put("b", "")
        for key in ["a", "b"] {
            do throws(RocksDBError) {
                try writer.put(key, "")
                Issue.record("\(key) is not behind b")
            } catch {
                #expect(error.kind == .invalidArgument)
            }
        }
        var empty = try SSTWriter(path: it.scratch.path("2.sst"), options: ColumnFamilyOptions())
        do throws(RocksDBError) {
            try empty.finish()
            Issue.record("an empty file was finished")
        } catch {
            #expect(error.kind == .invalidArgument)
        }
    }

    @Test("compaction: deleted bytes are gone, of all keys or of a range") func compaction() throws {
        let family = try it.family
        try it.put((0..<2000).map { ("key \(1000 + $0)", "value \($0)") })
        try it.database.flush(family)
        var batch = WriteBatch()
        for index in 0..<1000 { batch.delete("key \(1000 + index)", in: family) }
        try it.database.write(batch, sync: true)
        try it.database.flush(family)
        #expect(it.database.files().reduce(0) { $0 + $1.entries } == 3000)
        try it.database.compact(family, Key(Array("key 1000".utf8))...Key(Array("key 1999".utf8)))
        #expect(it.database.files().reduce(0) { $0 + $1.entries } == 1000)
        #expect(try it.get("key 1999") == nil)
        #expect(try it.get("key 2000") == "value 1000")
        try it.put([("key 2000", "new")])
        try it.database.flush(family)
        try it.database.compact(family)
        let files = it.database.files()
        #expect(files.reduce(0) { $0 + $1.entries } == 1000)
        #expect(files.allSatisfy { $0.level == files.first?.level && $0.level > 0 })
        #expect(try it.get("key 2000") == "new")
    }

    @Test("a compaction that meets damage says so") func damagedCompaction() throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path("db")
        var file = ""
        do {
            let database = try Database(path: path, options: DatabaseOptions()) { _ in ColumnFamilyOptions() }
            let family = try #require(database.family(Database.defaultFamily))
            var batch = WriteBatch()
            for index in 0..<100 as Range<UInt8> { batch.put([index], [index], in: family) }
            try database.write(batch, sync: true)
            try database.flush(family)
            file = String(database.files().first?.name.drop { $0 == "/" } ?? "")
        }
        try FileTree.flip("\(path)/\(file)", at: 20)
        let database = try Database(path: path, options: DatabaseOptions()) { _ in ColumnFamilyOptions() }
        let family = try #require(database.family(Database.defaultFamily))
        for range in [nil, Key([10])...Key([20])] {
            do throws(RocksDBError) {
                try database.compact(family, range)
                Issue.record("a damaged file was compacted")
            } catch {
                #expect(error.kind == .corruption && error.message.contains(file), "\(error)")
            }
        }
    }

    @Test("the information log keeps within its size, and its beginnings tell what was opened") func informationLog() throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path("db")
        var options = DatabaseOptions()
        options.infoLogBytes = 20_000
        for _ in 0..<3 {
            let database = try Database(path: path, options: options) { _ in ColumnFamilyOptions() }
            let family = try #require(database.family(Database.defaultFamily))
            for round in 0..<5 as Range<UInt8> {
                var batch = WriteBatch()
                batch.put([round], [round], in: family)
                try database.write(batch, sync: false)
                try database.flush(family)
            }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasPrefix("LOG") }.sorted()
        #expect(names == ["LOG", "LOG.old"])
        for name in names { #expect(try FileTree.byteCount("\(path)/\(name)") < 30_000) }
        let text = try names.map { try String(contentsOfFile: "\(path)/\($0)", encoding: .utf8) }.joined()
        #expect(text.contains("flush_finished"))
    }

    @Test("properties and the block cache") func properties() throws {
        let family = try it.family
        try it.put([("a", "1")])
        #expect(it.database.number("rocksdb.estimate-num-keys", of: family) == 1)
        #expect(it.database.property("rocksdb.stats", of: family)?.contains("Compaction Stats") == true)
        #expect(it.database.number("rocksdb.no-such-thing", of: family) == nil)
        #expect(it.database.property("rocksdb.no-such-thing", of: family) == nil)
        #expect(it.database.blockCacheBytes.capacity == DatabaseOptions().blockCacheBytes)
    }

    @Test("the kinds of errors") func kinds() throws {
        for (message, kind) in [
            ("IO error: No space left on device: While appending to file: /x/1.log: No space left on device", .noSpace),
            ("IO error: While appending to file: /x/000009.log: File too large", .noSpace),
            ("IO error: lock hold by current process, acquire time 1 acquiring thread 2: /x/LOCK: No locks available", .locked),
            ("IO error: While lock file: /x/LOCK: Resource temporarily unavailable", .locked),
            ("IO error: While open a file for appending: /x: Permission denied", .permissionDenied),
            ("IO error: While mkdir: /x: Read-only file system", .permissionDenied),
            ("IO error: Operation not permitted", .permissionDenied), ("NotFound: ", .notFound),
            ("Corruption: block checksum mismatch", .corruption), ("IO error: No such file or directory", .inputOutput),
            ("Invalid argument: Keys must be added in strict ascending order.", .invalidArgument), ("Resource busy: ", .busy),
            ("Operation aborted: ", .busy), ("Shutdown in progress: ", .other),
        ] as [(String, RocksDBError.Kind)] {
            #expect(RocksDBError(message: message).kind == kind, "\(message)")
        }
    }

    @Test("errors that RocksDB gives have those kinds") func realErrors() throws {
        func failure(_ path: String, _ change: (inout DatabaseOptions) -> Void = { _ in }) -> RocksDBError? {
            var options = DatabaseOptions()
            change(&options)
            do throws(RocksDBError) {
                _ = try Database(path: path, options: options) { _ in ColumnFamilyOptions() }
                return nil
            } catch {
                return error
            }
        }
        #expect(failure(it.path)?.kind == .locked)
        #expect(failure(it.scratch.path("none")) { $0.createIfMissing = false }?.kind == .invalidArgument)
        #expect(failure(it.scratch.path("none/below/it")) { $0.readOnly = true } != nil)
        try Data("MANIFEST-000099\n".utf8).write(to: URL(filePath: it.scratch.path("file")))
        #expect(failure(it.scratch.path("file")) != nil)
        let damaged = it.scratch.path("damaged")
        try FileManager.default.createDirectory(atPath: damaged, withIntermediateDirectories: false)
        try Data("nothing".utf8).write(to: URL(filePath: damaged + "/CURRENT"))
        #expect(failure(damaged)?.kind == .corruption)
        // Read-only beside a writer, and nothing can be written through it.
        try it.put([("a", "1")])
        var options = DatabaseOptions()
        options.readOnly = true
        let reader = try Database(path: it.path, options: options) { _ in ColumnFamilyOptions() }
        let family = try #require(reader.family(Database.defaultFamily))
        #expect(try reader.get(Array("a".utf8), in: family) == Array("1".utf8))
        var batch = WriteBatch()
        batch.put([1], [1], in: family)
        do throws(RocksDBError) {
            try reader.write(batch, sync: false)
            Issue.record("a read-only database was written to")
        } catch {
            #expect(error.message.contains("Not supported operation in read only mode"))
        }
    }

    @Test("what was synced is there after the database was opened again") func reopen() throws {
        let scratch = try ScratchDirectory()
        for round in 0..<3 as Range<UInt8> {
            let database = try Database(path: scratch.path("db"), options: DatabaseOptions()) { _ in ColumnFamilyOptions() }
            let family = try #require(database.family(Database.defaultFamily))
            for earlier in 0..<round { #expect(try database.get([earlier], in: family) == [earlier, 1]) }
            var batch = WriteBatch()
            batch.put([round], [round, 1], in: family)
            try database.write(batch, sync: true)
            database.cancelBackgroundWork()
        }
    }
}
