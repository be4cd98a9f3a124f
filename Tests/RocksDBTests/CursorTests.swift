import RocksDB
import StoreFixtures
import Testing

/// Every function of CRocksDBExtras is driven here, over memtables and over files: it takes c.h's iterators apart, so another
/// layout of the library must not pass.
@Suite("Cursors") struct CursorTests {
    private let it: TestDatabase

    init() throws {
        it = try TestDatabase()
        try it.put([("a", "1"), ("b", ""), ("c", "3"), ("ca", "4"), ("d\u{0}", "5"), ("e", "6")])
    }

    private func bothWays(_ body: () throws -> Void) throws {
        try body()
        try it.database.flush(it.family)
        try body()
    }

    @Test("first and next: all keys in order") func walk() throws {
        try bothWays {
            var cursor = it.database.makeCursor(try it.family, fillCache: false)
            let before = cursor.entryText
            let lengthsBefore = cursor.lengths
            #expect(before == nil && lengthsBefore == [0, 0])
            var seen: [String] = []
            var isThere = cursor.seekToFirst()
            while isThere {
                seen.append(cursor.entryText ?? "")
                isThere = cursor.next()
            }
            #expect(seen == ["a=1", "b=", "c=3", "ca=4", "d\u{0}=5", "e=6"])
            let lengthsBehind = cursor.lengths
            #expect(lengthsBehind == [0, 0])
            try cursor.check()
            // It can be placed again.
            cursor.seekToFirst()
            let first = cursor.entryText
            #expect(first == "a=1")
        }
    }

    @Test("seek: the first key that is not less") func seek() throws {
        try bothWays {
            var cursor = it.database.makeCursor(try it.family)
            for (key, entry) in [
                ("", "a=1"), ("a", "a=1"), ("a\u{0}", "b="), ("b", "b="), ("bz", "c=3"), ("c", "c=3"), ("c\u{0}", "ca=4"),
                ("d", "d\u{0}=5"),
                ("d\u{0}", "d\u{0}=5"), ("d\u{0}\u{0}", "e=6"),
            ] {
                let found = cursor.seek(key)
                let text = cursor.entryText
                #expect(found && text == entry, "\(key)")
            }
            let found = cursor.seek("e\u{0}")
            let end = cursor.entryText
            #expect(!found && end == nil)
            try cursor.check()
        }
    }

    @Test("advance: by steps where they reach, else by a seek; what is left of them is told") func advance() throws {
        try bothWays {
            var cursor = it.database.makeCursor(try it.family)
            for (target, allowed, entry, left) in [
                ("a", 3, "a=1", 3), ("", 3, "a=1", 3), ("b", 3, "b=", 2), ("c", 3, "c=3", 1), ("ca", 3, "ca=4", 0),
                ("d", 3, "d\u{0}=5", -1),
                ("e", 0, "e=6", -1), ("a", 0, "a=1", 0), ("b", 0, "b=", -1), ("c", 2, "c=3", 0), ("e", 5, "e=6", 0), ("e", 9, "e=6", 4),
            ] as [(String, Int32, String, Int32)] {
                let placed = cursor.seekToFirst()
                var steps = allowed
                let found = cursor.advance(to: target, within: &steps)
                let text = cursor.entryText
                #expect(placed && found && text == entry, "to \(target) within \(allowed)")
                #expect(steps == left, "to \(target) within \(allowed)")
            }
            // Past the end, by steps and by a seek.
            for allowed in [0, 1, 6, 20] as [Int32] {
                cursor.seekToFirst()
                var steps = allowed
                let found = cursor.advance(to: "f", within: &steps)
                let text = cursor.entryText
                #expect(!found && text == nil, "within \(allowed)")
                try cursor.check()
            }
            // From where it stands.
            _ = cursor.seek("c")
            var steps: Int32 = 8
            let found = cursor.advance(to: "d", within: &steps)
            let text = cursor.entryText
            #expect(found && text == "d\u{0}=5" && steps == 6)
        }
    }

    @Test("isBefore: byte by byte, a beginning before what continues it") func order() throws {
        var cursor = it.database.makeCursor(try it.family)
        _ = cursor.seek("ca")
        let before = ["c", "b", "ca", "ca\u{0}", "cb", "d"].map { cursor.isBefore($0) }
        #expect(before == [false, false, false, true, true, true])
    }

    @Test("a cursor sees the state at its making; refresh brings it to the newest") func refresh() throws {
        var cursor = it.database.makeCursor(try it.family)
        _ = cursor.seek("a")
        try it.put([("a", "new"), ("aa", "2")])
        let stays = cursor.seek("a") && cursor.entryText == "a=1"
        let moves = cursor.next() && cursor.entryText == "b="
        #expect(stays && moves)
        try cursor.refresh()
        let placed = cursor.entryText
        #expect(placed == nil)
        let renewed = cursor.seek("a") && cursor.entryText == "a=new"
        let added = cursor.next() && cursor.entryText == "aa=2"
        #expect(renewed && added)
        // Once more after the memtables have become files.
        try it.database.flush(it.family)
        try it.put([("aa", "3")])
        try cursor.refresh()
        let again = cursor.seek("aa") && cursor.entryText == "aa=3"
        #expect(again)
    }

    @Test("at a snapshot: whatever is written, flushed and compacted afterwards") func snapshot() throws {
        let snapshot = it.database.makeSnapshot()
        try it.put([("a", "new"), ("aa", "2")])
        var batch = WriteBatch()
        batch.delete("c", in: try it.family)
        try it.database.write(batch, sync: true)
        try it.database.flush(it.family)
        try it.database.compact(it.family)
        var cursor = it.database.makeCursor(try it.family, at: snapshot)
        var seen: [String] = []
        var isThere = cursor.seekToFirst()
        while isThere {
            seen.append(cursor.entryText ?? "")
            isThere = cursor.next()
        }
        #expect(seen == ["a=1", "b=", "c=3", "ca=4", "d\u{0}=5", "e=6"])
        #expect(try it.get("c") == nil)
        #expect(try it.get("a") == "new")
    }

    @Test("keys and values of any bytes, and long ones") func anyBytes() throws {
        let all = (0...255).map { UInt8($0) }
        let long = [UInt8](repeating: 7, count: 3 << 20)
        var batch = WriteBatch()
        batch.put(all, long, in: try it.family)
        batch.put([0], [], in: try it.family)
        try it.database.write(batch, sync: true)
        try bothWays {
            var cursor = it.database.makeCursor(try it.family)
            let found = unsafe cursor.seek(all.span.bytes)
            let key = cursor.keyBytes
            let value = unsafe cursor.value.withUnsafeBytes { unsafe Array($0) }
            #expect(found && key == all && value == long)
        }
    }

    @Test("a cursor keeps its database open") func lifetime() throws {
        let scratch = it.scratch
        var database: Database? = try Database(path: scratch.path("other"), options: DatabaseOptions()) { _ in ColumnFamilyOptions() }
        var batch = WriteBatch()
        if let database, let family = database.family(Database.defaultFamily) {
            batch.put([1], [2], in: family)
            try database.write(batch, sync: false)
        }
        guard let family = database?.family(Database.defaultFamily), var cursor = database?.makeCursor(family) else {
            throw TestDatabase.Missing()
        }
        database = nil
        let found = cursor.seekToFirst()
        let key = cursor.keyBytes
        #expect(found && key == [1])
    }
}

@Suite("Cursors over one place") struct PlaceTests {
    private let it: TestDatabase

    init() throws {
        it = try TestDatabase()
        try it.put([("a", "1"), ("b", "2"), ("c", "3")])
        try it.database.flush(it.family)
    }

    private func all(_ cursor: consuming Cursor) throws -> [String] {
        var seen: [String] = []
        cursor.seekToFirst()
        while let text = cursor.entryText {
            seen.append(text)
            cursor.next()
        }
        try cursor.check()
        return seen
    }

    @Test("a cursor over memtables sees what is in no file, at its snapshot, and goes on when that is written out") func memtables() throws
    {
        #expect(try all(it.database.makeMemtableCursor(it.family, at: it.database.makeSnapshot())) == [])
        try it.put([("b", "20"), ("d", "4")])
        let snapshot = it.database.makeSnapshot()
        try it.put([("e", "5")])
        #expect(try all(it.database.makeMemtableCursor(it.family, at: snapshot)) == ["b=20", "d=4"])
        let cursor = it.database.makeMemtableCursor(try it.family, at: snapshot)
        try it.database.flush(it.family)
        #expect(try all(cursor) == ["b=20", "d=4"])
        #expect(try all(it.database.makeMemtableCursor(it.family, at: snapshot)) == [])
        var batch = WriteBatch()
        batch.delete("a", in: try it.family)
        try it.database.write(batch, sync: false)
        #expect(try it.database.number("rocksdb.num-deletes-active-mem-table", of: it.family) == 1)
        #expect(try all(it.database.makeMemtableCursor(it.family, at: it.database.makeSnapshot())) == [])
    }

    @Test("a file by itself: its keys, what it says of itself, and to the end although it is removed") func file() throws {
        let file = try #require(it.database.files().first)
        #expect(file.keys.lowerBound.bytes == Array("a".utf8) && file.keys.upperBound.bytes == Array("c".utf8))
        let opened = try it.database.open(file)
        #expect(opened.entries == 3 && opened.specialEntries == 0 && opened.valueBytes == 3 && opened.keyBytes == 3 * (1 + 8))
        #expect(try all(opened.makeCursor()) == ["a=1", "b=2", "c=3"])
        try it.put([("b", "20")])
        try it.database.compact(it.family)
        #expect(try all(opened.makeCursor()) == ["a=1", "b=2", "c=3"])
        #expect(throws: RocksDBError.self) { try it.database.open(file) }
    }

    @Test("a file with deletions says so") func deletions() throws {
        var batch = WriteBatch()
        batch.delete("a", in: try it.family)
        try it.database.write(batch, sync: false)
        let snapshot = it.database.makeSnapshot()
        try it.database.flush(it.family)
        let special = try it.database.files().map { try it.database.open($0).specialEntries }
        #expect(special.sorted() == [0, 1])
        withExtendedLifetime(snapshot) {}
    }
}
