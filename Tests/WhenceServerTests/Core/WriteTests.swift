import StoreFixtures
import Testing
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

/// What a write may say beyond plain rows, and a flood of reads.
@Suite("Writes over the wire") struct WriteTests {
    private func column(_ type: FeatureType, _ values: [Value]) throws -> Column { try Store.column(type, values) }

    private func versions(_ server: TestServer, _ driver: Int64) throws -> [Version] {
        try server.store.history("trips", try EntityKey([.int64(driver)]))
    }

    @Test("deletions and retractions stand beside rows, in one commit") func actions() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<3)))
            let keys = { (driver: Int64, second: Int64) in
                ColumnBatch(
                    names: ["driver", "event_time"], columns: [Tables.int64([driver]), Tables.times([Tables.noon + second * 1_000_000])],
                    count: 1)
            }
            let committed: Committed = try client.ask(
                WriteRequest(
                    timeout: nil, idempotencyKey: [],
                    parts: [
                        WritePart(view: "trips", action: .deletions, eventTime: "event_time", rows: keys(0, 1)),
                        WritePart(view: "trips", action: .retractions, eventTime: "event_time", rows: keys(1, 0)),
                        WritePart(view: "trips", eventTime: "event_time", rows: Tables.trips(2..<3, second: 1)),
                    ]))
            #expect(committed.rows == 3)
            #expect(try versions(server, 0).map(\.kind) == [.deletion, .row])
            #expect(try versions(server, 1).map(\.kind) == [.retraction, .row])
            #expect(try versions(server, 2).map(\.kind) == [.row, .row])
            #expect(try Set((0..<3).map { try versions(server, $0)[0].commitTime }) == [committed.commitTime])
        }
    }

    @Test("a part that is refused refuses all parts") func atomic() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let request = WriteRequest(
                timeout: nil, idempotencyKey: Array("a".utf8),
                parts: [
                    WritePart(view: "trips", eventTime: "event_time", rows: Tables.trips(0..<3)),
                    WritePart(view: "nothing", eventTime: "event_time", rows: Tables.trips(0..<3)),
                ])
            #expect(performing: { let _: Committed = try client.ask(request) }, throws: { ($0 as? WhenceError)?.code == .notFound })
            #expect(try versions(server, 1).isEmpty)
            let committed: Committed = try client.ask(Tables.write(Tables.trips(0..<3), key: "a"))
            #expect(!committed.isRepeat)
        }
    }

    @Test("a cell without a value is absent or a null, as the part says; narrow numbers become wide ones") func missing() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let rows = ColumnBatch(
                names: ["driver", "event_time", "known", "count", "note"],
                columns: [
                    try column(.int32, [.int32(7), .int32(8)]), Tables.times([Tables.noon, Tables.noon]),
                    try column(.timestamp, [.timestamp(Timestamp(microseconds: Tables.noon + 5)), .null]),
                    try column(.int32, [.int32(3), .null]), try column(.string, [.null, .string("ü")]),
                ], count: 2)
            for (missingIsNull, second) in [(false, 7), (true, 8)] as [(Bool, Int64)] {
                let part = WritePart(
                    view: "trips", missingIsNull: missingIsNull, eventTime: "event_time", availabilityTime: "known", rows: rows)
                let _: Committed = try client.ask(WriteRequest(timeout: nil, idempotencyKey: [UInt8(second), 0xFF], parts: [part]))
            }
            let seven = try versions(server, 7)
            #expect(seven.map { $0.values.map(\.name) } == [["count", "note"], ["count"]])
            #expect(seven[0].values.map(\.value) == [.int64(3), .null])
            #expect(seven.allSatisfy { $0.availabilityTime == Timestamp(microseconds: Tables.noon + 5) })
            let eight = try versions(server, 8)
            #expect(eight[1].values.map(\.value) == [.string("ü")])
            #expect(eight[1].availabilityTime == eight[1].commitTime)
        }
    }

    @Test("keys that differ have texts that differ") func keys() {
        let keys: [[UInt8]] = [
            Array("fffd".utf8), [0xFF, 0xFD], [0xEF, 0xBF, 0xBD], Array("é".utf8), [0x65, 0xCC, 0x81], [0xFF], [0x0F, 0xFF],
        ]
        #expect(Set(keys.map { RequestWork.keyText($0) }).count == keys.count)
        #expect(RequestWork.keyText(Array("load/1".utf8)) == "load/1")
    }

    @Test("a flood of reads is refused with advice, and reads are answered again after it") func flood() async throws {
        try await TestServer.run {
            $0.limits.turnTime = .milliseconds(1)
        } _: { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<400)))
            let question = try PreparedQuestion(
                OnlineQuestion(.service("dispatch"), keys: BatchSchema(names: ["driver"], types: [.int64])))
            let burst = try (UInt32(1000)..<1200).map { id in
                try RawClient.bytes(OnlineRead(timeout: nil, knownSchema: 0, question: question, entities: Tables.drivers(0..<400)), id: id)
            }.flatMap { $0 }
            var refused: WhenceError?
            for _ in 0..<100 where refused == nil {
                try client.send(bytes: burst)
                for _ in 0..<200 {
                    let frame = try client.frame()
                    if frame.kind == .error { refused = try Failure(decoding: frame).error }
                }
            }
            #expect(refused?.code == .overloaded && refused?.isRetryable == true && refused?.retryAfter != nil)
            let answer: OnlineAnswer = try client.ask(
                OnlineRead(timeout: nil, knownSchema: 0, question: question, entities: Tables.drivers([3])))
            #expect(answer.features.columns[0].value(0) == .int64(3))
        }
    }
}
