import Synchronization
import Testing
import WhenceCore
import WhenceEngine
import WhenceProtocol
import WhenceServer

@testable import WhenceClient

/// What is too long for one message of the server's: asked in several requests where that means the same, and refused where it does not.
@Suite(.timeLimit(.minutes(2))) struct PieceTests {
    /// Trips of so many drivers, some with notes that are as long as a hundred others.
    private static func trips(_ count: Int64) throws -> ColumnBatch {
        let ids = Array(0..<count)
        return try Tables.batch([
            ("driver", .int64, ids.map { .int64($0) }),
            ("event_time", .timestamp, ids.map { _ in .timestamp(Tables.time(0)) }),
            ("count", .int64, ids.map { .int64($0 * 3) }),
            ("note", .string, ids.map { .string(String(repeating: "x", count: $0 % 500 == 7 ? 5_000 : 5)) }),
        ])
    }

    @Test func aWriteThatIsTooLongIsRefusedWholeAndTheConnectionGoesOn() async throws {
        try await RunningServer.run {
            $0.limits.frameBytes = 65_536
        } _: { client, running in
            let rows = try Self.trips(5_000)
            let error = await #expect(throws: WhenceError.self) { try await client.write([Tables.part(rows)]) }
            #expect(error?.code == .limitExceeded && error?.hint.contains("writeInPieces") == true)
            #expect(running.store.freshness().isEmpty)
            _ = try await client.ping()
        }
    }

    @Test func piecesAreWrittenOnceHoweverOftenTheyAreAskedFor() async throws {
        try await RunningServer.run {
            $0.limits.frameBytes = 65_536
        } _: { client, running in
            let rows = try Self.trips(5_000)
            let first = try await client.writeInPieces(Tables.part(rows), idempotencyKey: Array("load".utf8))
            #expect(first.rows == 5_000 && !first.isRepeat)
            let again = try await client.writeInPieces(Tables.part(rows), idempotencyKey: Array("load".utf8))
            #expect(again.rows == 5_000 && again.isRepeat && again.commitTime == first.commitTime)
            let versions = try await client.scan("trips", from: .distantPast, to: .distantFuture).collect()
            #expect(versions.values("count") == (0..<5_000).map { .int64(Int64($0) * 3) })
            // Pieces of another size hold other rows: they are written, and not taken for those before.
            let other = try await client.writeInPieces(Tables.part(rows), rowsPerCommit: 128, idempotencyKey: Array("load".utf8))
            #expect(!other.isRepeat)
            let answer = try await client.get(.features(["trips.count"]), Tables.drivers(0..<5_000))
            #expect([answer.features].values("trips.count") == (0..<5_000).map { .int64(Int64($0) * 3) })
        }
    }

    @Test func anInterruptedWriteGoesOnWhereItStopped() async throws {
        // A server that refuses the third piece once, and keeps what it committed by its key.
        let seen = Mutex<[String]>([])
        let server = try await FakeServer { frame, peer in
            let write = try WriteRequest(decoding: frame)
            let key = String(decoding: write.idempotencyKey, as: UTF8.self)
            let (isRepeat, isRefused) = seen.withLock { seen in
                defer { seen.append(key) }
                return (seen.contains(key), seen.count == 2)
            }
            if isRefused {
                try peer.send(Failure(WhenceError(.notAllowed, "not now")), frame.requestID)
            } else {
                let rows = UInt64(write.parts[0].rows.count)
                try peer.send(Committed(commitTime: Tables.time(0), isRepeat: isRepeat, rows: rows), frame.requestID)
            }
        }
        let client = try await WhenceClient.connect(server.configuration)
        let part = Tables.part(try Self.trips(100))
        let error = await #expect(throws: WhenceError.self) {
            try await client.writeInPieces(part, rowsPerCommit: 32, idempotencyKey: Array("k".utf8))
        }
        #expect(error?.code == .notAllowed && error?.place == "after 64 of 100 rows were committed")
        let done = try await client.writeInPieces(part, rowsPerCommit: 32, idempotencyKey: Array("k".utf8))
        #expect(done.rows == 100 && !done.isRepeat)
        #expect(seen.withLock { $0 } == ["k/0+32", "k/32+32", "k/64+32", "k/0+32", "k/32+32", "k/64+32", "k/96+4"])
        for key in [[], [UInt8](repeating: 1, count: 89)] {
            let refused = await #expect(throws: WhenceError.self) { try await client.writeInPieces(part, idempotencyKey: key) }
            #expect(refused?.code == .invalidArgument)
        }
        await client.close()
        await server.close()
    }

    @Test func manyEntitiesAreReadInSeveralRequests() async throws {
        try await RunningServer.run {
            $0.limits.frameBytes = 65_536
        } _: { client, _ in
            _ = try await client.writeInPieces(Tables.part(try Tables.trips(0..<30_000)))
            let read = try client.prepare(.service("dispatch"), keys: BatchSchema(names: ["driver"], types: [.int64]), ages: true)
            for count in [1, 8_100, 10_001, 30_003] as [Int64] {
                let answer = try await read.read(Tables.drivers((0..<count).reversed()))
                #expect(answer.features.count == Int(count))
                #expect(
                    [answer.features].values("count") == (0..<count).reversed().map { $0 < 30_000 ? .int64($0) : .null }, "\(count)")
            }
            let none = try await read.read(Tables.drivers([] as [Int64]))
            #expect(none.features.count == 0)
        }
    }
}
