import NIOCore
import Synchronization
import Testing
import WhenceCore
import WhenceProtocol

@testable import WhenceClient

/// Rows down and up, under credit.
@Suite(.timeLimit(.minutes(2))) struct StreamTests {
    private static let schema = BatchSchema(names: ["n"], types: [.int64])

    /// What a server holds of one stream.
    private struct Sending {
        var credit = Credit(0)
        var sent: Int64 = 0
        var id: UInt32 = 0
    }

    /// A server that streams the numbers up to `count`, 100 a batch, as its credit allows.
    private static func numbers(_ count: Int64, _ journal: Journal) async throws -> FakeServer {
        let state = Mutex(Sending())
        return try await FakeServer { frame, peer in
            try state.withLock { sending in
                switch frame.kind {
                case .scan?:
                    let scan = try ScanRequest(decoding: frame)
                    sending = Sending(credit: Credit(scan.options.credit), sent: 0, id: frame.requestID)
                    try peer.send(StreamSchema(knownAt: Timestamp(microseconds: 5), schema: schema), frame.requestID)
                case .credit?:
                    let more = try CreditGrant(decoding: frame).bytes
                    try sending.credit.add(more)
                    journal.add("credit")
                case .cancel?:
                    journal.add("cancel")
                    return
                default: return
                }
                while sending.credit.isOpen, sending.sent < count {
                    sending.credit.spend(try peer.sendRows(.numbers(sending.sent..<sending.sent + 100), sending.id))
                    sending.sent += 100
                    if sending.sent == count { try peer.send(StreamEnd(rows: UInt64(count)), sending.id) }
                }
            }
        }
    }

    @Test func rowsComeInOrderUnderCredit() async throws {
        let journal = Journal()
        let server = try await StreamTests.numbers(10_000, journal)
        var configuration = server.configuration
        // About three batches ahead of the consumer.
        configuration.downloadWindowBytes = 2_500
        let client = try await WhenceClient.connect(configuration)
        let stream = try await client.scan("v")
        #expect(stream.schema == StreamTests.schema && stream.knownAt == Timestamp(microseconds: 5))
        // Nobody has taken anything: no credit is given.
        try await Task.sleep(for: .milliseconds(30))
        #expect(journal.all.isEmpty)
        var numbers: [Int64] = []
        for try await batch in stream { numbers += batch.int64("n") }
        #expect(numbers == Array(0..<10_000))
        #expect(journal.all.count > 20 && !journal.all.contains("cancel"))
        // And it is over.
        var iterator = stream.makeAsyncIterator()
        #expect(try await iterator.next() == nil)
        await client.close()
        await server.close()
    }

    @Test func leavingTheLoopEndsTheStream() async throws {
        let journal = Journal()
        let server = try await StreamTests.numbers(1_000_000, journal)
        var configuration = server.configuration
        configuration.downloadWindowBytes = 2_500
        let client = try await WhenceClient.connect(configuration)
        do {
            for try await batch in try await client.scan("v") where batch.int64("n").contains(1000) { break }
        }
        #expect(await journal.waits(for: "cancel"))
        // So does the end of the task.
        let other = try await client.scan("v")
        let task = Task {
            var count = 0
            for try await batch in other {
                count += batch.count
                try? await Task.sleep(for: .milliseconds(1))
            }
            return count
        }
        try await Task.sleep(for: .milliseconds(5))
        task.cancel()
        let error = await #expect(throws: WhenceError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        await client.close()
        await server.close()
    }

    @Test func aStreamOutlivesWhoStartedIt() async throws {
        let server = try await StreamTests.numbers(1_000, Journal())
        let stream = try await WhenceClient.connect(server.configuration).scan("v")
        #expect(try await stream.collect().count == 10)
        await server.close()
    }

    @Test func aStreamEndsWithItsError() async throws {
        let server = try await FakeServer { frame, peer in
            try peer.send(StreamSchema(knownAt: nil, schema: StreamTests.schema), frame.requestID)
            try peer.sendRows(.numbers(0..<10), frame.requestID)
            try peer.send(Failure(WhenceError(.corruption, "a block is damaged", place: "sst 7")), frame.requestID)
        }
        let client = try await WhenceClient.connect(server.configuration)
        var iterator = try await client.scan("v").makeAsyncIterator()
        #expect(try await iterator.next()?.count == 10)
        for _ in 0..<2 {
            let error = await #expect(throws: WhenceError.self) { try await iterator.next() }
            #expect(error == WhenceError(.corruption, "a block is damaged", place: "sst 7"))
        }
        await client.close()
        await server.close()
    }

    @Test func aServerThatDoesNotKeepTheRulesIsLeft() async throws {
        let rules: [@Sendable (FakeServer.Peer, UInt32) throws -> Void] = [
            // More rows than there is credit for.
            { peer, id in for _ in 0..<50 { try peer.sendRows(.numbers(0..<1000), id) } },
            // Another number of rows than it states.
            { peer, id in
                try peer.sendRows(.numbers(0..<10), id)
                try peer.send(StreamEnd(rows: 11), id)
            },
            // Another message than a stream has.
            { peer, id in try peer.send(Document(json: "{}"), id) },
            // Rows of other columns.
            { peer, id in try peer.sendRows(ColumnBatch(names: [], columns: [], count: 3), id) },
        ]
        for rule in rules {
            let server = try await FakeServer { frame, peer in
                guard frame.kind == .scan else { return }
                try peer.send(StreamSchema(knownAt: nil, schema: StreamTests.schema), frame.requestID)
                try rule(peer, frame.requestID)
            }
            var configuration = server.configuration
            configuration.downloadWindowBytes = 20_000
            let client = try await WhenceClient.connect(configuration)
            let error = await #expect(throws: WhenceError.self) { _ = try await client.scan("v").collect() }
            #expect(error?.code == .protocolViolation)
            await client.close()
            await server.close()
        }
    }

    /// What a server has taken of an upload.
    private struct Taking {
        var rows: [Int64] = []
        var credit: Int64 = 0
        var broke = false
    }

    @Test func uploadsWaitForCredit() async throws {
        let taken = Mutex(Taking())
        let first: UInt32 = 5_000
        let server = try await FakeServer(FakeServer.plainWelcome(uploadCredit: first)) { frame, peer in
            try taken.withLock { taking in
                switch frame.kind {
                case .backfill?: taking.credit = Int64(first)
                case .uploadRows?:
                    if taking.credit <= 0 { taking.broke = true }
                    taking.credit -= Int64(frame.byteCount)
                    taking.rows += try frame.rows(of: StreamTests.schema).int64("n")
                    if taking.credit <= 0 {
                        // Later, so that a client that does not wait is caught.
                        peer.later(1) { peer in
                            taken.withLock { $0.credit += 6_000 }
                            try? peer.send(UploadCreditGrant(bytes: 6_000), frame.requestID)
                        }
                    }
                case .uploadEnd?:
                    let stated = try UploadEnd(decoding: frame).rows
                    #expect(stated == UInt64(taking.rows.count))
                    try peer.send(Committed(commitTime: Timestamp(microseconds: 3), isRepeat: false, rows: stated), frame.requestID)
                default: break
                }
            }
        }
        var configuration = server.configuration
        configuration.uploadFrameBytes = 2_000
        let client = try await WhenceClient.connect(configuration)
        let batches = AsyncStream { continuation in
            for start in stride(from: 0, to: 10_000, by: 2_500) as StrideTo<Int64> {
                if let batch = try? ColumnBatch.numbers(start..<start + 2_500) { continuation.yield(batch) }
            }
            continuation.finish()
        }
        let committed = try await client.backfill("v", schema: StreamTests.schema, batches, eventTime: "n")
        #expect(committed.rows == 10_000)
        let end = taken.withLock { $0 }
        #expect(end.rows == Array(0..<10_000) && !end.broke)
        await client.close()
        await server.close()
    }

    private struct Broken: Error {}

    @Test func anErrorOfTheRowsCancelsTheirRequest() async throws {
        let journal = Journal()
        let server = try await FakeServer { frame, _ in journal.add("\(frame.kindCode)") }
        let client = try await WhenceClient.connect(server.configuration)
        let batches = AsyncThrowingStream { continuation in
            if let batch = try? ColumnBatch.numbers(0..<10) { continuation.yield(batch) }
            continuation.finish(throwing: Broken())
        }
        let error = await #expect(throws: WhenceError.self) {
            try await client.backfill("v", schema: StreamTests.schema, batches, eventTime: "n")
        }
        #expect(error?.code == .invalidArgument && error?.message.contains("Broken") == true)
        #expect(await journal.waits(for: "4"))
        #expect(journal.all == ["37", "6", "4"])
        let joined = await #expect(throws: WhenceError.self) {
            let other = AsyncThrowingStream<ColumnBatch, any Error> { $0.finish(throwing: WhenceError(.malformedInput, "line 3")) }
            _ = try await client.join(.service("s"), spine: other, schema: StreamTests.schema, eventTime: "n").collect()
        }
        #expect(joined == WhenceError(.malformedInput, "line 3"))
        await client.close()
        await server.close()
    }

    @Test func anAnswerBeforeTheUploadsEndEndsIt() async throws {
        let server = try await FakeServer(FakeServer.plainWelcome(uploadCredit: 1)) { frame, peer in
            if frame.kind == .uploadRows { try peer.send(Failure(WhenceError(.notFound, "there is no view 'v'")), frame.requestID) }
        }
        let client = try await WhenceClient.connect(server.configuration)
        let batches = AsyncStream { continuation in
            for _ in 0..<10 { if let batch = try? ColumnBatch.numbers(0..<10) { continuation.yield(batch) } }
            continuation.finish()
        }
        let error = await #expect(throws: WhenceError.self) {
            try await client.backfill("v", schema: StreamTests.schema, batches, eventTime: "n")
        }
        #expect(error == WhenceError(.notFound, "there is no view 'v'"))
        await client.close()
        await server.close()
    }

    @Test func aJoinSendsAndReceivesAtOnce() async throws {
        // Answers every batch as it comes, with both sides' credit far smaller than the whole.
        let sending = Mutex((credit: Credit(0), waiting: CircularBuffer<ColumnBatch>(), rows: UInt64(0), isEnd: false))
        let server = try await FakeServer(FakeServer.plainWelcome(uploadCredit: 3_000)) { frame, peer in
            try sending.withLock { state in
                switch frame.kind {
                case .join?:
                    state.credit = Credit(try JoinRequest(decoding: frame).options.credit)
                    try peer.send(StreamSchema(knownAt: nil, schema: StreamTests.schema), frame.requestID)
                case .credit?: try state.credit.add(CreditGrant(decoding: frame).bytes)
                case .uploadRows?:
                    state.waiting.append(try frame.rows(of: StreamTests.schema))
                    // No more is taken than can be given away.
                    if state.waiting.count < 4 { try peer.send(UploadCreditGrant(bytes: UInt32(frame.byteCount)), frame.requestID) }
                case .uploadEnd?: state.isEnd = true
                default: break
                }
                while state.credit.isOpen, let batch = state.waiting.popFirst() {
                    state.credit.spend(try peer.sendRows(batch, frame.requestID))
                    state.rows += UInt64(batch.count)
                    if state.waiting.count == 3 { try peer.send(UploadCreditGrant(bytes: 4_000), frame.requestID) }
                }
                if state.isEnd, state.waiting.isEmpty {
                    state.isEnd = false
                    try peer.send(StreamEnd(rows: state.rows), frame.requestID)
                }
            }
        }
        var configuration = server.configuration
        configuration.downloadWindowBytes = 2_500
        configuration.uploadFrameBytes = 1_000
        configuration.compress = true
        let client = try await WhenceClient.connect(configuration)
        let stream = try await client.join(.service("s"), spine: .numbers(0..<50_000), eventTime: "n", timeout: .seconds(30))
        var numbers: [Int64] = []
        for try await batch in stream { numbers += batch.int64("n") }
        #expect(numbers == Array(0..<50_000))
        await client.close()
        await server.close()
    }
}
