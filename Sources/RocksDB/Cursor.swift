import CRocksDB
import CRocksDBExtras
import Foundation

/// A state of the database that reads can be tied to, for as long as it is held.
@safe public final class Snapshot: @unchecked Sendable {
    let database: Database
    let handle: OpaquePointer?

    fileprivate init(_ database: Database) {
        self.database = database
        unsafe handle = rocksdb_create_snapshot(database.handle)
    }

    deinit { unsafe rocksdb_release_snapshot(database.handle, handle) }
}

extension Database {
    /// Takes a snapshot of the current state.
    public func makeSnapshot() -> Snapshot { Snapshot(self) }

    /// A cursor over `family`, at `snapshot` or, without one, at the state at the time of the call.
    ///
    /// - Parameter fillCache: whether blocks that are read stay in the block cache; a scan of everything had better not.
    public func makeCursor(_ family: ColumnFamily, at snapshot: Snapshot? = nil, fillCache: Bool = true) -> Cursor {
        Cursor(self, family, snapshot, memtablesOnly: false, fillCache: fillCache)
    }

    /// A cursor over what `family` has in memtables at the time of the call and `snapshot` sees, and in no file. A key that was deleted there
    /// is left out, as if it had never been.
    public func makeMemtableCursor(_ family: ColumnFamily, at snapshot: Snapshot) -> Cursor {
        Cursor(self, family, snapshot, memtablesOnly: true, fillCache: true)
    }
}

/// Walks over the keys of one column family in order. One thread at a time.
///
/// Invariant of the unsafe parts: `entry` points into memory of the iterator, valid until the next call that moves
/// it; `key` and `value` borrow the cursor, so the compiler lets none of them outlive that call.
@safe public struct Cursor: ~Copyable, @unchecked Sendable {
    /// What the iterator reads: it stays for as long as the cursor.
    private let source: (AnyObject, AnyObject?)
    private let snapshot: Snapshot?
    /// The directory of the database, for errors.
    private let directory: String
    private let options: OpaquePointer
    private let iterator: OpaquePointer
    @usableFromInline var entry = unsafe extras_entry_t()
    /// Whether the cursor stands on an entry.
    public private(set) var isValid = false

    /// `ReadTier::kMemtableTier` (rocksdb/options.h).
    private static var memtableTier: Int32 { 3 }

    fileprivate init(_ database: Database, _ family: ColumnFamily, _ snapshot: Snapshot?, memtablesOnly: Bool, fillCache: Bool) {
        source = (database, family)
        self.snapshot = snapshot
        directory = database.path
        unsafe options = rocksdb_readoptions_create()
        if memtablesOnly { unsafe rocksdb_readoptions_set_read_tier(options, Cursor.memtableTier) }
        unsafe rocksdb_readoptions_set_fill_cache(options, fillCache ? 1 : 0)
        // Nothing in Whence deletes ranges, and to look for their tombstones costs at every step.
        unsafe rocksdb_readoptions_set_ignore_range_deletions(options, 1)
        if !fillCache { unsafe rocksdb_readoptions_set_readahead_size(options, 2 << 20) }
        if let snapshot { unsafe rocksdb_readoptions_set_snapshot(options, snapshot.handle) }
        unsafe iterator = rocksdb_create_iterator_cf(database.handle, options, family.handle)
    }

    /// A cursor over one file.
    init(_ file: SortedFile, directory: String) {
        source = (file, nil)
        snapshot = nil
        self.directory = directory
        unsafe options = rocksdb_readoptions_create()
        unsafe rocksdb_readoptions_set_readahead_size(options, 2 << 20)
        unsafe iterator = extras_file_iterator(file.handle, options)
    }

    deinit {
        unsafe rocksdb_iter_destroy(iterator)
        unsafe rocksdb_readoptions_destroy(options)
    }

    /// Moves to the first key that is not less than `key`. False at the end, or on an error: see `check`.
    @discardableResult public mutating func seek(_ key: RawSpan) -> Bool {
        unsafe key.withUnsafeBytes { key in
            unsafe isValid = extras_iterator_seek(
                iterator, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count, &entry)
        }
        return isValid
    }

    /// Moves to the first key of all.
    @discardableResult public mutating func seekToFirst() -> Bool {
        unsafe isValid = extras_iterator_first(iterator, &entry)
        return isValid
    }

    /// Moves on by one. The cursor must be valid.
    @discardableResult public mutating func next() -> Bool {
        precondition(isValid, "a cursor at its end cannot move on")
        unsafe isValid = extras_iterator_next(iterator, &entry)
        return isValid
    }

    /// Moves on to the first key that is not less than `key`: up to `steps` single steps, which cost less than a seek
    /// over a short way, then a seek. The cursor must be valid and not stand behind `key`. Afterwards `steps` is what was left
    /// of them, or -1 where it took a seek.
    @discardableResult public mutating func advance(to key: RawSpan, within steps: inout Int32) -> Bool {
        precondition(isValid, "a cursor at its end cannot move on")
        unsafe key.withUnsafeBytes { key in
            unsafe isValid = extras_iterator_advance(
                iterator, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count, &steps, &entry)
        }
        return isValid
    }

    /// Brings a cursor without a snapshot to the newest state. It stands nowhere until the next seek.
    public mutating func refresh() throws(RocksDBError) {
        precondition(snapshot == nil, "a cursor at a snapshot stays there")
        isValid = false
        if unsafe !extras_iterator_refresh(iterator) { try check() }
    }

    /// Throws the error that ended the walk, if one did. To be called whenever a move returns false.
    public func check() throws(RocksDBError) {
        do throws(RocksDBError) {
            unsafe try call { unsafe rocksdb_iter_get_error(iterator, $0) }
        } catch {
            throw error.namingFiles(of: directory)
        }
    }

    /// Whether the key at the cursor comes before `other`, byte by byte. The cursor must be valid.
    public func isBefore(_ other: RawSpan) -> Bool {
        unsafe other.withUnsafeBytes { other in
            guard let key = unsafe entry.key, let start = other.baseAddress else { return false }
            let order = unsafe memcmp(key, start, min(entry.key_length, other.count))
            return unsafe order != 0 ? order < 0 : entry.key_length < other.count
        }
    }

    /// The key at the cursor; empty when it is not valid.
    @inlinable public var key: RawSpan {
        @_lifetime(borrow self) get {
            let span = unsafe RawSpan(
                _unsafeStart: entry.key ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped, byteCount: entry.key_length)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// A copy of the key at the cursor; empty when it is not valid.
    public var keyBytes: [UInt8] { unsafe key.withUnsafeBytes { unsafe Array($0) } }

    /// The value at the cursor; empty when it is not valid.
    @inlinable public var value: RawSpan {
        @_lifetime(borrow self) get {
            let span = unsafe RawSpan(
                _unsafeStart: entry.value ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped, byteCount: entry.value_length)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}
