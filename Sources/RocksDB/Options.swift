import CRocksDB

/// A compression that RocksDB applies to the blocks of a file.
public enum Compression: Int32, Sendable {
    case none = 0
    case lz4 = 4
    case zstd = 7
}

/// What opening a database does with damage in its write-ahead log.
public enum LogRecovery: Int32, Sendable {
    /// A record that was cut short at the end of the log was never acknowledged and is left out; any other damage is an error.
    case toleratesTornEnd = 0
    /// Everything up to the first damage is taken, and what follows it is lost.
    case upToDamage = 2
}

/// The options of one column family that Whence sets; every other is RocksDB's default. Which values, and why, is
/// decided by the caller.
public struct ColumnFamilyOptions: Sendable, Equatable {
    public var writeBufferBytes = 64 << 20
    public var maxWriteBuffers = 2
    public var compression = Compression.lz4
    public var bottommostCompression = Compression.zstd
    public var bottommostZstdLevel: Int32 = 3
    /// Size of the dictionary that the blocks of a bottommost file share, and of the sample it is made from; 0 for none.
    public var bottommostDictionaryBytes: Int32 = 0
    public var bottommostTrainingBytes: Int32 = 0
    public var blockBytes = 16 << 10
    public var blockRestartInterval: Int32 = 16
    public var dynamicLevelBytes = true
    public var targetFileBytes: UInt64 = 64 << 20
    public var maxBytesForLevelBase: UInt64 = 256 << 20
    public var level0CompactionTrigger: Int32 = 4

    public init() {}
}

/// The options of a whole database that Whence sets.
public struct DatabaseOptions: Sendable, Equatable {
    public var createIfMissing = true
    public var readOnly = false
    public var paranoidChecks = true
    public var maxBackgroundJobs: Int32 = 2
    /// Whether compactions leave the processor to all other threads. The threads are those of every database of the process, and keep it so.
    public var compactsAtLowPriority = false
    public var maxOpenFiles: Int32 = -1
    public var maxTotalWALBytes: UInt64 = 256 << 20
    public var allMemtablesBytes = 0
    public var blockCacheBytes = 256 << 20
    public var infoLogBytes = 4 << 20
    public var logRecovery = LogRecovery.toleratesTornEnd
    public var bytesPerSync: UInt64 = 1 << 20

    public init() {}
}

/// Options in RocksDB's own form, freed when this goes.
@safe final class NativeOptions: @unchecked Sendable {
    let options: OpaquePointer

    /// - Parameter cache: the block cache that all column families of the database share; nil for a writer of files.
    init(_ database: DatabaseOptions, _ family: ColumnFamilyOptions, cache: OpaquePointer?) {
        unsafe options = rocksdb_options_create()
        unsafe rocksdb_options_set_create_if_missing(options, database.createIfMissing ? 1 : 0)
        unsafe rocksdb_options_set_paranoid_checks(options, database.paranoidChecks ? 1 : 0)
        unsafe rocksdb_options_set_max_background_jobs(options, database.maxBackgroundJobs)
        unsafe rocksdb_options_set_max_open_files(options, database.maxOpenFiles)
        unsafe rocksdb_options_set_max_total_wal_size(options, database.maxTotalWALBytes)
        unsafe rocksdb_options_set_db_write_buffer_size(options, database.allMemtablesBytes)
        unsafe rocksdb_options_set_wal_recovery_mode(options, database.logRecovery.rawValue)
        unsafe rocksdb_options_set_bytes_per_sync(options, database.bytesPerSync)
        unsafe rocksdb_options_set_write_buffer_size(options, family.writeBufferBytes)
        unsafe rocksdb_options_set_max_write_buffer_number(options, Int32(family.maxWriteBuffers))
        unsafe rocksdb_options_set_compression(options, family.compression.rawValue)
        unsafe rocksdb_options_set_bottommost_compression(options, family.bottommostCompression.rawValue)
        unsafe rocksdb_options_set_bottommost_compression_options(
            options, -14, family.bottommostZstdLevel, 0, family.bottommostDictionaryBytes, 1)
        unsafe rocksdb_options_set_bottommost_compression_options_zstd_max_train_bytes(options, family.bottommostTrainingBytes, 1)
        unsafe rocksdb_options_set_level_compaction_dynamic_level_bytes(options, family.dynamicLevelBytes ? 1 : 0)
        unsafe rocksdb_options_set_target_file_size_base(options, family.targetFileBytes)
        unsafe rocksdb_options_set_max_bytes_for_level_base(options, family.maxBytesForLevelBase)
        unsafe rocksdb_options_set_level0_file_num_compaction_trigger(options, family.level0CompactionTrigger)
        let table = unsafe rocksdb_block_based_options_create()
        if let cache = unsafe cache {
            unsafe rocksdb_block_based_options_set_block_cache(table, cache)
        } else {
            unsafe rocksdb_block_based_options_set_no_block_cache(table, 1)
        }
        unsafe rocksdb_block_based_options_set_block_size(table, family.blockBytes)
        unsafe rocksdb_block_based_options_set_block_restart_interval(table, family.blockRestartInterval)
        unsafe rocksdb_block_based_options_set_format_version(table, 5)
        unsafe rocksdb_options_set_block_based_table_factory(options, table)
        unsafe rocksdb_block_based_options_destroy(table)
    }

    deinit { unsafe rocksdb_options_destroy(options) }
}
