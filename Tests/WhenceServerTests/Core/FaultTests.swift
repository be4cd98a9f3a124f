import Foundation
import Synchronization
import Testing
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

/// Clients that break the rules, go away, or do nothing.
@Suite("Bad clients") struct BadClientTests {
    /// Waits until `condition` holds, for a few seconds.
    private func eventually(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<500 {
            if condition() { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return condition()
    }

    private func code(_ body: () throws -> Void) -> WhenceError.Code? {
        do {
            try body()
            return nil
        } catch { return (error as? WhenceError)?.code }
    }

    /// A conversation with a write, a read of it, a join and a backfill, as bytes.
    private func conversation(key: String) throws -> [UInt8] {
        var bytes = try RawClient.bytes(Hello(maximumPayloadBytes: 1 << 20, client: "cut"), id: 0)
        bytes += try RawClient.bytes(Ping(timeout: nil), id: 1)
        bytes += try RawClient.bytes(Tables.write(Tables.trips(0..<3), key: key), id: 2)
        let join = JoinRequest(
            timeout: nil, options: StreamOptions(credit: 1 << 20), selection: .service("dispatch"), eventTime: "event_time", knownAt: nil,
            asServed: false, memoryBytes: 0, source: .rows(BatchSchema(of: Tables.spine(0..<1))))
        bytes += try RawClient.bytes(join, id: 3)
        bytes += try RawClient.bytes(rows: Tables.spine(0..<3), id: 3)
        bytes += try RawClient.bytes(UploadEnd(rows: 3), id: 3)
        let rows = Tables.trips(50..<53)
        let backfill = BackfillRequest(
            timeout: nil, view: "position", missingIsNull: false, eventTime: "event_time", availabilityTime: "",
            schema: BatchSchema(names: ["driver", "event_time"], types: [.int64, .timestamp]))
        bytes += try RawClient.bytes(backfill, id: 4)
        bytes += try RawClient.bytes(
            rows: ColumnBatch(names: ["driver", "event_time"], columns: Array(rows.columns[..<2]), count: 3), id: 4)
        return bytes
    }

    @Test("cut off at every byte of a conversation") func cut() async throws {
        try await TestServer.run { server in
            let bytes = try conversation(key: "one")
            for end in 0...bytes.count {
                let client = try RawClient(port: server.port, opens: false)
                try client.send(bytes: bytes[..<end])
                client.close()
            }
            #expect(try await eventually { server.metrics.connections.value == 0 && server.metrics.inFlight.value == 0 })
            #expect(server.server.core.admission.openRequests == 0)
            let client = try server.client()
            let committed: Committed = try client.ask(Tables.write(Tables.trips(0..<3), key: "one"))
            #expect(committed.isRepeat)
            // However often it was sent, it is one write.
            #expect(try server.store.history("trips", try EntityKey([.int64(1)])).count == 1)
            #expect(try server.store.history("position", try EntityKey([.int64(51)])).isEmpty)
        }
    }

    @Test("frames that are none end the connection, and nothing else") func malformed() async throws {
        try await TestServer.run { server in
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = SplitRandom(seed)
            let good = try conversation(key: "m")
            let hello = try RawClient.bytes(Hello(maximumPayloadBytes: 1 << 20, client: "cut"), id: 0)
            for _ in 0..<200 {
                let client = try RawClient(port: server.port, opens: false)
                var bytes = good
                for _ in 0..<Int(1 + random.next() % 3) {
                    let at = (random.next() & 1 == 0 ? hello.count : 0) + Int(random.next() % UInt64(bytes.count - hello.count))
                    bytes[at] = UInt8(truncatingIfNeeded: random.next())
                }
                try? client.send(bytes: bytes)
                client.close()
            }
            #expect(try await eventually { server.metrics.inFlight.value == 0 }, "seed \(seed)")
            let client = try server.client()
            let _: Pong = try client.ask(Ping(timeout: nil))

            var wrongChecksum = try RawClient.bytes(Ping(timeout: nil), id: 9)
            wrongChecksum[5] ^= 1
            try client.send(bytes: wrongChecksum)
            let failure = try Failure(decoding: try client.frame())
            #expect(failure.code == 4006)
            #expect(client.isClosedByServer())
        }
    }

    @Test("an opening that does not come") func slowOpening() async throws {
        try await TestServer.run {
            $0.limits.openingTime = .milliseconds(200)
            $0.limits.idleTime = .milliseconds(300)
        } _: { server in
            let silent = try RawClient(port: server.port, opens: false)
            let dripping = try RawClient(port: server.port, opens: false)
            try dripping.send(bytes: [60])
            let stuck = try server.client()
            try stuck.send(bytes: try RawClient.bytes(Ping(timeout: nil), id: 1).dropLast())
            #expect(silent.isClosedByServer())
            #expect(dripping.isClosedByServer())
            #expect(stuck.isClosedByServer())
            #expect(try await eventually { server.metrics.connections.value == 0 })
        }
    }

    @Test("a slow loris: a byte now and then, before the session is open and within it, does not keep a connection") func slowLoris()
        async throws
    {
        try await TestServer.run {
            $0.limits.openingTime = .milliseconds(300)
            $0.limits.idleTime = .milliseconds(300)
        } _: { server in
            let hello = try RawClient.bytes(Hello(maximumPayloadBytes: 1 << 20, client: String(repeating: "x", count: 400)), id: 0)
            let show = try RawClient.bytes(CompactRequest(timeout: nil, view: String(repeating: "v", count: 400)), id: 1)
            let lorises = [(try RawClient(port: server.port, opens: false), hello), (try server.client(), show)]
            let busy = try server.client()
            var dropped: Set<Int> = []
            // Twenty seconds' worth: nobody is kept waiting for so long.
            for at in 0..<400 where dropped.count < lorises.count {
                for (index, (loris, bytes)) in lorises.enumerated() where !dropped.contains(index) {
                    do { try loris.send(bytes: bytes[at..<at + 1]) } catch { dropped.insert(index) }
                }
                // Others do not notice.
                let _: Pong = try busy.ask(Ping(timeout: nil))
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(dropped.count == lorises.count)
            #expect(try await eventually { server.metrics.connections.value == 1 })
        }
    }

    @Test("versions that nobody speaks, and words before hello") func wrongOpening() async throws {
        try await TestServer.run { server in
            let future = try RawClient(port: server.port, opens: false)
            try future.send(Hello(lowestVersion: 7, highestVersion: 9, maximumPayloadBytes: 1 << 20, client: "f"), id: 0)
            #expect(try Failure(decoding: try future.frame()).code == 4007)
            #expect(future.isClosedByServer())
            let rude = try RawClient(port: server.port, opens: false)
            try rude.send(Ping(timeout: nil), id: 1)
            #expect(try Failure(decoding: try rude.frame()).code == 4006)
        }
    }

    @Test("a client that never reads is not read from either, takes bounded memory, and is closed") func neverReads() async throws {
        try await TestServer.run {
            $0.limits.outboxBytes = 128 << 10
            $0.limits.idleTime = .milliseconds(500)
        } _: { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<400)))
            let deaf = try RawClient(port: server.port, receiveBytes: 16 << 10)
            let question = try PreparedQuestion(
                OnlineQuestion(.service("dispatch"), keys: BatchSchema(names: ["driver"], types: [.int64])))
            var small = timeval(tv_sec: 0, tv_usec: 200_000)
            unsafe setsockopt(deaf.socket, SOL_SOCKET, SO_SNDTIMEO, &small, socklen_t(MemoryLayout<timeval>.size))
            var sent = 0
            // 8,000 answers of more than 6 KiB would be 50 MiB.
            for id in UInt32(100)..<8100 {
                guard
                    (try? deaf.send(OnlineRead(timeout: nil, knownSchema: 0, question: question, entities: Tables.drivers(0..<400)), id: id))
                        != nil
                else { break }
                sent += 1
            }
            #expect(sent < 8000)
            #expect(server.metrics.bytesSent.value < 12 << 20)
            let _: Pong = try client.ask(Ping(timeout: nil))
            #expect(try await eventually { server.metrics.connections.value == 1 })
        }
    }

    @Test("a stream stops where its credit ends, and goes on where it is given more") func credit() async throws {
        try await TestServer.run {
            $0.limits.streamFrameBytes = 64 << 10
        } _: { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<20_000)))
            let id = try client.begin(
                ScanRequest(
                    timeout: nil, options: StreamOptions(credit: 100_000, batchRows: 0), view: "trips", features: ["count"], knownAt: nil,
                    from: .distantPast, to: .distantFuture, eventTime: "at"))
            _ = try client.expect(id, .schema)
            var bytes = 0
            var rows = 0
            while bytes < 100_000 {
                let frame = try client.expect(id, .rows)
                bytes += frame.byteCount
                #expect(frame.byteCount < 100_000)
            }
            // Nothing but the answer to this comes now.
            let pong = try client.begin(Ping(timeout: nil))
            #expect(try client.frame().requestID == pong)
            try client.send(CreditGrant(bytes: 10 << 20), id: id)
            var isDone = false
            while !isDone {
                let frame = try RawClient.check(try client.frame(of: id))
                if frame.kind == .end {
                    rows = Int(try StreamEnd(decoding: frame).rows)
                    isDone = true
                }
            }
            #expect(rows == 20_000)
        }
    }

    @Test("a client that gives no credit, or no rows, has its stream ended") func silentStream() async throws {
        try await TestServer.run {
            $0.limits.idleTime = .milliseconds(300)
        } _: { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<100)))
            let scan = try client.begin(
                ScanRequest(
                    timeout: nil, options: StreamOptions(credit: 0), view: "trips", features: [], knownAt: nil, from: .distantPast,
                    to: .distantFuture, eventTime: "at"))
            _ = try client.expect(scan, .schema)
            #expect(code { _ = try client.expect(scan, .rows) } == .deadlineExceeded)
            let backfill = try client.begin(
                BackfillRequest(
                    timeout: nil, view: "trips", missingIsNull: false, eventTime: "event_time", availabilityTime: "",
                    schema: BatchSchema(of: Tables.trips(0..<1))))
            #expect(code { _ = try client.expect(backfill, .committed) } == .deadlineExceeded)
            #expect(try await eventually { server.metrics.inFlight.value == 0 })
        }
    }

    @Test("gone in the middle of a write: the retry with its key makes one write") func lostWrite() async throws {
        try await TestServer.run { server in
            for round in 0..<20 {
                let key = "k\(round)"
                let lost = try server.client()
                _ = try lost.begin(Tables.write(Tables.trips(0..<200, second: Int64(round)), key: key))
                lost.close()
                let again = try server.client()
                let _: Committed = try again.ask(Tables.write(Tables.trips(0..<200, second: Int64(round)), key: key))
            }
            #expect(try await eventually { server.metrics.inFlight.value == 0 })
            #expect(try server.store.history("trips", try EntityKey([.int64(1)])).count == 20)
        }
    }

    @Test("uploads beyond their credit end the connection") func greedyUpload() async throws {
        try await TestServer.run {
            $0.limits.uploadCreditBytes = 70_000
            $0.limits.poolThreads = 1
        } _: { server in
            let client = try server.client()
            let gate = DispatchSemaphore(value: 0)
            try server.server.core.streams.submit(for: 0) { gate.wait() }
            defer { gate.signal() }
            let rows = Tables.trips(0..<2000)
            let id = try client.begin(
                BackfillRequest(
                    timeout: nil, view: "trips", missingIsNull: false, eventTime: "event_time", availabilityTime: "",
                    schema: BatchSchema(of: rows)))
            for _ in 0..<3 { try? client.upload(rows, id: id) }
            #expect(client.isClosedByServer())
        }
    }
}

/// A generator whose seed a failure prints.
struct SplitRandom {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
