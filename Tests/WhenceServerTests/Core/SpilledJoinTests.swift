import Testing
import WhenceCore
import WhenceProtocol

@testable import WhenceServer

/// Spines that come over the wire and do not fit into a join's memory.
@Suite("Uploaded spines that spill", .timeLimit(.minutes(2))) struct SpilledJoinTests {
    private static let drivers: Int64 = 2_000

    /// A join whose blocks have 1,024 rows.
    private static func request(timeout: Duration? = nil) -> JoinRequest {
        JoinRequest(
            timeout: timeout, options: StreamOptions(credit: 1 << 20), selection: .service("dispatch"), eventTime: "event_time",
            knownAt: nil, asServed: false, memoryBytes: 65_536, source: .rows(BatchSchema(of: Tables.spine(0..<1))))
    }

    private static func prepare(_ server: TestServer) throws -> RawClient {
        let client = try server.client()
        for second in 0..<3 as Range<Int64> {
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<drivers, second: second * 3)))
        }
        return client
    }

    /// Drivers in no order, each at one of ten seconds; some of them unknown.
    private static func spine(_ rows: Range<Int64>) -> ColumnBatch {
        let ids = rows.map { $0 &* 7_919 % (drivers + 50) }
        return ColumnBatch(
            names: ["driver", "event_time", "label"],
            columns: [
                Tables.int64(ids), Tables.times(rows.map { Tables.noon + $0 % 10 * 1_000_000 }), Tables.int64(Array(rows)),
            ], count: ids.count)
    }

    private static func count(_ row: Int64) -> Value {
        let (driver, second) = (row &* 7_919 % (drivers + 50), row % 10)
        return driver < drivers ? .int64(driver + min(second / 3, 2) * 3) : .null
    }

    /// Waits until joins have so much of the disk as `isRight` says.
    private static func waits(_ server: TestServer, _ isRight: (Int) -> Bool) async throws -> Bool {
        for _ in 0..<6_000 {
            if isRight(server.server.core.admission.spillBytes) { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test("the answer is that of a spine that fits, in its order, spilled or joined block by block", arguments: [true, false])
    func sameAnswer(spills: Bool) async throws {
        try await TestServer.run {
            if !spills { $0.limits.spillBytes = 0 }
        } _: { server in
            let client = try Self.prepare(server)
            let rows: Int64 = 30_000
            let id = try client.begin(Self.request())
            for start in stride(from: 0, to: rows, by: 700) { try client.upload(Self.spine(start..<min(rows, start + 700)), id: id) }
            #expect(try await Self.waits(server) { spills ? $0 > 0 : $0 == 0 })
            try client.send(UploadEnd(rows: UInt64(rows)), id: id)
            let joined = try client.stream(id)
            #expect(joined.end == UInt64(rows))
            #expect(joined.schema.schema.names == ["driver", "event_time", "label", "count", "rating", "lat"])
            #expect(joined.values("label") == (0..<rows).map { .int64($0) })
            #expect(joined.values("count") == (0..<rows).map(Self.count))
            #expect(joined.values("lat").allSatisfy { $0 == .null })
            // The files are gone with the join.
            #expect(try await Self.waits(server) { $0 == 0 })
        }
    }

    @Test("a spine that fits makes no files, and one that is just as long as a block neither") func fits() async throws {
        try await TestServer.run { server in
            let client = try Self.prepare(server)
            for rows in [1, 1_024] as [Int64] {
                let id = try client.begin(Self.request())
                try client.upload(Self.spine(0..<rows), id: id)
                _ = try client.expect(id, .schema)
                let _: Pong = try client.ask(Ping(timeout: nil))
                #expect(server.server.core.admission.spillBytes == 0)
                try client.send(UploadEnd(rows: UInt64(rows)), id: id)
                while try RawClient.check(try client.frame(of: id)).kind != .end {}
            }
        }
    }

    @Test("the walk through the store, however long, leaves the threads of streams to others") func walkElsewhere() async throws {
        try await TestServer.run {
            $0.limits.poolThreads = 1
        } _: { server in
            let client = try Self.prepare(server)
            let core = server.server.core
            let walk = try Blockade(core.longSteps, threads: 1)
            let uploaded = try client.begin(Self.request())
            for start in stride(from: 0, to: 7_000, by: 700) as StrideTo<Int64> {
                try client.upload(Self.spine(start..<start + 700), id: uploaded)
            }
            try client.send(UploadEnd(rows: 7_000), id: uploaded)
            #expect(try await core.longSteps.waits(for: 1))
            // A spine that the store has, and that does not fit either.
            var request = Self.request()
            request.source = .versions(view: "trips", knownAt: nil, from: .distantPast, to: .distantFuture)
            let stored = try client.begin(request)
            #expect(try await core.longSteps.waits(for: 2))
            let scan = try client.begin(
                ScanRequest(
                    timeout: nil, options: StreamOptions(credit: 1 << 20), view: "trips", features: ["count"], knownAt: nil,
                    from: .distantPast, to: .distantFuture, eventTime: "at"))
            #expect(try client.stream(scan).count == 6_000)
            // A stored spine that fits needs no long step.
            request.memoryBytes = 64 << 20
            #expect(try client.stream(try client.begin(request)).count == 6_000)
            walk.release()
            #expect(try client.stream(uploaded).values("count") == (0..<7_000).map(Self.count))
            #expect(try client.stream(stored).count == 6_000)
        }
    }

    @Test("past the disk that joins have, it is refused, and what it had is given back") func budget() async throws {
        try await TestServer.run {
            $0.limits.spillBytes = 200_000
        } _: { server in
            let client = try Self.prepare(server)
            let id = try client.begin(Self.request())
            for start in stride(from: 0, to: 30_000, by: 700) as StrideTo<Int64> {
                try client.upload(Self.spine(start..<start + 700), id: id)
            }
            #expect(performing: { _ = try client.stream(id) }, throws: { ($0 as? WhenceError)?.code == .limitExceeded })
            #expect(try await Self.waits(server) { $0 == 0 })
            let _: Pong = try client.ask(Ping(timeout: nil))
        }
    }

    @Test("two joins share the disk: the second is told to come back") func shared() async throws {
        try await TestServer.run {
            $0.limits.spillBytes = 20 << 20
        } _: { server in
            let client = try Self.prepare(server)
            let first = try client.begin(Self.request())
            for start in stride(from: 0, to: 7_000, by: 700) as StrideTo<Int64> {
                try client.upload(Self.spine(start..<start + 700), id: first)
            }
            #expect(try await Self.waits(server) { $0 == 16 << 20 })
            let second = try client.begin(Self.request())
            for start in stride(from: 0, to: 210_000, by: 7_000) as StrideTo<Int64> {
                try client.upload(Self.spine(start..<start + 7_000), id: second)
            }
            #expect(
                performing: { _ = try client.stream(second) },
                throws: { ($0 as? WhenceError)?.code == .overloaded && ($0 as? WhenceError)?.retryAfter != nil })
            try client.send(UploadEnd(rows: 7_000), id: first)
            #expect(try client.stream(first).count == 7_000)
        }
    }

    @Test("one that is cancelled, or whose client goes away, leaves nothing behind", arguments: [true, false])
    func abandoned(cancels: Bool) async throws {
        try await TestServer.run { server in
            let client = try Self.prepare(server)
            let id = try client.begin(Self.request())
            for start in stride(from: 0, to: 7_000, by: 700) as StrideTo<Int64> {
                try client.upload(Self.spine(start..<start + 700), id: id)
            }
            #expect(try await Self.waits(server) { $0 > 0 })
            if cancels { try client.send(Cancel(), id: id) } else { client.close() }
            #expect(try await Self.waits(server) { $0 == 0 })
        }
    }
}
