import WhenceCore
import WhenceEngine

/// What programs are told of a store and its upkeep: the same on the command line and over the wire.
public enum StoreDocuments {
    /// What the store holds and how it stands.
    public static func statistics(_ statistics: StoreStatistics) -> JSON {
        let views = statistics.views.map { view in
            JSON.object([
                ("name", .string(view.name)), ("versions_estimated", .int(view.versions)), ("files", .int(view.files)),
                ("file_bytes", .int(view.fileBytes)), ("memtable_bytes", .int(view.memtableBytes)),
                ("pending_compaction_bytes", .int(view.pendingCompactionBytes)),
                ("files_by_level", .array(view.filesByLevel.map { .int($0) })), ("horizon", JSON(view.horizon)),
            ])
        }
        return .object([
            ("path", .string(statistics.path)), ("format_version", .int(statistics.formatVersion)),
            ("catalog_version", .int(statistics.catalogVersion)), ("last_commit", JSON(statistics.lastCommit)),
            ("block_cache_used_bytes", .int(statistics.blockCacheUsedBytes)), ("block_cache_bytes", .int(statistics.blockCacheBytes)),
            ("history_cache_used_bytes", .int(statistics.historyCacheUsedBytes)),
            ("history_cache_bytes", .int(statistics.historyCacheBytes)),
            ("is_write_stopped", .bool(statistics.isWriteStopped)), ("background_errors", .int(statistics.backgroundErrors)),
            ("views", .array(views)),
        ])
    }

    /// What the compaction of one view did.
    public static func compacted(_ view: String, bytesBefore: Int, bytesAfter: Int, took: Duration) -> JSON {
        .object([
            ("view", .string(view)), ("bytes_before", .int(bytesBefore)), ("bytes_after", .int(bytesAfter)),
            ("seconds", JSON(Double(took.microseconds) / 1e6)),
        ])
    }

    /// What retention removed from one view.
    public static func retained(_ report: RetentionReport, dryRun: Bool) -> JSON {
        .object([
            ("view", .string(report.view)), ("horizon", JSON(report.horizon)), ("versions_seen", .int(report.versionsSeen)),
            ("versions_removed", .int(report.versionsRemoved)), ("bytes_removed", .int(report.bytesRemoved)), ("dry_run", .bool(dryRun)),
        ])
    }

    /// What the erasure of one entity removed.
    public static func erased(_ reports: [ErasureReport], dryRun: Bool) -> JSON {
        let views = reports.map { JSON.object([("view", .string($0.view)), ("versions_removed", .int($0.versionsRemoved))]) }
        return .object([("dry_run", .bool(dryRun)), ("views", .array(views))])
    }
}
