import CRocksDB

/// Writes one file of sorted keys for `Database.ingest`. Keys come in strictly ascending order.
@safe public struct SSTWriter: ~Copyable, @unchecked Sendable {
    private let writer: OpaquePointer
    private let environment: OpaquePointer
    private let native: NativeOptions
    public let path: String

    public init(path: String, options: ColumnFamilyOptions) throws(RocksDBError) {
        self.path = path
        native = unsafe NativeOptions(DatabaseOptions(), options, cache: nil)
        unsafe environment = rocksdb_envoptions_create()
        unsafe writer = rocksdb_sstfilewriter_create(environment, native.options)
        unsafe try call { unsafe rocksdb_sstfilewriter_open(writer, path, $0) }
    }

    deinit {
        unsafe rocksdb_sstfilewriter_destroy(writer)
        unsafe rocksdb_envoptions_destroy(environment)
    }

    /// Appends an entry.
    public mutating func put(_ key: RawSpan, _ value: RawSpan) throws(RocksDBError) {
        let error = unsafe key.withUnsafeBytes { key in
            unsafe value.withUnsafeBytes { value -> UnsafeMutablePointer<CChar>? in
                var error: UnsafeMutablePointer<CChar>?
                unsafe rocksdb_sstfilewriter_put(
                    writer, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count,
                    value.baseAddress?.assumingMemoryBound(to: CChar.self), value.count, &error)
                return unsafe error
            }
        }
        if unsafe error != nil { unsafe try call { unsafe $0.pointee = error } }
    }

    /// Bytes written so far.
    public var byteCount: Int {
        var size: UInt64 = 0
        unsafe rocksdb_sstfilewriter_file_size(writer, &size)
        return Int(size)
    }

    /// Completes the file. It must have at least one entry.
    public mutating func finish() throws(RocksDBError) { unsafe try call { unsafe rocksdb_sstfilewriter_finish(writer, $0) } }
}
