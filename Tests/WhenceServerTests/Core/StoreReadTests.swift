import Testing
import WhenceCore
import WhenceProtocol

@testable import WhenceServer

/// Online reads that the cache of latest rows does not answer: they may wait for the disk, and an event loop must not.
@Suite("Reads that go to the store", .timeLimit(.minutes(1))) struct StoreReadTests {
    private func read(_ drivers: [Int64]) throws -> OnlineRead {
        let keys = BatchSchema(names: ["driver"], types: [.int64])
        return OnlineRead(
            timeout: nil, knownSchema: 0, question: try PreparedQuestion(OnlineQuestion(.service("dispatch"), keys: keys)),
            entities: Tables.drivers(drivers))
    }

    private func counts(_ answer: OnlineAnswer) -> [Value] { (0..<answer.features.count).map { answer.features.columns[0].value($0) } }

    /// A server of one event loop, one thread for reads, and drivers of which `cached` have been read before.
    private func run(cached: [Int64], _ body: (TestServer, RawClient) async throws -> Void) async throws {
        try await TestServer.run {
            $0.limits.eventLoops = 1
            $0.limits.poolThreads = 1
        } _: { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<100)))
            let answer: OnlineAnswer = try client.ask(try read(cached))
            #expect(counts(answer) == cached.map { .int64($0) })
            try await body(server, client)
        }
    }

    @Test("one that waits for the disk stands in the way of none that the cache answers, on its own event loop and connection")
    func slowDisk() async throws {
        try await run(cached: [1, 2]) { server, client in
            let core = server.server.core
            // The disk has been slow, and now does not answer at all.
            core.storeReadCost.record(.seconds(1), reads: 1)
            let disk = try Blockade(core.points, threads: 1)
            let waiting = try client.begin(try read([1, 7]))
            #expect(try await core.points.waits(for: 1))
            let other = try server.client()
            for _ in 0..<10 {
                #expect(counts(try client.ask(try read([2, 1]))) == [.int64(2), .int64(1)])
                #expect(counts(try other.ask(try read([1]))) == [.int64(1)])
            }
            #expect(core.points.waiting == 1)
            disk.release()
            #expect(counts(try client.answer(waiting)) == [.int64(1), .int64(7)])
        }
    }

    @Test("where the store answers quickly the event loop reads there itself, as far as that holds up no one")
    func quickStore() async throws {
        try await run(cached: [1]) { server, client in
            let core = server.server.core
            // After many quick reads, whatever the first one has cost.
            for _ in 0..<2_000 { core.storeReadCost.record(.microseconds(2), reads: 1) }
            let pool = try Blockade(core.points, threads: 1)
            #expect(counts(try client.ask(try read([3, 4]))) == [.int64(3), .int64(4)])
            // Five rows of 50 µs each are few enough, and twenty are not.
            core.storeReadCost.record(.milliseconds(1), reads: 20)
            let waiting = try client.begin(try read(Array(10..<30)))
            #expect(try await core.points.waits(for: 1))
            pool.release()
            #expect(counts(try client.answer(waiting)) == (10..<30).map { .int64($0) })
        }
    }

    @Test("what is slow counts at once, what is quick over many reads") func cost() {
        let cost = StoreReadCost()
        #expect(cost.allowedReads == 0)
        cost.record(.microseconds(500), reads: 100)
        #expect(cost.allowedReads == 50)
        cost.record(.milliseconds(10), reads: 1)
        #expect(cost.allowedReads == 0)
        for _ in 0..<64 { cost.record(.microseconds(5), reads: 1) }
        #expect(cost.allowedReads == 0)
        for _ in 0..<1_000 { cost.record(.microseconds(5), reads: 1) }
        #expect(cost.allowedReads > 40)
        cost.record(.zero, reads: 1)
        #expect(cost.allowedReads > 40)
    }
}
