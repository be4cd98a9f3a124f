import RocksDB
import WhenceCore

/// How a store uses memory, disk and processors. The defaults suit one node with a few gigabytes.
public struct StoreOptions: Sendable {
    /// Memory for blocks of files, shared by all views.
    public var blockCacheBytes = 512 << 20
    /// Memory for rows that are not yet in files, all views together.
    public var memtableBytes = 256 << 20
    /// Memory for the cache of latest rows; 0 turns it off.
    public var latestCacheBytes = 64 << 20
    /// Memory for images of sorted files, which make joins that come again faster; 0 turns them off.
    public var historyCacheBytes = 512 << 20
    /// How often joins must have walked through all of a view before its files are read into images, which costs more than one such walk.
    public var historyCacheWalks = 1
    /// Memory that one backfill may take before it spills sorted runs to disk.
    public var backfillBytes = 256 << 20
    /// Threads that one join, scan or backfill may use.
    public var threads = 2
    /// Whether compactions leave the processor to all other threads, so that they delay no read. This then holds for every store that the process
    /// opens, and until it ends.
    public var compactsAtLowPriority = false
    /// Whether a commit is on disk when it is acknowledged.
    public var durability = Durability.synced
    /// Refuse to create a store where there is none.
    public var mustExist = false
    /// Open for reading only: nothing is written, and the store may be damaged in part.
    public var readOnly = false
    /// Open a store whose log is damaged: what was committed up to the damage is kept, and what follows it is lost.
    public var recoversDamagedLog = false
    /// The wall clock; tests bring their own.
    public var clock: @Sendable () -> Timestamp = Timestamp.wallClock

    public init() {}
}

/// What an acknowledged commit survives.
public enum Durability: String, Sendable, CaseIterable {
    /// A power failure: the log is synced before the acknowledgement.
    case synced
    /// The end of the process, but not that of the machine: the log is written and left to the system to sync.
    case buffered
}

/// Every option of RocksDB that Whence does not leave at its default, and the reason for each: the one place.
/// `Tests/WhenceEngineTests/StorageOptionsTests` keeps the ways round the traps of RocksDB 7.8.
enum StorageOptions {
    /// What the write-ahead log may have.
    static var maxLogBytes: UInt64 { 512 << 20 }

    static func database(_ store: StoreOptions) -> DatabaseOptions {
        var options = DatabaseOptions()
        // A missing store is made, unless a command only reads.
        options.createIfMissing = !store.mustExist && !store.readOnly
        // A damaged file stops the open instead of being skipped.
        options.paranoidChecks = true
        options.readOnly = store.readOnly
        // Two cores: one flush and one compaction. Below 8, as 7.8 retries failed flushes out of order from there on.
        options.maxBackgroundJobs = 2
        // Flushes keep their priority: writes wait for them.
        options.compactsAtLowPriority = store.compactsAtLowPriority
        // All files stay open: a read never waits for an open.
        options.maxOpenFiles = -1
        // Recovery after a crash reads no more log than this.
        options.maxTotalWALBytes = maxLogBytes
        // The stated memory for memtables holds for all views together.
        options.allMemtablesBytes = store.memtableBytes
        // The stated memory for blocks holds for all views together.
        options.blockCacheBytes = store.blockCacheBytes
        // RocksDB's information log, and one older, no larger than this each.
        options.infoLogBytes = 4 << 20
        // Damage amid the log would take acknowledged commits with it: said, and not passed over, unless asked for.
        options.logRecovery = store.recoversDamagedLog || store.readOnly ? .upToDamage : .toleratesTornEnd
        // Files are synced bit by bit while they are written: no long stall at their end that a commit would feel.
        options.bytesPerSync = 1 << 20
        return options
    }

    /// For the second try of a read-only open: views whose files are whole are served although those of others are not.
    static func damagedDatabase(_ store: StoreOptions) -> DatabaseOptions {
        var options = database(store)
        options.paranoidChecks = false
        return options
    }

    static func view(_ store: StoreOptions) -> ColumnFamilyOptions {
        var options = ColumnFamilyOptions()
        // Small skip lists stay in the processor's cache: 0.66 M rows/s at 16 MiB against 0.41 M at 128 MiB.
        options.writeBufferBytes = min(16 << 20, max(1 << 20, store.memtableBytes / 4))
        // Writes go on while up to three memtables wait for the disk.
        options.maxWriteBuffers = 4
        // Young levels: cheap to write and to read.
        options.compression = .lz4
        // The bottommost level holds almost everything: half the size for a little more work in compaction.
        options.bottommostCompression = .zstd
        options.bottommostZstdLevel = 3
        // Blocks repeat one another's values: a shared dictionary takes 6 % off.
        options.bottommostDictionaryBytes = 64 << 10
        options.bottommostTrainingBytes = 4 << 20
        // A point-in-time walk reads neighbours; larger blocks compress better and are still cheap to seek in.
        options.blockBytes = 16 << 10
        // Level compaction (universal mixes old and new data behind ingested files in 7.8), with the last level sized by what is there.
        options.dynamicLevelBytes = true
        options.targetFileBytes = 64 << 20
        // As large as what level 0 holds: young data is rewritten among itself, and not with the whole bottommost level each time.
        options.maxBytesForLevelBase = 64 << 20
        options.level0CompactionTrigger = 4
        return options
    }

    /// Files of a backfill: as the bottommost level, but written in one go, without the pause to learn a dictionary first. The first
    /// compaction gives them one.
    static func ingested(_ store: StoreOptions) -> ColumnFamilyOptions {
        var options = view(store)
        options.bottommostDictionaryBytes = 0
        options.bottommostTrainingBytes = 0
        return options
    }

    /// The default family: a few small records, for which RocksDB's ordinary settings do.
    static func records() -> ColumnFamilyOptions {
        var options = ColumnFamilyOptions()
        options.writeBufferBytes = 4 << 20
        return options
    }
}
