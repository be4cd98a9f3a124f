import WhenceCore
import WhenceEngine

/// Everything that `/metrics` shows: what the server counted, and how the store stands. `docs/operations.md` explains each.
struct MetricsPage: Sendable {
    let metrics: ServerMetrics
    let health: ServerHealth
    let audit: AuditLog
    /// The start of the process, as far as this is known.
    let started: Timestamp

    /// - Parameter store: nil while it is being opened.
    func text(_ store: Store?) -> String {
        var page = Exposition()
        writeRequests(&page)
        writeConnections(&page)
        writeState(&page)
        if let store {
            writeFreshness(store, &page)
            writeStore(store.statistics(), &page)
        }
        return page.text
    }

    private func writeRequests(_ page: inout Exposition) {
        let counted = Operation.allCases.map { ($0, metrics.counts(of: $0)) }.filter { !$0.1.codes.isEmpty }
        page.begin("whence_requests_total", .counter, "Requests that have ended, by operation and by the code of their error; 0 is none.")
        for (operation, counts) in counted {
            for (code, count) in counts.codes.sorted(by: { $0.key < $1.key }) {
                page.sample("whence_requests_total", [("operation", operation.label), ("code", "\(code)")], count)
            }
        }
        page.begin("whence_request_seconds", .histogram, "Time from the arrival of a request to its last answer.")
        for (operation, counts) in counted {
            page.histogram("whence_request_seconds", [("operation", operation.label)], counts)
        }
        page.begin("whence_request_rows_total", .counter, "Rows read or written for requests.")
        for (operation, counts) in counted { page.sample("whence_request_rows_total", [("operation", operation.label)], counts.rows) }
        page.begin("whence_request_bytes_total", .counter, "Bytes of the payloads of requests and answers.")
        for (operation, counts) in counted { page.sample("whence_request_bytes_total", [("operation", operation.label)], counts.bytes) }
        page.single("whence_requests_in_flight", .gauge, "Requests that have arrived and are not answered.", metrics.inFlight.value)
        page.begin("whence_queue_length", .gauge, "Requests that wait for a thread, by queue.")
        for (name, length) in metrics.queueLengths { page.sample("whence_queue_length", [("queue", name)], length) }
        page.begin("whence_shed_total", .counter, "Requests and connections turned away for lack of room, by the limit that was reached.")
        for (reason, count) in metrics.shedCounts { page.sample("whence_shed_total", [("limit", reason.rawValue)], count) }
    }

    private func writeConnections(_ page: inout Exposition) {
        page.single("whence_connections", .gauge, "Connections that are open.", metrics.connections.value)
        page.single("whence_connections_total", .counter, "Connections taken.", metrics.accepted.value)
        page.single("whence_received_bytes_total", .counter, "Bytes received over the protocol.", metrics.bytesReceived.value)
        page.single("whence_sent_bytes_total", .counter, "Bytes sent over the protocol.", metrics.bytesSent.value)
    }

    private func writeState(_ page: inout Exposition) {
        page.single("whence_start_time_seconds", .gauge, "When the server started, since the epoch.", Double(started.microseconds) / 1e6)
        page.single(
            "whence_ready", .gauge, "1 while requests are answered, 0 while the store is opened or the server drains.",
            health.phase == .ready ? 1 : 0)
        page.single(
            "whence_read_only", .gauge, "1 while writes are refused because the store cannot take them.",
            health.readOnlyReason == nil ? 0 : 1)
        page.single("whence_audit_failures_total", .counter, "Records of the audit log that could not be written.", audit.failures)
    }

    private func writeFreshness(_ store: Store, _ page: inout Exposition) {
        let now = store.now
        let views = store.freshness()
        func seconds(since time: Timestamp) -> Double { Double(now.microseconds - time.microseconds) / 1e6 }
        page.begin(
            "whence_view_event_lag_seconds", .gauge,
            "Age of the newest event time written to the view since the start; absent before a write.")
        for view in views {
            if let newest = view.newestEvent { page.sample("whence_view_event_lag_seconds", [("view", view.view)], seconds(since: newest)) }
        }
        page.begin("whence_view_commit_age_seconds", .gauge, "Age of the view's last commit since the start; absent before one.")
        for view in views { page.sample("whence_view_commit_age_seconds", [("view", view.view)], seconds(since: view.lastCommit)) }
    }

    private func writeStore(_ store: StoreStatistics, _ page: inout Exposition) {
        page.single("whence_catalog_version", .gauge, "Version of the catalog.", store.catalogVersion)
        page.single("whence_latest_cache_hits_total", .counter, "Online reads answered by the cache of latest rows.", store.latestCacheHits)
        page.single("whence_latest_cache_misses_total", .counter, "Online reads that had to look into the store.", store.latestCacheMisses)
        page.single("whence_latest_cache_entries", .gauge, "Entries of the cache of latest rows.", store.latestCacheEntries)
        page.single("whence_latest_cache_bytes", .gauge, "Bytes of the cache of latest rows.", store.latestCacheUsedBytes)
        page.single("whence_block_cache_used_bytes", .gauge, "Bytes of RocksDB's block cache in use.", store.blockCacheUsedBytes)
        page.single("whence_block_cache_bytes", .gauge, "Size of RocksDB's block cache.", store.blockCacheBytes)
        page.single(
            "whence_history_cache_used_bytes", .gauge, "Bytes of images of sorted files, for joins that come again.",
            store.historyCacheUsedBytes)
        page.single("whence_history_cache_bytes", .gauge, "Most bytes that such images may take.", store.historyCacheBytes)
        page.single("whence_log_bytes", .gauge, "Bytes of the write-ahead log.", store.logBytes)
        page.single("whence_write_stopped", .gauge, "1 while RocksDB has stopped writes.", store.isWriteStopped ? 1 : 0)
        page.single(
            "whence_delayed_write_bytes_per_second", .gauge, "What RocksDB slows writes down to; 0 while it does not.",
            store.delayedWriteBytesPerSecond)
        page.single("whence_background_errors_total", .counter, "Failed flushes and compactions.", store.backgroundErrors)
        func perView(_ name: String, _ help: String, _ value: (StoreStatistics.View) -> Int) {
            page.begin(name, .gauge, help)
            for view in store.views { page.sample(name, [("view", view.name)], value(view)) }
        }
        perView("whence_view_versions", "Versions of the view, estimated.") { $0.versions }
        perView("whence_view_memtable_bytes", "Rows of the view that are not yet in files.") { $0.memtableBytes }
        perView("whence_view_pending_compaction_bytes", "What compaction has yet to rewrite.") { $0.pendingCompactionBytes }
        func perLevel(_ name: String, _ help: String, _ values: (StoreStatistics.View) -> [Int]) {
            page.begin(name, .gauge, help)
            for view in store.views {
                for (level, value) in values(view).enumerated() { page.sample(name, [("view", view.name), ("level", "\(level)")], value) }
            }
        }
        perLevel("whence_view_files", "Sorted files of the view, by level.") { $0.filesByLevel }
        perLevel("whence_view_file_bytes", "Bytes of the view's sorted files, by level, compressed.") { $0.fileBytesByLevel }
    }
}
