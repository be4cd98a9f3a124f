import Foundation
import Synchronization
import Testing
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

/// Limits, deadlines, cancellation, and the end of a server that has work.
@Suite("Load and end") struct LoadTests {
    private func failure(_ body: () throws -> Void) -> WhenceError? {
        do {
            try body()
            return nil
        } catch { return error as? WhenceError }
    }

    private func scan(timeout: Duration? = nil, credit: UInt32 = 1 << 20) -> WhenceProtocol.ScanRequest {
        .init(
            timeout: timeout, options: StreamOptions(credit: credit), view: "trips", features: [], knownAt: nil, from: .distantPast,
            to: .distantFuture, eventTime: "at")
    }

    /// Keeps the threads of a pool until `release`.
    private final class Blockade: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let threads: Int

        init(_ pool: WorkPool, threads: Int) throws {
            self.threads = threads
            let gate = gate
            for _ in 0..<threads { try pool.submit(for: 0) { gate.wait() } }
            while pool.inWork < threads { usleep(1000) }
        }

        func release() { for _ in 0..<threads { gate.signal() } }
    }

    @Test("a deadline is kept in the queue") func deadlineInQueue() async throws {
        try await TestServer.run {
            $0.limits.poolThreads = 1
        } _: { server in
            let client = try server.client()
            let streams = try Blockade(server.server.core.streams, threads: 1)
            let points = try Blockade(server.server.core.points, threads: 1)
            defer {
                streams.release()
                points.release()
            }
            for request in [
                try client.begin(scan(timeout: .milliseconds(100))), try client.begin(CatalogListRequest(timeout: .milliseconds(100))),
            ] {
                let error = failure { _ = try RawClient.check(try client.frame(of: request)) }
                #expect(error?.code == .deadlineExceeded && error?.isRetryable == true)
            }
            // What is blocked there blocks nothing else.
            let _: Pong = try client.ask(Ping(timeout: nil))
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<3)))
        }
    }

    @Test("a deadline is kept between blocks, and a cancelled stream ends") func deadlineInStream() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<100)))
            let late = try client.begin(scan(timeout: .milliseconds(200), credit: 0))
            _ = try client.expect(late, .schema)
            #expect(failure { _ = try client.expect(late, .rows) }?.code == .deadlineExceeded)
            let cancelled = try client.begin(scan(credit: 0))
            _ = try client.expect(cancelled, .schema)
            try client.send(Cancel(), id: cancelled)
            #expect(failure { _ = try client.expect(cancelled, .rows) }?.code == .cancelled)
            // The id may be used again, and late words to it are ignored.
            try client.send(CreditGrant(bytes: 5), id: cancelled)
            try client.send(Cancel(), id: cancelled)
            let _: Pong = try client.ask(Ping(timeout: nil))
        }
    }

    @Test("past its limits the server refuses at once, with advice, and goes on") func overload() async throws {
        try await TestServer.run {
            $0.limits.poolThreads = 1
            $0.limits.queueLength = 2
            $0.limits.requestsPerConnection = 4
        } _: { server in
            let points = try Blockade(server.server.core.points, threads: 1)
            let (one, other) = (try server.client(), try server.client())
            let waiting = [try one.begin(CatalogListRequest(timeout: nil)), try one.begin(CatalogListRequest(timeout: nil))]
            while server.server.core.points.waiting < 2 { usleep(1000) }
            let refused = failure { let _: Document = try other.ask(CatalogListRequest(timeout: nil)) }
            #expect(refused?.code == .overloaded && refused?.isRetryable == true && refused?.retryAfter != nil)
            let open = [try one.begin(scan(credit: 0)), try one.begin(scan(credit: 0))]
            for id in open { _ = try one.expect(id, .schema) }
            let full = failure { let _: Document = try one.ask(CatalogListRequest(timeout: nil)) }
            #expect(full?.code == .overloaded)
            points.release()
            for id in waiting { let _: Document = try one.answer(id) }
            let _: Document = try other.ask(CatalogListRequest(timeout: nil))
        }
    }

    @Test("connections beyond the limit are told why") func connections() async throws {
        try await TestServer.run {
            $0.limits.connections = 2
        } _: { server in
            let kept = [try server.client(), try server.client()]
            let third = try RawClient(port: server.port, opens: false)
            #expect(try Failure(decoding: try third.frame()).code == 4003)
            #expect(third.isClosedByServer())
            for client in kept { let _: Pong = try client.ask(Ping(timeout: nil)) }
        }
    }

    @Test("memory for joins is promised, and refused when it is all promised") func joinMemory() async throws {
        try await TestServer.run {
            $0.limits.streamMemoryBytes = 100 << 20
        } _: { server in
            let client = try server.client()
            func join(_ memory: UInt64) -> WhenceProtocol.JoinRequest {
                .init(
                    timeout: nil, options: StreamOptions(credit: 1 << 20), selection: .service("dispatch"), eventTime: "event_time",
                    knownAt: nil, asServed: false, memoryBytes: memory, source: .rows(BatchSchema(of: Tables.spine(0..<1))))
            }
            let first = try client.begin(join(60 << 20))
            _ = try client.expect(first, .schema)
            let second = try client.begin(join(60 << 20))
            #expect(failure { _ = try client.expect(second, .schema) }?.code == .overloaded)
            let huge = try client.begin(join(1 << 40))
            #expect(failure { _ = try client.expect(huge, .schema) }?.code == .limitExceeded)
            try client.send(UploadEnd(rows: 0), id: first)
            #expect(try StreamEnd(decoding: try client.expect(first, .end)).rows == 0)
            for _ in 0..<100 {
                let third = try client.begin(join(60 << 20))
                if failure({ _ = try client.expect(third, .schema) }) == nil { return }
                try await Task.sleep(for: .milliseconds(10))
            }
            Issue.record("the memory of a join that has ended was not given back")
        }
    }

    @Test("a spine of many blocks comes back whole, in its order, all of it as known at the beginning") func blocks() async throws {
        try await TestServer.run {
            $0.limits.streamFrameBytes = 64 << 10
        } _: { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<1000)))
            let id = try client.begin(
                WhenceProtocol.JoinRequest(
                    timeout: nil, options: StreamOptions(credit: 1 << 30), selection: .service("dispatch"), eventTime: "event_time",
                    knownAt: nil,
                    asServed: false, memoryBytes: 1 << 20, source: .rows(BatchSchema(of: Tables.spine(0..<1)))))
            let other = try server.client()
            var expected: [Int64] = []
            for part in 0..<30 {
                let drivers = (0..<1000).map { Int64(($0 * 7 + part) % 1000) }
                try client.upload(Tables.spine(drivers), id: id)
                expected += drivers
                // What is written meanwhile is not seen.
                if part == 15 { let _: Committed = try other.ask(Tables.write(Tables.trips(0..<1000, second: 1))) }
            }
            try client.send(UploadEnd(rows: 30_000), id: id)
            let joined = try client.stream(id)
            #expect(joined.end == 30_000 && joined.batches.count > 3)
            #expect(joined.values("driver") == expected.map { .int64($0) })
            #expect(joined.values("count") == expected.map { .int64($0) })
        }
    }

    @Test("a server that ends answers what it has accepted, and loses no write that it acknowledged") func drain() async throws {
        let server = try await TestServer { $0.limits.drainTime = .seconds(20) }
        let acknowledged = Mutex<[(driver: Int64, second: Int64)]>([])
        let isStopped = Mutex(false)
        let unexpected = Mutex<[String]>([])
        let writers = DispatchGroup()
        let port = server.port
        for writer in 0..<6 {
            writers.enter()
            Thread.detachNewThread {
                defer { writers.leave() }
                do {
                    let client = try RawClient(port: port)
                    var second: Int64 = 0
                    while !isStopped.withLock({ $0 }) {
                        let driver = Int64(writer)
                        let _: Committed = try client.ask(Tables.write(Tables.trips(driver..<driver + 1, second: second)))
                        acknowledged.withLock { $0.append((driver, second)) }
                        second += 1
                    }
                } catch let error as WhenceError {
                    if error.code != .draining { unexpected.withLock { $0.append("\(error)") } }
                } catch is RawClient.Closed {
                    // Between two requests.
                } catch { unexpected.withLock { $0.append("\(error)") } }
            }
        }
        // A join that is under way when the end comes is answered to its end.
        let client = try RawClient(port: port)
        let _: Committed = try client.ask(Tables.write(Tables.trips(100..<200)))
        let join = try client.begin(
            WhenceProtocol.JoinRequest(
                timeout: nil, options: StreamOptions(credit: 1 << 20), selection: .service("dispatch"), eventTime: "event_time",
                knownAt: nil,
                asServed: false, memoryBytes: 0, source: .rows(BatchSchema(of: Tables.spine(0..<1)))))
        try client.upload(Tables.spine(100..<200), id: join)
        try await Task.sleep(for: .milliseconds(100))
        let end = Task.detached { await server.server.shutDown() }
        // Swift's threads are few, and tests hold them while they wait for a socket: the end gets this one to begin on.
        try await Task.sleep(for: .milliseconds(300))
        let draining = try client.frame(of: 0)
        #expect(draining.kind == .draining)
        #expect(failure { let _: Pong = try client.ask(Ping(timeout: nil)) }?.code == .draining)
        try client.send(UploadEnd(rows: 100), id: join)
        #expect(try client.stream(join).end == 100)
        #expect(client.isClosedByServer())
        isStopped.withLock { $0 = true }
        writers.wait()
        await end.value
        #expect(unexpected.withLock { $0 } == [])
        let writes = acknowledged.withLock { $0 }
        #expect(writes.count > 10)
        for driver in Set(writes.map(\.driver)) {
            let stored = Set(try server.store.history("trips", try EntityKey([.int64(driver)])).map(\.eventTime.microseconds))
            for write in writes where write.driver == driver {
                #expect(stored.contains(Tables.noon + write.second * 1_000_000))
            }
        }
        #expect(throws: RawClient.Closed.self) { try RawClient(port: port) }
    }

    @Test("a compaction does not hold up the end, and the store can be compacted after it") func compactionAtTheEnd() async throws {
        let server = try await TestServer { $0.limits.drainTime = .milliseconds(1) }
        let client = try server.client()
        for second in 0..<5 { let _: Committed = try client.ask(Tables.write(Tables.trips(0..<20_000, second: Int64(second)))) }
        _ = try client.begin(CompactRequest(timeout: nil, view: "trips"))
        await server.server.shutDown()
        #expect(client.isClosedByServer())
        try server.store.compact("trips")
        #expect(try server.store.history("trips", try EntityKey([.int64(1)])).count == 5)
    }

    @Test("work is taken from one connection after the other") func fairness() throws {
        let pool = WorkPool("test", threads: 1, queueLimit: 100)
        let blockade = try Blockade(pool, threads: 1)
        let order = Mutex<[UInt64]>([])
        let done = DispatchGroup()
        for connection in [1, 1, 1, 1, 2, 2, 3] as [UInt64] {
            done.enter()
            try pool.submit(for: connection) {
                order.withLock { $0.append(connection) }
                done.leave()
            }
        }
        #expect(pool.waiting == 7)
        blockade.release()
        done.wait()
        #expect(order.withLock { $0 } == [1, 2, 3, 1, 2, 1, 1])
        pool.close()
        #expect(failure { try pool.submit(for: 1) {} }?.code == .draining)
    }

    @Test("work that a pool does for whoever waits for it comes back, well or not, and is refused by a pool that has ended") func errands()
        throws
    {
        let pool = WorkPool("test", threads: 1, queueLimit: 1)
        let caller = Thread.current
        let other = try pool.perform { () throws(WhenceError) in Thread.current }
        #expect(other !== caller)
        let error = failure { try pool.perform { () throws(WhenceError) in throw WhenceError(.diskFull, "no room") } }
        #expect(error?.code == .diskFull && error?.message == "no room")
        pool.close()
        #expect(failure { try pool.perform { () throws(WhenceError) in } }?.code == .draining)
    }

    @Test("threads of a pool that stands back, and those that they make, have its niceness") func niceness() throws {
        @Sendable func niceness() -> Int32 { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }
        let own = niceness()
        let pool = WorkPool("test", threads: 1, queueLimit: 1, niceness: 19)
        let made = try pool.perform { () throws(WhenceError) in
            let done = DispatchSemaphore(value: 0)
            let seen = Mutex<[Int32]>([niceness()])
            Thread.detachNewThread {
                seen.withLock { $0.append(niceness()) }
                done.signal()
            }
            done.wait()
            return seen.withLock { $0 }
        }
        pool.close()
        #expect(made == [19, 19])
        #expect(niceness() == own)
    }
}
