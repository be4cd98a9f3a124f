import Foundation
import RocksDB
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore

@testable import WhenceEngine

/// The ways round the traps of RocksDB 7.8 are kept: no call that leads into one, and the options that RocksDB says it runs with.
@Suite("Storage options") struct StorageOptionsTests {
    /// The one call with a tier that there is: memtables alone are not the block cache, which the trap is about.
    static let memtablesOnly = "if memtablesOnly { unsafe rocksdb_readoptions_set_read_tier(options, Cursor.memtableTier) }"

    /// Calls and options of RocksDB that nothing in Sources may name, and what they lead into.
    static let traps: [(word: String, why: String)] = [
        ("async_io", "memory corruption until 7.10"),
        ("delete_range", "wrong results behind iterate_upper_bound until 11.3"),
        ("DeleteRange", "the same"),
        ("change_level", "races an ingestion, old data on top, until 7.10"),
        ("manual_wal_flush", "families inconsistent after an automatic recovery, until 9.7"),
        ("rocksdb_flush_wal", "goes with manual_wal_flush"),
        ("wal_compression", "recovery fails or misreads until 7.10.2"),
        ("SyncWAL", "a missing log is reported together with track_and_verify_wals_in_manifest"),
        ("track_and_verify_wals", "the same"),
        ("rocksdb_set_options", "changes are reverted quietly until 9.8"),
        ("SetOptions", "the same"),
        ("read_tier", "an empty value instead of 'incomplete' until 9.1"),
        ("multi_get", "wrong for a key that is asked for twice, and checksum errors swallowed, until 9.6"),
        ("MultiGet", "the same"),
        ("universal_compaction", "old data behind ingested files until 9.0"),
        ("compaction_style", "level compaction is the default, and no other is right"),
        ("partition_filters", "misses keys in prefix mode until 9.5"),
        ("seek_for_prev", "the same"),
        ("SeekForPrev", "the same"),
        ("rocksdb_checkpoint", "links a log that is not synced until 9.4: only with a log size limit of 0, and a test of its own"),
        ("restore_db_from_latest", "fails when the latest was deleted, until 7.10"),
        ("unordered_write", "a read may miss what was acknowledged"),
        ("disable_WAL", "an acknowledged commit would be in memory only"),
        ("allow_mmap", "a damaged disk ends the process"),
    ]

    /// Lines of code of all files below Sources, without comments.
    private static func code() throws -> [(file: String, line: Int, text: Substring)] {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources").standardizedFileURL.path
        var lines: [(file: String, line: Int, text: Substring)] = []
        for name in try FileManager.default.subpathsOfDirectory(atPath: sources)
        where [".swift", ".cpp", ".h"].contains(where: { name.hasSuffix($0) }) {
            let text = try String(contentsOfFile: "\(sources)/\(name)", encoding: .utf8)
            for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let code = line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
                lines.append((name, index + 1, code))
            }
        }
        return lines
    }

    @Test("no call that leads into a trap") func calls() throws {
        let code = try StorageOptionsTests.code()
        // The search finds what is there.
        #expect(code.contains { $0.text.contains("rocksdb_options_set_max_background_jobs") })
        #expect(code.contains { $0.text.contains("options.bottommost_level_compaction") })
        for (word, why) in StorageOptionsTests.traps {
            for line in code where line.text.replacing(StorageOptionsTests.memtablesOnly, with: "").contains(word) {
                Issue.record("\(line.file):\(line.line) names \(word): \(why)")
            }
        }
    }

    @Test("RocksDB is called in its own room only") func oneRoom() throws {
        for line in try StorageOptionsTests.code() where line.text.contains("rocksdb_") {
            // The names of properties are text.
            let isCall = line.text.contains("rocksdb_") && !line.file.hasPrefix("RocksDB/") && !line.file.hasPrefix("CRocksDB")
            #expect(!isCall, "\(line.file):\(line.line)")
        }
    }

    /// A section of the file in which RocksDB says what it runs with.
    private static func section(_ text: String, _ name: String) -> [String: String] {
        var values: [String: String] = [:]
        var isInside = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("[") {
                isInside = line.hasPrefix("[\(name)")
            } else if isInside, let equals = line.firstIndex(of: "=") {
                values[line[..<equals].trimmingCharacters(in: .whitespaces)] = String(line[line.index(after: equals)...])
            }
        }
        return values
    }

    private func optionsFile(_ options: StoreOptions) throws -> (text: String, view: String) {
        let scratch = try ScratchDirectory()
        let path = scratch.path("store")
        var id: UInt32 = 0
        do {
            let store = try Store(at: path, options: options)
            try store.define(Examples.yaml)
            id = try store.catalog.view(named: "trips").id
        }
        _ = try Store(at: path, options: options)
        let names = try FileManager.default.contentsOfDirectory(atPath: path + "/db").filter { $0.hasPrefix("OPTIONS-") }.sorted()
        return (try String(contentsOfFile: path + "/db/" + (try #require(names.last)), encoding: .utf8), OpenView.familyName(id))
    }

    @Test("what RocksDB says it runs with") func inForce() throws {
        var options = StoreOptions()
        options.memtableBytes = 48 << 20
        let (text, view) = try optionsFile(options)
        let database = StorageOptionsTests.section(text, "DBOptions")
        #expect(StorageOptionsTests.section(text, "Version")["rocksdb_version"]?.hasPrefix("7.8.") == true, "read facts on a newer RocksDB")
        for (name, value) in [
            "max_background_jobs": "2", "max_open_files": "-1", "paranoid_checks": "true", "manual_wal_flush": "false",
            "wal_compression": "kNoCompression", "track_and_verify_wals_in_manifest": "false", "unordered_write": "false",
            "two_write_queues": "false", "allow_mmap_reads": "false", "allow_mmap_writes": "false", "allow_ingest_behind": "false",
            "best_efforts_recovery": "false", "recycle_log_file_num": "0", "use_fsync": "false", "db_write_buffer_size": "\(48 << 20)",
            "max_total_wal_size": "\(512 << 20)", "bytes_per_sync": "\(1 << 20)", "avoid_flush_during_recovery": "false",
            "verify_sst_unique_id_in_manifest": "true",
            "skip_checking_sst_file_sizes_on_db_open": "false",
        ] {
            #expect(database[name] == value, "\(name)")
        }
        // A torn end was never acknowledged; damage amid the log is refused.
        #expect(database["wal_recovery_mode"] == "kTolerateCorruptedTailRecords")
        for family in ["default", view] {
            let values = StorageOptionsTests.section(text, "CFOptions \"\(family)\"")
            for (name, value) in [
                "compaction_style": "kCompactionStyleLevel", "level_compaction_dynamic_level_bytes": "true",
                "compression": "kLZ4Compression",
                "bottommost_compression": "kZSTD", "prefix_extractor": "nullptr", "comparator": "leveldb.BytewiseComparator",
                "merge_operator": "nullptr", "compaction_filter": "nullptr", "inplace_update_support": "false",
                "enable_blob_files": "false",
                "disable_auto_compactions": "false", "force_consistency_checks": "true", "memtable_factory": "SkipListFactory",
            ] {
                #expect(values[name] == value, "\(family): \(name)")
            }
            #expect(values["bottommost_compression_opts"]?.contains("enabled=true") == true)
            #expect(values["bottommost_compression_opts"]?.contains(";level=3;") == true)
            let table = StorageOptionsTests.section(text, "TableOptions/BlockBasedTable \"\(family)\"")
            for (name, value) in [
                "block_size": "16384", "format_version": "5", "partition_filters": "false", "index_type": "kBinarySearch",
                "no_block_cache": "false", "checksum": "kXXH3",
            ] {
                #expect(table[name] == value, "\(family): \(name)")
            }
        }
        let values = StorageOptionsTests.section(text, "CFOptions \"\(view)\"")
        #expect(values["write_buffer_size"] == "\(12 << 20)")
        // More than two of them only with fewer than eight jobs: a failed flush is retried out of order otherwise, until 7.9.
        let buffers = try #require(values["max_write_buffer_number"].flatMap { Int($0) })
        let jobs = try #require(database["max_background_jobs"].flatMap { Int($0) })
        #expect(buffers <= 2 || jobs < 8)
    }

    @Test("what the options of a store become") func mapping() {
        var store = StoreOptions()
        store.memtableBytes = 1
        store.blockCacheBytes = 5 << 20
        #expect(StorageOptions.view(store).writeBufferBytes == 1 << 20)
        store.memtableBytes = 1 << 30
        #expect(StorageOptions.view(store).writeBufferBytes == 16 << 20)
        #expect(StorageOptions.database(store).allMemtablesBytes == 1 << 30)
        #expect(StorageOptions.database(store).blockCacheBytes == 5 << 20)
        #expect(StorageOptions.database(store).createIfMissing)
        #expect(StorageOptions.database(store).paranoidChecks)
        #expect(StorageOptions.database(store).logRecovery == .toleratesTornEnd)
        store.recoversDamagedLog = true
        #expect(StorageOptions.database(store).logRecovery == .upToDamage)
        store.mustExist = true
        #expect(!StorageOptions.database(store).createIfMissing)
        store.mustExist = false
        store.readOnly = true
        let readOnly = StorageOptions.database(store)
        #expect(!readOnly.createIfMissing && readOnly.readOnly)
        // Damage is tolerated at the second try only, so that whole views of a damaged store are still served.
        #expect(readOnly.paranoidChecks)
        #expect(!StorageOptions.damagedDatabase(store).paranoidChecks)
    }

    @Test("a commit is synced unless told otherwise") func durability() {
        #expect(StoreOptions().durability == .synced)
    }
}
