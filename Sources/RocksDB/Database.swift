import CRocksDB
import CRocksDBExtras
import Foundation
import Synchronization

/// A RocksDB database. Safe to use from many threads; cursors, batches and snapshots keep it open.
@safe public final class Database: @unchecked Sendable {
    let handle: OpaquePointer
    let path: String
    private let cache: OpaquePointer
    private let options: DatabaseOptions
    private let syncedWrites: OpaquePointer
    private let unsyncedWrites: OpaquePointer
    private let families: Mutex<[String: ColumnFamily]>

    /// The name of the column family that every database has.
    public static let defaultFamily = "default"

    /// The column families of the database at `path`; empty where there is none.
    public static func families(at path: String) -> [String] {
        let options = unsafe rocksdb_options_create()
        defer { unsafe rocksdb_options_destroy(options) }
        var count = 0
        var found: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        // A list comes back with an error, too, and an empty one has to be freed as well.
        unsafe try? call { unsafe found = rocksdb_list_column_families(options, path, &count, $0) }
        guard let list = unsafe found else { return [] }
        defer { unsafe rocksdb_list_column_families_destroy(list, count) }
        return (0..<count).compactMap { index in unsafe list[index].map { unsafe String(cString: $0) } }
    }

    /// Opens the database at `path` with all the column families it has.
    ///
    /// - Parameter familyOptions: the options for the family of a name; asked once for each.
    public init(path: String, options: DatabaseOptions, familyOptions: (String) -> ColumnFamilyOptions) throws(RocksDBError) {
        var names = Database.families(at: path)
        if names.isEmpty { names = [Database.defaultFamily] }
        guard let cache = unsafe rocksdb_cache_create_lru(options.blockCacheBytes) else {
            throw RocksDBError(message: "Invalid argument: no block cache of that size")
        }
        let native = names.map { unsafe NativeOptions(options, familyOptions($0), cache: cache) }
        let general = unsafe NativeOptions(options, ColumnFamilyOptions(), cache: cache)
        // Into RocksDB's own place. RocksDB holds on to the log for as long as it needs it.
        let infoLog = options.readOnly ? nil : unsafe extras_logger_create(path + "/LOG", options.infoLogBytes)
        defer { if let infoLog = unsafe infoLog { unsafe extras_logger_destroy(infoLog) } }
        if let infoLog = unsafe infoLog {
            for options in native + [general] { unsafe rocksdb_options_set_info_log(options.options, infoLog) }
        }
        if options.compactsAtLowPriority, let environment = unsafe rocksdb_create_default_env() {
            unsafe rocksdb_env_lower_thread_pool_cpu_priority(environment)
            unsafe rocksdb_env_destroy(environment)
        }
        let cNames = CStrings(names)
        var handles = unsafe [OpaquePointer?](repeating: nil, count: names.count)
        let nativeOptions = unsafe native.map { unsafe Optional($0.options) }
        // The pointers are good for as long as the objects that own them.
        defer { withExtendedLifetime((native, general, cNames)) {} }
        let database: OpaquePointer?
        do {
            unsafe database = try call { error in
                unsafe options.readOnly
                    ? rocksdb_open_for_read_only_column_families(
                        general.options, path, Int32(names.count), cNames.pointers, nativeOptions, &handles, 0, error)
                    : rocksdb_open_column_families(
                        general.options, path, Int32(names.count), cNames.pointers, nativeOptions, &handles, error)
            }
        } catch {
            unsafe rocksdb_cache_destroy(cache)
            throw error.namingFiles(of: path)
        }
        guard let database = unsafe database else { throw RocksDBError(message: "IO error: the database did not open") }
        unsafe handle = database
        self.path = path
        unsafe self.cache = cache
        self.options = options
        unsafe syncedWrites = rocksdb_writeoptions_create()
        unsafe rocksdb_writeoptions_set_sync(syncedWrites, 1)
        unsafe unsyncedWrites = rocksdb_writeoptions_create()
        var families: [String: ColumnFamily] = [:]
        for (index, name) in names.enumerated() {
            if let family = unsafe handles[index] { families[name] = unsafe ColumnFamily(name: name, handle: family) }
        }
        self.families = Mutex(families)
    }

    deinit {
        families.withLock { families in
            for family in families.values { family.close() }
        }
        unsafe rocksdb_writeoptions_destroy(syncedWrites)
        unsafe rocksdb_writeoptions_destroy(unsyncedWrites)
        unsafe rocksdb_close(handle)
        unsafe rocksdb_cache_destroy(cache)
    }

    // MARK: Column families

    /// The names of all column families.
    public var familyNames: [String] { families.withLock { $0.keys.sorted() } }

    /// The family named `name`, or nil.
    public func family(_ name: String) -> ColumnFamily? { families.withLock { $0[name] } }

    /// Makes a column family; one that is there already is returned as it is.
    public func createFamily(_ name: String, options familyOptions: ColumnFamilyOptions) throws(RocksDBError) -> ColumnFamily {
        try families.withLock { families throws(RocksDBError) in
            if let family = families[name] { return family }
            let native = unsafe NativeOptions(options, familyOptions, cache: cache)
            defer { withExtendedLifetime(native) {} }
            let created = unsafe try call { unsafe rocksdb_create_column_family(handle, native.options, name, $0) }
            guard let created = unsafe created else { throw RocksDBError(message: "IO error: no column family was made") }
            let family = unsafe ColumnFamily(name: name, handle: created)
            families[name] = family
            return family
        }
    }

    // MARK: Writing

    /// Writes a batch atomically. With `sync` it is on disk when this returns.
    public func write(_ batch: borrowing WriteBatch, sync: Bool) throws(RocksDBError) {
        unsafe try call { unsafe rocksdb_write(handle, sync ? syncedWrites : unsyncedWrites, batch.handle, $0) }
    }

    /// Takes finished files of sorted keys into their families, by moving them. One step, over all families: afterwards all of them are there, or
    /// none, also where the process ends or the power fails meanwhile. A family is named once.
    public func ingest(_ parts: [(paths: [String], family: ColumnFamily)]) throws(RocksDBError) {
        let cPaths = CStrings(parts.flatMap(\.paths))
        defer { withExtendedLifetime(cPaths) {} }
        let families = unsafe parts.map { unsafe Optional($0.family.handle) }
        let counts = parts.map(\.paths.count)
        unsafe try call { error in
            unsafe error.pointee = extras_ingest(handle, parts.count, families, cPaths.pointers, counts)
        }
    }

    // MARK: Reading

    /// The value under `key`, or nil.
    public func get(_ key: [UInt8], in family: ColumnFamily) throws(RocksDBError) -> [UInt8]? {
        let options = unsafe rocksdb_readoptions_create()
        defer { unsafe rocksdb_readoptions_destroy(options) }
        let found = unsafe try call { error in
            unsafe key.withUnsafeBytes { key in
                unsafe rocksdb_get_pinned_cf(
                    handle, options, family.handle, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count, error)
            }
        }
        guard let slice = unsafe found else { return nil }
        defer { unsafe rocksdb_pinnableslice_destroy(slice) }
        var length = 0
        guard let bytes = unsafe rocksdb_pinnableslice_value(slice, &length) else { return nil }
        return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: length))
    }

    // MARK: Upkeep

    /// Writes the memtables of `family` to a file and waits for it.
    public func flush(_ family: ColumnFamily) throws(RocksDBError) {
        let options = unsafe rocksdb_flushoptions_create()
        defer { unsafe rocksdb_flushoptions_destroy(options) }
        unsafe rocksdb_flushoptions_set_wait(options, 1)
        unsafe try call { unsafe rocksdb_flush_cf(handle, options, family.handle, $0) }
    }

    /// Compacts `family` down to its bottommost level and rewrites that, so that deleted bytes are gone.
    ///
    /// - Parameter range: the first and the last key that matter; nil for all.
    public func compact(_ family: ColumnFamily, _ range: ClosedRange<Key>? = nil) throws(RocksDBError) {
        unsafe try call { error in
            guard let range else {
                unsafe error.pointee = extras_compact_range(handle, family.handle, nil, 0, nil, 0)
                return
            }
            unsafe range.lowerBound.bytes.withUnsafeBytes { first in
                unsafe range.upperBound.bytes.withUnsafeBytes { last in
                    unsafe error.pointee = extras_compact_range(
                        handle, family.handle, first.baseAddress?.assumingMemoryBound(to: CChar.self), first.count,
                        last.baseAddress?.assumingMemoryBound(to: CChar.self), last.count)
                }
            }
        }
    }

    /// Goes on after an error in the background has stopped writes. Throws what still stands in the way.
    public func resume() throws(RocksDBError) {
        unsafe try call { error in unsafe error.pointee = extras_resume(handle) }
    }

    /// Ends compactions that were asked for (`compact` throws then), waits until they have ended, and refuses others; or takes them again.
    public func setCompactionsPaused(_ isPaused: Bool) {
        if isPaused { unsafe rocksdb_disable_manual_compaction(handle) } else { unsafe rocksdb_enable_manual_compaction(handle) }
    }

    /// Stops compactions and flushes that run in the background, before the database is closed.
    public func cancelBackgroundWork() { unsafe rocksdb_cancel_all_background_work(handle, 1) }

    /// A property such as `rocksdb.estimate-num-keys`, or nil where there is none of that name.
    public func property(_ name: String, of family: ColumnFamily) -> String? {
        guard let text = unsafe rocksdb_property_value_cf(handle, family.handle, name) else { return nil }
        defer { unsafe rocksdb_free(text) }
        return unsafe String(cString: text)
    }

    /// A property that is a number, or nil where there is none of that name.
    public func number(_ name: String, of family: ColumnFamily) -> UInt64? {
        var value: UInt64 = 0
        return unsafe rocksdb_property_int_cf(handle, family.handle, name, &value) == 0 ? value : nil
    }

    /// The sorted files of the database.
    public func files() -> [DatabaseFile] {
        guard let list = unsafe rocksdb_livefiles(handle) else { return [] }
        defer { unsafe rocksdb_livefiles_destroy(list) }
        let count = unsafe Int(rocksdb_livefiles_count(list))
        return (0..<count).map { index in
            let name = unsafe rocksdb_livefiles_name(list, Int32(index)).map { unsafe String(cString: $0) } ?? ""
            let family = unsafe rocksdb_livefiles_column_family_name(list, Int32(index)).map { unsafe String(cString: $0) } ?? ""
            var length = 0
            let first = unsafe Key(copying: rocksdb_livefiles_smallestkey(list, Int32(index), &length), length)
            let last = unsafe Key(copying: rocksdb_livefiles_largestkey(list, Int32(index), &length), length)
            return DatabaseFile(
                name: name, family: family, level: Int(unsafe rocksdb_livefiles_level(list, Int32(index))),
                byteCount: Int(unsafe rocksdb_livefiles_size(list, Int32(index))),
                entries: Int(unsafe rocksdb_livefiles_entries(list, Int32(index))), keys: first...max(first, last))
        }
    }

    /// Bytes of the block cache in use, and its size.
    public var blockCacheBytes: (used: Int, capacity: Int) {
        unsafe (rocksdb_cache_get_usage(cache), rocksdb_cache_get_capacity(cache))
    }
}

/// Strings for a C function that takes a list of them; freed when this goes.
@safe private final class CStrings {
    let pointers: [UnsafePointer<CChar>?]

    init(_ strings: [String]) { unsafe pointers = strings.map { unsafe UnsafePointer(strdup($0)) } }

    deinit {
        for index in unsafe pointers.indices { unsafe free(UnsafeMutablePointer(mutating: pointers[index])) }
    }
}

/// A key, in the order of the database.
public struct Key: Comparable, Sendable {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// A copy of RocksDB's own bytes.
    fileprivate init(copying start: UnsafePointer<CChar>?, _ length: Int) {
        unsafe bytes = Array(UnsafeRawBufferPointer(start: start, count: unsafe start == nil ? 0 : length))
    }

    public static func < (a: Key, b: Key) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

/// One sorted file of a database.
public struct DatabaseFile: Sendable {
    /// Its name in the directory of the database, with a slash before it. No other file ever has it.
    public let name: String
    public let family: String
    public let level: Int
    public let byteCount: Int
    /// As far as RocksDB has looked; may be 0.
    public let entries: Int
    /// Its first and its last key.
    public let keys: ClosedRange<Key>
}

/// A column family of an open database.
@safe public final class ColumnFamily: @unchecked Sendable {
    public let name: String
    let handle: OpaquePointer

    init(name: String, handle: OpaquePointer) {
        self.name = name
        unsafe self.handle = handle
    }

    /// Called once, by the database, before it closes.
    func close() { unsafe rocksdb_column_family_handle_destroy(handle) }
}
