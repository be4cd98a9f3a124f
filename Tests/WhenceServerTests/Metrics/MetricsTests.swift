import Foundation
import StoreFixtures
import Testing
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

@Suite("Metrics") struct MetricsTests {
    private static func page(_ metrics: ServerMetrics, _ store: Store? = nil) -> String {
        MetricsPage(metrics: metrics, health: ServerHealth(), audit: AuditLog(), started: Timestamp(microseconds: 1_500_000)).text(store)
    }

    @Test("a page without a store, before any request") func empty() throws {
        let page = try ExpositionParser(Self.page(ServerMetrics()))
        #expect(page.value("whence_ready") == 0)
        #expect(page.value("whence_start_time_seconds") == 1.5)
        #expect(page.value("whence_shed_total", ["limit": "queue"]) == 0)
    }

    @Test("requests are counted by operation and code, from many threads") func requests() async throws {
        let metrics = ServerMetrics()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for index in 0..<1_000 {
                        metrics.record(
                            .onlineRead, code: index % 100 == 0 ? 4_003 : 0, duration: .microseconds(12 + task), rows: 3, bytes: 100)
                    }
                }
            }
        }
        metrics.shed(.queue)
        metrics.watchQueue("reads") { 7 }
        let page = try ExpositionParser(Self.page(metrics))
        let read = ["operation": "online_read"]
        #expect(page.value("whence_requests_total", read.merging(["code": "0"]) { $1 }) == 7_920)
        #expect(page.value("whence_requests_total", read.merging(["code": "4003"]) { $1 }) == 80)
        #expect(page.value("whence_request_rows_total", read) == 24_000)
        #expect(page.value("whence_request_bytes_total", read) == 800_000)
        #expect(page.value("whence_request_seconds_count", read) == 8_000)
        // 12 to 15 us fall into the bucket of 15, 16 to 19 into that of 20.
        #expect(page.value("whence_request_seconds_bucket", read.merging(["le": "1e-05"]) { $1 }) == 0)
        #expect(page.value("whence_request_seconds_bucket", read.merging(["le": "1.5e-05"]) { $1 }) == 4_000)
        #expect(page.value("whence_request_seconds_bucket", read.merging(["le": "2e-05"]) { $1 }) == 8_000)
        let sum = page.value("whence_request_seconds_sum", read) ?? 0
        #expect(abs(sum - 0.124) < 1e-9)
        #expect(page.value("whence_shed_total", ["limit": "queue"]) == 1)
        #expect(page.value("whence_queue_length", ["queue": "reads"]) == 7)
    }

    @Test("a latency falls into the first bucket that holds it") func buckets() {
        let bounds = LatencyBuckets.boundsMicros
        #expect(bounds.first == 10 && bounds.last == 30_000_000 && bounds == bounds.sorted() && Set(bounds).count == bounds.count)
        for (index, bound) in bounds.enumerated() {
            #expect(LatencyBuckets.index(micros: bound) == index)
            #expect(LatencyBuckets.index(micros: bound + 1) == index + 1)
        }
        #expect(LatencyBuckets.index(micros: 0) == 0)
        #expect(LatencyBuckets.index(micros: .max) == bounds.count)
        // Durations that no clock gives are counted all the same.
        let metrics = ServerMetrics()
        for duration in [Duration.zero, .seconds(-5), .seconds(1 << 60)] {
            metrics.record(.ping, code: 0, duration: duration, rows: 0, bytes: 0)
        }
        #expect(metrics.counts(of: .ping).latencies.reduce(0, +) == 3)
    }

    @Test("label values with quotes, backslashes and line breaks come back as they were") func escaping() throws {
        var page = Exposition()
        page.begin("x", .gauge, "help with \\ and \n a break")
        page.sample("x", [("view", "a\"b\\c\nd{},=é")], -0.5)
        page.sample("x", [("view", "")], .infinity)
        let parsed = try ExpositionParser(page.text)
        #expect(parsed.value("x", ["view": "a\"b\\c\nd{},=é"]) == -0.5)
        #expect(parsed.value("x", ["view": ""]) == .infinity)
    }

    @Test(
        "the parser of these tests takes no rubbish",
        arguments: ["x 1\n", "# HELP x y\n# TYPE x gauge\nx{a=b} 1\n", "# HELP x y\n# TYPE x counter\nx 1\n", "x"])
    func strictness(text: String) { #expect(throws: ExpositionParser.Failure.self) { try ExpositionParser(text) } }

    @Test("a served store shows its views, their freshness and what was done") func served() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<5)))
            // A driver of two views, first from the store and then from the cache.
            let keys = BatchSchema(names: ["driver"], types: [.int64])
            let question = try PreparedQuestion(OnlineQuestion(.service("dispatch"), keys: keys))
            for _ in 0..<2 {
                let read = OnlineRead(timeout: nil, knownSchema: 0, question: question, entities: Tables.drivers([1]))
                let _: OnlineAnswer = try client.ask(read)
            }
            let text = MetricsPage(
                metrics: server.metrics, health: ServerHealth(), audit: AuditLog(), started: Timestamp.wallClock()
            ).text(server.store)
            let page = try ExpositionParser(text)
            #expect(page.value("whence_connections") == 1)
            #expect(page.value("whence_requests_total", ["operation": "write", "code": "0"]) == 1)
            #expect(page.value("whence_request_rows_total", ["operation": "write"]) == 5)
            #expect((page.value("whence_received_bytes_total") ?? 0) > 100)
            // The test writes rows of 2023.
            #expect((page.value("whence_view_event_lag_seconds", ["view": "trips"]) ?? 0) > 1e6)
            #expect((page.value("whence_view_commit_age_seconds", ["view": "trips"]) ?? 1e9) < 60)
            #expect(page.value("whence_view_commit_age_seconds", ["view": "position"]) == nil)
            #expect((page.value("whence_log_bytes") ?? 0) > 0)
            #expect(page.value("whence_background_errors_total") == 0)
            // On the event loop and, handed over, on the pool: a row that is not there is counted once.
            #expect(page.value("whence_latest_cache_misses_total") == 2 && page.value("whence_latest_cache_hits_total") == 2)
            #expect((page.value("whence_block_cache_bytes") ?? 0) > 0)
            #expect(page.value("whence_write_stopped") == 0 && page.value("whence_delayed_write_bytes_per_second") == 0)
            #expect(page.value("whence_view_pending_compaction_bytes", ["view": "trips"]) == 0)
            #expect(page.value("whence_request_seconds_count", ["operation": "online_read"]) == 2)
            #expect(page.value("whence_queue_length", ["queue": "writes"]) == 0)
            #expect(page.value("whence_view_files", ["view": "trips", "level": "0"]) == 0)
        }
    }
}
