import CRocksDB
import CRocksDBExtras

/// One of a database's sorted files, read by itself and past the block cache. It can be read to its end also when the database has
/// removed it meanwhile.
@safe public final class SortedFile: @unchecked Sendable {
    let handle: OpaquePointer
    private let directory: String
    /// Entries, deletions among them, of the file.
    public let entries: Int
    /// Entries that are not plain keys with values: deletions of keys or of ranges, and operands of merges.
    public let specialEntries: Int
    /// Bytes of all keys, each with eight of RocksDB's own, and of all values.
    public let keyBytes: Int
    public let valueBytes: Int

    init(_ file: DatabaseFile, directory: String) throws(RocksDBError) {
        self.directory = directory
        var properties = extras_file_properties_t()
        let opened = unsafe try call { error in
            var handle: OpaquePointer?
            unsafe error.pointee = extras_file_open(directory + file.name, &handle, &properties)
            return unsafe handle
        }
        guard let opened = unsafe opened else { throw RocksDBError(message: "IO error: \(file.name) did not open") }
        unsafe handle = opened
        entries = Int(clamping: properties.entries)
        specialEntries = Int(clamping: properties.special_entries)
        keyBytes = Int(clamping: properties.key_bytes)
        valueBytes = Int(clamping: properties.value_bytes)
    }

    deinit { unsafe extras_file_close(handle) }

    /// A cursor over the file; of keys that are there more than once it sees the newest, and none that is deleted.
    public func makeCursor() -> Cursor { Cursor(self, directory: directory) }
}

extension Database {
    /// Opens one of the files that `files` has named. Throws where it is gone by now, or damaged.
    public func open(_ file: DatabaseFile) throws(RocksDBError) -> SortedFile { try SortedFile(file, directory: path) }
}
