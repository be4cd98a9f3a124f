import Foundation
import Logging
import StoreFixtures
import WhenceCatalog
import WhenceClient
import WhenceCore
import WhenceEngine
import WhenceProtocol
import WhenceServer

/// A real server on a port of its own, over a store in a directory of its own.
final class RunningServer: Sendable {
    static let yaml = """
        entities:
          - { name: driver, join_keys: [{ name: driver, type: int64 }] }
        views:
          - name: trips
            entity: driver
            features: [{ name: count, type: int64 }, { name: rating, type: float64 }, { name: note, type: string }]
        services:
          - name: dispatch
            features: [{ view: trips, select: [count, rating], prefix: "" }]
        """

    let server: Server
    let store: Store
    let port: Int
    let scratch: ScratchDirectory

    /// - Parameter guarded: given the directory, says who may connect and how.
    init(
        _ change: (inout ServerConfiguration) -> Void = { _ in },
        guarded: (ScratchDirectory) throws -> (AccessControl, ServerTLS?) = { _ in (AccessControl(), nil) }
    ) async throws {
        scratch = try ScratchDirectory()
        let (access, tls) = try guarded(scratch)
        var options = StoreOptions()
        options.blockCacheBytes = 16 << 20
        options.memtableBytes = 16 << 20
        store = try Store(at: scratch.path("store"), options: options)
        var configuration = ServerConfiguration()
        configuration.listen = ListenAddress(host: "127.0.0.1", port: 0)
        configuration.limits.drainTime = .seconds(5)
        // On a busy machine every turn of an event loop may be long.
        configuration.limits.turnTime = .seconds(60)
        change(&configuration)
        var logger = Logger(label: "test", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .critical
        server = Server(store, configuration, access: access, tls: tls, logger: logger)
        port = try await server.start().port
    }

    var configuration: ClientConfiguration {
        var configuration = ClientConfiguration(host: "127.0.0.1", port: port)
        configuration.timeout = .seconds(30)
        configuration.streamTimeout = .seconds(60)
        return configuration
    }

    /// Runs `body` with a client of a server that has the definitions above, and ends both.
    static func run(
        _ change: (inout ServerConfiguration) -> Void = { _ in }, client tune: (inout ClientConfiguration) -> Void = { _ in },
        _ body: (WhenceClient, RunningServer) async throws -> Void
    ) async throws {
        let running = try await RunningServer(change)
        do {
            var configuration = running.configuration
            tune(&configuration)
            let client = try await WhenceClient.connect(configuration)
            _ = try await client.apply([DefinitionText(name: "trips.yaml", yaml: yaml)])
            try await body(client, running)
            await client.close()
        } catch {
            await running.server.shutDown()
            throw error
        }
        await running.server.shutDown()
    }
}

/// Tables for tests.
enum Tables {
    static let noon: Int64 = 1_700_000_000_000_000

    static func time(_ second: Int64) -> Timestamp { Timestamp(microseconds: noon + second * 1_000_000) }

    /// A batch with the values given column by column.
    static func batch(_ columns: [(name: String, type: FeatureType, values: [Value])]) throws -> ColumnBatch {
        let built = try columns.map { column in
            let builder = ColumnBuilder(column.type)
            for value in column.values { try builder.append(value) }
            return try builder.finish()
        }
        return ColumnBatch(names: columns.map(\.name), columns: built, count: built.first?.count ?? 0)
    }

    static func drivers(_ ids: some Sequence<Int64>) throws -> ColumnBatch { try .numbers(ids, name: "driver") }

    /// Trips of drivers at a second after noon: the count is the driver's number plus the second, the rating half of it, and every
    /// third has no note.
    static func trips(_ drivers: Range<Int64>, second: Int64 = 0) throws -> ColumnBatch {
        let ids = Array(drivers)
        return try batch([
            ("driver", .int64, ids.map { .int64($0) }),
            ("event_time", .timestamp, ids.map { _ in .timestamp(time(second)) }),
            ("count", .int64, ids.map { .int64($0 + second) }),
            ("rating", .float64, ids.map { .float64(Double($0 + second) / 2) }),
            ("note", .string, ids.map { $0 % 3 == 0 ? .null : .string("driver \($0)") }),
        ])
    }

    static func part(_ rows: ColumnBatch, _ view: String = "trips") -> WritePart {
        WritePart(view: view, eventTime: "event_time", rows: rows)
    }

    /// A spine of drivers at a second after noon, with a label that passes through.
    static func spine(_ drivers: some Sequence<Int64>, second: Int64) throws -> ColumnBatch {
        let ids = Array(drivers)
        return try batch([
            ("driver", .int64, ids.map { .int64($0) }),
            ("event_time", .timestamp, ids.map { _ in .timestamp(time(second)) }),
            ("label", .int64, ids.map { .int64($0 * 7) }),
        ])
    }
}

extension [ColumnBatch] {
    /// The values of one column of all batches.
    func values(_ name: String) -> [Value] {
        flatMap { batch in
            guard let column = batch.column(named: name) else { return [] as [Value] }
            return (0..<column.count).map { column.value($0) }
        }
    }
}

extension ServerConfiguration {
    static var forTests: ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.listen = ListenAddress(host: "127.0.0.1", port: 0)
        return configuration
    }
}

extension Logger {
    static var quiet: Logger {
        var logger = Logger(label: "test", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .critical
        return logger
    }
}
