import RocksDB
import WhenceCore

/// The store's own small records, in the default column family (`Formats/store.md`): one place for their keys.
enum Records {
    /// The greatest commit time so far.
    static let lastCommit = Array("commit/last".utf8)

    /// Catalog entries follow this.
    static let catalogPrefix = Array("catalog/".utf8)

    /// The reply to a batch that carried an idempotency key.
    static func idempotency(_ key: String) -> [UInt8] { idempotencyPrefix + Array(key.utf8) }
    static let idempotencyPrefix = Array("once/".utf8)

    /// The same for a backfill under the key `name`: that there is one, and which rows it had.
    static func backfillOnce(_ name: String) -> [UInt8] { idempotency("\(name)/backfill") }
    static func backfillOnce(_ name: String, rows: String) -> [UInt8] { idempotency("\(name)/backfill/\(rows)") }

    /// When the backfill that began at `commit` was published.
    static func publication(_ commit: Timestamp) -> [UInt8] { publicationPrefix + bytes(commit) }
    static let publicationPrefix = Array("backfill/".utf8)

    /// Up to where the history of a view has been removed.
    static func horizon(_ view: UInt32) -> [UInt8] { Array("horizon/\(view)".utf8) }

    /// A time as records hold it: 8 bytes, little-endian.
    static func bytes(_ time: Timestamp) -> [UInt8] {
        let bits = UInt64(bitPattern: time.microseconds)
        return (0..<8).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt64($0))) }
    }

    /// The time in a record. Throws `corruption` where it is none.
    static func time(_ bytes: some Collection<UInt8>) throws(WhenceError) -> Timestamp {
        guard bytes.count == 8 else {
            throw WhenceError(.corruption, "a record of the store is damaged: it holds no time", hint: "restore the store from a backup")
        }
        var bits: UInt64 = 0
        for byte in bytes.reversed() { bits = bits << 8 | UInt64(byte) }
        return Timestamp(microseconds: Int64(bitPattern: bits))
    }
}

extension Database {
    /// Calls `body` with each key and value of `family` whose key begins with `prefix`, in order.
    func forEach(
        _ prefix: [UInt8], in family: ColumnFamily, _ body: (_ key: [UInt8], _ value: [UInt8]) throws(WhenceError) -> Void
    ) throws(WhenceError) {
        var cursor = makeCursor(family)
        unsafe cursor.seek(prefix.span.bytes)
        while cursor.isValid {
            let key = cursor.keyBytes
            guard key.starts(with: prefix) else { return }
            try body(key, unsafe cursor.value.withUnsafeBytes { unsafe Array($0) })
            cursor.next()
        }
        try storage(at: "records") { () throws(RocksDBError) in try cursor.check() }
    }
}
