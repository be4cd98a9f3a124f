import Foundation
import Logging
import StoreFixtures
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

/// A server on a port of its own, over a store in a directory of its own.
final class TestServer: Sendable {
    static let yaml = """
        entities:
          - { name: driver, join_keys: [{ name: driver, type: int64 }] }
        views:
          - name: trips
            entity: driver
            features: [{ name: count, type: int64 }, { name: rating, type: float64 }, { name: note, type: string }]
          - name: position
            entity: driver
            features: [{ name: lat, type: float64 }]
        services:
          - name: dispatch
            features:
              - { view: trips, select: [count, rating], prefix: "" }
              - { view: position, prefix: "" }
        """

    let server: Server
    let store: Store
    let port: Int
    let metrics = ServerMetrics()
    private let scratch: ScratchDirectory

    /// - Parameter directory: where the store is to be; nil for a place of its own.
    init(
        _ change: (inout ServerConfiguration) -> Void = { _ in }, access: AccessControl = AccessControl(), tls: ServerTLS? = nil,
        in directory: String? = nil
    ) async throws {
        scratch = try ScratchDirectory()
        var options = StoreOptions()
        options.blockCacheBytes = 16 << 20
        options.memtableBytes = 4 << 20
        store = try Store(at: directory ?? scratch.path("store"), options: options)
        try store.define(TestServer.yaml)
        var configuration = ServerConfiguration()
        configuration.listen = ListenAddress(host: "127.0.0.1", port: 0)
        configuration.limits.drainTime = .seconds(5)
        // On a busy machine every turn of an event loop may be long.
        configuration.limits.turnTime = .seconds(60)
        change(&configuration)
        var logger = Logger(label: "test", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .critical
        server = Server(store, configuration, access: access, tls: tls, metrics: metrics, logger: logger)
        port = try await server.start().port
    }

    func client() throws -> RawClient { try RawClient(port: port) }

    /// Runs `body` against a server, and ends it.
    static func run<Result>(
        _ change: (inout ServerConfiguration) -> Void = { _ in }, _ body: (TestServer) async throws -> Result
    ) async throws -> Result {
        let server = try await TestServer(change)
        do {
            let result = try await body(server)
            await server.server.shutDown()
            return result
        } catch {
            await server.server.shutDown()
            throw error
        }
    }
}

/// Tables for tests.
enum Tables {
    static let noon: Int64 = 1_700_000_000_000_000

    static func int64(_ values: [Int64]) -> Column {
        let builder = ColumnBuilder(.int64)
        for value in values { builder.append(fixed: value) }
        return finish(builder)
    }

    static func times(_ values: [Int64]) -> Column {
        let builder = ColumnBuilder(.timestamp)
        for value in values { builder.append(fixed: value) }
        return finish(builder)
    }

    static func float64(_ values: [Double]) -> Column {
        let builder = ColumnBuilder(.float64)
        for value in values { builder.append(fixed: value) }
        return finish(builder)
    }

    private static func finish(_ builder: ColumnBuilder) -> Column {
        do { return try builder.finish() } catch { preconditionFailure("\(error)") }
    }

    static func drivers(_ ids: some Sequence<Int64>) -> ColumnBatch {
        let column = int64(Array(ids))
        return ColumnBatch(names: ["driver"], columns: [column], count: column.count)
    }

    /// Trips of drivers, at `noon` and so many seconds: the count is the driver's number plus the second.
    static func trips(_ drivers: Range<Int64>, second: Int64 = 0) -> ColumnBatch {
        let ids = Array(drivers)
        return ColumnBatch(
            names: ["driver", "event_time", "count", "rating"],
            columns: [
                int64(ids), times(ids.map { _ in noon + second * 1_000_000 }), int64(ids.map { $0 + second }),
                float64(ids.map { Double($0) / 2 }),
            ], count: ids.count)
    }

    static func write(_ rows: ColumnBatch, view: String = "trips", key: String = "", timeout: Duration? = nil) -> WriteRequest {
        WriteRequest(
            timeout: timeout, idempotencyKey: Array(key.utf8), parts: [WritePart(view: view, eventTime: "event_time", rows: rows)])
    }

    static func spine(_ drivers: some Sequence<Int64>, second: Int64 = 10) -> ColumnBatch {
        let ids = Array(drivers)
        return ColumnBatch(
            names: ["driver", "event_time", "label"],
            columns: [int64(ids), times(ids.map { _ in noon + second * 1_000_000 }), int64(ids.map { $0 * 7 })], count: ids.count)
    }
}
