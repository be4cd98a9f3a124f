import StoreFixtures

@testable import RocksDB

/// A database in a directory of its own.
final class TestDatabase {
    let scratch: ScratchDirectory
    let database: Database
    var path: String { scratch.path("db") }

    struct Missing: Error {}

    init() throws {
        scratch = try ScratchDirectory()
        database = try Database(path: scratch.path("db"), options: DatabaseOptions()) { _ in ColumnFamilyOptions() }
    }

    var family: ColumnFamily {
        get throws {
            guard let family = database.family(Database.defaultFamily) else { throw Missing() }
            return family
        }
    }

    /// Writes these keys with their values.
    func put(_ entries: [(String, String)]) throws {
        var batch = WriteBatch()
        for (key, value) in entries { batch.put(Array(key.utf8), Array(value.utf8), in: try family) }
        try database.write(batch, sync: false)
    }

    func get(_ key: String) throws -> String? {
        try database.get(Array(key.utf8), in: try family).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension WriteBatch {
    /// Removes `key`.
    mutating func delete(_ key: String, in family: ColumnFamily) {
        let bytes = Array(key.utf8)
        unsafe delete(bytes.span.bytes, in: family)
    }
}

extension SSTWriter {
    mutating func put(_ key: String, _ value: String) throws(RocksDBError) {
        let (key, value) = (Array(key.utf8), Array(value.utf8))
        unsafe try put(key.span.bytes, value.span.bytes)
    }
}

extension Cursor {
    /// Bytes of the key and of the value.
    var lengths: [Int] { [key.byteCount, value.byteCount] }

    /// The key and the value, as text; nil where the cursor stands nowhere.
    var entryText: String? {
        guard isValid else { return nil }
        let value = unsafe value.withUnsafeBytes { unsafe Array($0) }
        return String(decoding: keyBytes, as: UTF8.self) + "=" + String(decoding: value, as: UTF8.self)
    }

    mutating func seek(_ key: String) -> Bool {
        let bytes = Array(key.utf8)
        return unsafe seek(bytes.span.bytes)
    }

    mutating func advance(to key: String, within steps: inout Int32) -> Bool {
        let bytes = Array(key.utf8)
        return unsafe advance(to: bytes.span.bytes, within: &steps)
    }

    func isBefore(_ key: String) -> Bool {
        let bytes = Array(key.utf8)
        return unsafe isBefore(bytes.span.bytes)
    }
}
