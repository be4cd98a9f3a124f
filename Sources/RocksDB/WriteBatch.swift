import CRocksDB

/// Puts and deletes that are written together or not at all. One thread at a time.
@safe public struct WriteBatch: ~Copyable, @unchecked Sendable {
    let handle: OpaquePointer

    public init() { unsafe handle = rocksdb_writebatch_create() }

    deinit { unsafe rocksdb_writebatch_destroy(handle) }

    /// Number of puts and deletes.
    public var count: Int { Int(unsafe rocksdb_writebatch_count(handle)) }

    /// Empties the batch; its memory stays.
    public mutating func clear() { unsafe rocksdb_writebatch_clear(handle) }

    /// Sets `key` to `value`.
    public mutating func put(_ key: RawSpan, _ value: RawSpan, in family: ColumnFamily) {
        unsafe key.withUnsafeBytes { key in
            unsafe value.withUnsafeBytes { value in
                unsafe rocksdb_writebatch_put_cf(
                    handle, family.handle, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count,
                    value.baseAddress?.assumingMemoryBound(to: CChar.self), value.count)
            }
        }
    }

    /// Sets `key` to `value`.
    public mutating func put(_ key: [UInt8], _ value: [UInt8], in family: ColumnFamily) {
        unsafe put(key.span.bytes, value.span.bytes, in: family)
    }

    /// Removes `key`.
    public mutating func delete(_ key: RawSpan, in family: ColumnFamily) {
        unsafe key.withUnsafeBytes { key in
            unsafe rocksdb_writebatch_delete_cf(handle, family.handle, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count)
        }
    }
}
