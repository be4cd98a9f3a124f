import NIOCore
import Synchronization
import Testing
import WhenceCore
import WhenceProtocol

@testable import WhenceClient

/// One request, one answer: against a server that behaves as each test asks.
@Suite(.timeLimit(.minutes(2))) struct RequestTests {
    @Test func answersFindTheirRequestsInAnyOrder() async throws {
        let held = Mutex<[UInt32]>([])
        let server = try await FakeServer { frame, peer in
            let ids = held.withLock { held in
                held.append(frame.requestID)
                return held
            }
            guard ids.count == 50 else { return }
            for id in ids.reversed() { try peer.send(Pong(time: Timestamp(microseconds: Int64(id))), id) }
        }
        let client = try await WhenceClient.connect(server.configuration)
        let times = try await withThrowingTaskGroup(of: Timestamp.self) { group in
            for _ in 0..<50 { group.addTask { try await client.ping() } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(times == Set((1...50).map { Timestamp(microseconds: $0) }))
        #expect(server.connectionCount == 1)
        await client.close()
        await server.close()
    }

    @Test func theTimeoutIsSentAndKept() async throws {
        let journal = Journal()
        let server = try await FakeServer { frame, peer in
            switch frame.kind {
            case .ping?:
                let timeout = try Ping(decoding: frame).timeout ?? .zero
                journal.add(timeout > .zero && timeout <= .seconds(1) ? "ping in time" : "ping within \(timeout)")
            default: journal.add("\(frame.kind.map { "\($0)" } ?? "") \(frame.requestID)")
            }
        }
        let client = try await WhenceClient.connect(server.configuration)
        let error = await #expect(throws: WhenceError.self) { try await client.ping(timeout: .seconds(1)) }
        #expect(error?.code == .deadlineExceeded)
        // The server is told that nobody waits any more.
        #expect(await journal.waits(for: "cancel 1"))
        #expect(journal.all == ["ping in time", "cancel 1"])
        await client.close()
        await server.close()
    }

    @Test func aCancelledTaskCancelsItsRequest() async throws {
        let journal = Journal()
        let server = try await FakeServer { frame, _ in journal.add("\(frame.kindCode)") }
        let client = try await WhenceClient.connect(server.configuration)
        let task = Task { try await client.catalog() }
        #expect(await journal.waits(for: "18"))
        task.cancel()
        let error = await #expect(throws: WhenceError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(await journal.waits(for: "4"))
        // A request of a task that is cancelled already is not even sent.
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await client.stats()
        }
        late.cancel()
        let second = await #expect(throws: WhenceError.self) { try await late.value }
        #expect(second?.code == .cancelled)
        #expect(!journal.all.contains("48"))
        await client.close()
        await server.close()
    }

    @Test func readsAreRepeatedWhenTheServerIsOverloaded() async throws {
        let journal = Journal()
        let server = try await FakeServer { frame, peer in
            journal.add("\(frame.kindCode)")
            if journal.all.count == 1 {
                try peer.send(Failure(WhenceError(.overloaded, "busy", isRetryable: true, retryAfter: .milliseconds(40))), frame.requestID)
            } else {
                try peer.send(Document(json: "{}"), frame.requestID)
            }
        }
        let client = try await WhenceClient.connect(server.configuration)
        let start = ContinuousClock.now
        #expect(try await client.catalog() == "{}")
        // It waited for at least as long as the server advised.
        #expect(ContinuousClock.now - start >= .milliseconds(40))
        #expect(journal.all == ["18", "18"])
        await client.close()
        await server.close()
    }

    @Test func whatMayNotBeDoneTwiceIsNot() async throws {
        let journal = Journal()
        let server = try await FakeServer { frame, peer in
            journal.add("\(frame.kindCode)")
            try peer.send(Failure(WhenceError(.overloaded, "busy", isRetryable: true)), frame.requestID)
        }
        let client = try await WhenceClient.connect(server.configuration)
        await #expect(throws: WhenceError.self) { try await client.apply([DefinitionText(name: "a.yaml", yaml: "")]) }
        let rows = try ColumnBatch.numbers([1])
        await #expect(throws: WhenceError.self) {
            try await client.write([WritePart(view: "v", eventTime: "n", rows: rows)], idempotencyKey: [])
        }
        await #expect(throws: WhenceError.self) { try await client.erase("e", keys: rows, dryRun: false) }
        #expect(journal.all == ["17", "32", "51"])
        await client.close()
        await server.close()
    }

    @Test func anErrorThatRepeatingDoesNotMendIsNotRepeated() async throws {
        let journal = Journal()
        let server = try await FakeServer { frame, peer in
            journal.add("\(frame.kindCode)")
            try peer.send(Failure(WhenceError(.notFound, "there is no view 'v'", hint: "look again")), frame.requestID)
        }
        let client = try await WhenceClient.connect(server.configuration)
        let error = await #expect(throws: WhenceError.self) { try await client.show("v") }
        #expect(error == WhenceError(.notFound, "there is no view 'v'", hint: "look again"))
        #expect(journal.all.count == 1)
        await client.close()
        await server.close()
    }

    @Test func aWriteWhoseAnswerIsLostIsRepeatedUnderItsKey() async throws {
        let keys = Mutex<[[UInt8]]>([])
        let server = try await FakeServer { frame, peer in
            let key = try WriteRequest(decoding: frame).idempotencyKey
            keys.withLock { $0.append(key) }
            if peer.number == 1 { return peer.close() }
            try peer.send(Committed(commitTime: Timestamp(microseconds: 9), isRepeat: true, rows: 1), frame.requestID)
        }
        let client = try await WhenceClient.connect(server.configuration)
        let part = WritePart(view: "v", eventTime: "n", rows: try .numbers([1]))
        let committed = try await client.write([part])
        #expect(committed == Committed(commitTime: Timestamp(microseconds: 9), isRepeat: true, rows: 1))
        let sent = keys.withLock { $0 }
        #expect(sent.count == 2 && sent[0] == sent[1] && sent[0].count == 16)
        await client.close()
        await server.close()
    }

    @Test func aWriteWithoutAKeyIsLostWithItsConnection() async throws {
        let journal = Journal()
        let server = try await FakeServer { frame, peer in
            journal.add("\(frame.kindCode)")
            peer.close()
        }
        let client = try await WhenceClient.connect(server.configuration)
        let part = WritePart(view: "v", eventTime: "n", rows: try .numbers([1]))
        let error = await #expect(throws: WhenceError.self) { try await client.write([part], idempotencyKey: []) }
        #expect(error?.code == .connectionLost && error?.isRetryable == true)
        #expect(journal.all == ["32"])
        await client.close()
        await server.close()
    }

    @Test func noMoreRequestsAreOpenThanTheServerTakes() async throws {
        let open = Mutex((now: 0, most: 0))
        let server = try await FakeServer(FakeServer.plainWelcome(openRequests: 3)) { frame, peer in
            open.withLock { open in
                open.now += 1
                open.most = max(open.most, open.now)
            }
            peer.later(2) { peer in
                open.withLock { $0.now -= 1 }
                try? peer.send(Pong(time: Timestamp(microseconds: 0)), frame.requestID)
            }
        }
        let client = try await WhenceClient.connect(server.configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<30 { group.addTask { _ = try await client.ping() } }
            try await group.waitForAll()
        }
        #expect(open.withLock { $0.most } == 3)
        // One that waits for its turn keeps its deadline too.
        await client.close()
        await server.close()
    }

    @Test func aPreparedReadSendsAndIsSentWhatIsNewOnly() async throws {
        let schema = try IdentifiedSchema(BatchSchema(names: ["v.n"], types: [.int64]))
        let known = Mutex<[UInt64]>([])
        let server = try await FakeServer { frame, peer in
            let read = try OnlineRead(decoding: frame)
            known.withLock { $0.append(read.knownSchema) }
            let doubled = read.entities.int64("id").map { $0 * 2 }
            try peer.send(
                OnlineAnswer(
                    time: Timestamp(microseconds: 1), schema: schema, sendsSchema: read.knownSchema != schema.id,
                    features: .numbers(doubled, name: "v.n")), frame.requestID)
        }
        let client = try await WhenceClient.connect(server.configuration)
        let read = try client.prepare(.features(["v.n"]), keys: BatchSchema(names: ["id"], types: [.int64]))
        for round in 0..<3 as Range<Int64> {
            let answer = try await read.read(.numbers([round, 7], name: "id"))
            #expect(answer.features.int64("v.n") == [round * 2, 14])
            #expect(answer.features.names == ["v.n"])
        }
        #expect(known.withLock { $0 } == [0, schema.id, schema.id])
        let error = await #expect(throws: WhenceError.self) { try await read.read(.numbers([1], name: "other")) }
        #expect(error?.code == .invalidArgument)
        await client.close()
        await server.close()
    }

    @Test func progressIsToldBeforeTheAnswer() async throws {
        let server = try await FakeServer { frame, peer in
            for done in 1...3 as ClosedRange<UInt64> { try peer.send(WorkProgress(done: done, total: 3, unit: "files"), frame.requestID) }
            try peer.send(Document(json: "[]"), frame.requestID)
        }
        let client = try await WhenceClient.connect(server.configuration)
        let seen = Mutex<[UInt64]>([])
        let document = try await client.compact("v") { news in seen.withLock { $0.append(news.done) } }
        #expect(document == "[]")
        #expect(seen.withLock { $0 } == [1, 2, 3])
        await client.close()
        await server.close()
    }
}
