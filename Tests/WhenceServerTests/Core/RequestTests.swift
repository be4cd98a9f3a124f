import Testing
import WhenceCore
import WhenceProtocol

@testable import WhenceServer

/// Every kind of request, as a client sees it.
@Suite("Requests") struct RequestTests {
    private func question(eventTimes: Bool = false, ages: Bool = false) throws -> PreparedQuestion {
        try PreparedQuestion(
            OnlineQuestion(.service("dispatch"), keys: BatchSchema(names: ["driver"], types: [.int64]), eventTimes: eventTimes, ages: ages))
    }

    private func read(_ client: RawClient, _ question: PreparedQuestion, _ drivers: ColumnBatch, known: UInt64 = 0) throws -> OnlineAnswer {
        try client.ask(OnlineRead(timeout: nil, knownSchema: known, question: question, entities: drivers))
    }

    @Test("ping, and what welcome says") func ping() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            #expect(client.welcome?.mechanisms == [])
            #expect(client.welcome?.openRequests == 1024)
            let pong: Pong = try client.ask(Ping(timeout: nil))
            #expect(pong.time.isInRange)
        }
    }

    @Test("write, then read") func writeAndRead() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let first: Committed = try client.ask(Tables.write(Tables.trips(0..<10), key: "a"))
            #expect(!first.isRepeat && first.rows == 10)
            let second: Committed = try client.ask(Tables.write(Tables.trips(0..<10), key: "a"))
            #expect(second.isRepeat && second.commitTime == first.commitTime)

            let question = try question()
            let answer = try read(client, question, Tables.drivers([3, 99, 5]))
            #expect(answer.sendsSchema && answer.schema.schema.names == ["count", "rating", "lat"])
            #expect((0..<3).map { answer.features.columns[0].value($0) } == [.int64(3), .null, .int64(5)])
            #expect((0..<3).map { answer.features.columns[1].value($0) } == [.float64(1.5), .null, .float64(2.5)])
            #expect((0..<3).allSatisfy { answer.features.columns[2].value($0) == .null })
        }
    }

    @Test("a schema that is known is left out") func knownSchema() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let question = try question()
            let first = try read(client, question, Tables.drivers([1]))
            let id = try client.begin(
                OnlineRead(timeout: nil, knownSchema: first.schema.id, question: question, entities: Tables.drivers([1])))
            let second = try OnlineAnswer(decoding: try RawClient.check(try client.frame(of: id)), knowing: first.schema)
            #expect(!second.sendsSchema && second.features.count == 1)
        }
    }

    @Test("event times and ages") func freshness() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<2)))
            let both = try read(client, try question(eventTimes: true, ages: true), Tables.drivers([1, 50]))
            #expect(
                both.schema.schema.names
                    == ["count", "rating", "trips.event_time", "trips.age", "lat", "position.event_time", "position.age"])
            let time = both.features.columns[2].value(0)
            #expect(time == .timestamp(Timestamp(microseconds: Tables.noon)))
            #expect(both.features.columns[3].value(0) == .int64(both.time.microseconds - Tables.noon))
            #expect((2...6).allSatisfy { both.features.columns[$0].value(1) == .null })
            let ages = try read(client, try question(ages: true), Tables.drivers([1]))
            #expect(ages.schema.schema.names == ["count", "rating", "trips.age", "lat", "position.age"])
        }
    }

    @Test("a large read goes to the pool and says the same") func largeRead() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<2000)))
            let large = try read(client, try question(), Tables.drivers(0..<2000))
            #expect((0..<2000).allSatisfy { large.features.columns[0].value($0) == .int64(Int64($0)) })
            #expect(throws: WhenceError.self) { try read(client, try question(), Tables.drivers(0..<10_001)) }
            let _: Pong = try client.ask(Ping(timeout: nil))
        }
    }

    @Test("definitions that are applied meanwhile are seen by the next read") func apply() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<2)))
            #expect(try read(client, try question(), Tables.drivers([1])).schema.schema.names.count == 3)
            let yaml = TestServer.yaml.replacing("select: [count, rating]", with: "select: [count]")
            let plan: Document = try client.ask(PlanRequest(timeout: nil, files: [DefinitionText(name: "a.yaml", yaml: yaml)]))
            #expect(plan.json.contains("dispatch"))
            let applied: Document = try client.ask(ApplyRequest(timeout: nil, files: [DefinitionText(name: "a.yaml", yaml: yaml)]))
            #expect(applied.json.hasPrefix("{\"applied\":true,\"catalog_version\":2,"))
            #expect(try read(client, try question(), Tables.drivers([1])).schema.schema.names == ["count", "lat"])
            let stale = ApplyRequest(timeout: nil, files: [DefinitionText(name: "a.yaml", yaml: TestServer.yaml)], baseVersion: 1)
            #expect(performing: { let _: Document = try client.ask(stale) }, throws: { ($0 as? WhenceError)?.code == .incompatibleChange })
        }
    }

    @Test("the catalog") func catalog() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let list: Document = try client.ask(CatalogListRequest(timeout: nil))
            #expect(list.json.hasPrefix("[{\"kind\":\"entity\",\"name\":\"driver\",\"version\":1,"))
            let show: Document = try client.ask(CatalogShowRequest(timeout: nil, definitionKind: "view", name: "trips", version: 0))
            #expect(show.json.contains("\"rating\""))
            let all: Document = try client.ask(DefinitionsRequest(timeout: nil))
            #expect(all.json.hasPrefix("{\"catalog_version\":1,\"entries\":[{"))
            let describe: Document = try client.ask(DescribeRequest(timeout: nil, selection: .service("dispatch")))
            #expect(
                describe.json
                    == #"{"name":"dispatch","version":1,"join_keys":[{"name":"driver","type":"int64"}],"#
                    + #""features":[{"name":"count","type":"int64"},{"name":"rating","type":"float64"},{"name":"lat","type":"float64"}],"#
                    + #""views":["trips","position"]}"#)
            #expect(
                performing: {
                    let _: Document = try client.ask(CatalogShowRequest(timeout: nil, definitionKind: "view", name: "nothing", version: 0))
                }, throws: { ($0 as? WhenceError)?.code == .notFound })
        }
    }

    @Test("history, scan and join") func streams() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let first: Committed = try client.ask(Tables.write(Tables.trips(0..<100)))
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<50, second: 5)))

            let history = try client.stream(
                try client.begin(
                    HistoryRequest(
                        timeout: nil, options: StreamOptions(credit: 1 << 20), view: "trips", knownAt: nil, entity: Tables.drivers([7]))))
            #expect(history.end == 2)
            #expect(history.values("kind") == [.string("row"), .string("row")])
            #expect(history.values("count") == [.int64(12), .int64(7)])
            #expect(history.values("carries")[0] == .list([.string("count"), .string("rating")]))

            let scan = try client.stream(
                try client.begin(
                    ScanRequest(
                        timeout: nil, options: StreamOptions(credit: 1 << 20), view: "trips", features: ["count"], knownAt: nil,
                        from: .distantPast, to: Timestamp(microseconds: Tables.noon), eventTime: "at")))
            #expect(scan.end == 100)
            #expect(scan.schema.schema.names == ["driver", "at", "count"])
            #expect(scan.values("count") == (0..<100).map { .int64($0) })

            let pinned = JoinRequest(
                timeout: nil, options: StreamOptions(credit: 1 << 20, compress: true), selection: .service("dispatch"),
                eventTime: "event_time",
                knownAt: first.commitTime, asServed: false, memoryBytes: 0, source: .rows(BatchSchema(of: Tables.spine(0..<1))))
            for (request, expected) in [(pinned, Int64(0)), (with(pinned) { $0.knownAt = nil }, 5)] {
                let id = try client.begin(request)
                try client.upload(Tables.spine(0..<30), id: id)
                try client.upload(Tables.spine(30..<50), id: id)
                try client.send(UploadEnd(rows: 50), id: id)
                let joined = try client.stream(id)
                #expect(joined.end == 50)
                #expect(joined.schema.schema.names == ["driver", "event_time", "label", "count", "rating", "lat"])
                #expect(joined.values("label") == (0..<50).map { .int64($0 * 7) })
                #expect(joined.values("count") == (0..<50).map { .int64($0 + expected) })
            }
        }
    }

    private func with<Value>(_ value: Value, _ change: (inout Value) -> Void) -> Value {
        var value = value
        change(&value)
        return value
    }

    @Test("joins whose spine the store has") func storedSpines() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<100)))
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<50, second: 5)))
            func join(_ source: JoinSource) throws -> RawClient.Rows {
                try client.stream(
                    try client.begin(
                        JoinRequest(
                            timeout: nil, options: StreamOptions(credit: 1 << 20), selection: .features(["trips.count"]), eventTime: "at",
                            knownAt: nil, asServed: false, memoryBytes: 0, source: source)))
            }
            let entities = try join(
                .entities(
                    view: "trips", instants: [Timestamp(microseconds: Tables.noon + 1)], from: .distantPast, to: .distantFuture))
            #expect(entities.end == 100 && entities.values("trips.count").count == 100)
            let versions = try join(.versions(view: "trips", knownAt: nil, from: .distantPast, to: .distantFuture))
            #expect(versions.end == 150)
        }
    }

    @Test("a backfill, whole or not at all") func backfill() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let rows = Tables.trips(0..<5000)
            let request = BackfillRequest(
                timeout: nil, view: "trips", missingIsNull: false, eventTime: "event_time", availabilityTime: "",
                schema: BatchSchema(of: rows))
            let given = try client.begin(request)
            try client.upload(rows, id: given)
            try client.send(Cancel(), id: given)
            #expect(performing: { let _: Committed = try client.answer(given) }, throws: { ($0 as? WhenceError)?.code == .cancelled })
            #expect(try read(client, try question(), Tables.drivers([1])).features.columns[0].value(0) == .null)

            let id = try client.begin(request)
            try client.upload(rows, id: id)
            try client.send(UploadEnd(rows: 5000), id: id)
            let committed = try Committed(decoding: try client.expect(id, .committed))
            #expect(committed.rows == 5000)
            #expect(try read(client, try question(), Tables.drivers([1])).features.columns[0].value(0) == .int64(1))
        }
    }

    @Test("upkeep") func upkeep() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let _: Committed = try client.ask(Tables.write(Tables.trips(0..<100)))
            let stats: Document = try client.ask(StatsRequest(timeout: nil))
            #expect(stats.json.contains("\"versions_estimated\":100"))
            let compacted: Document = try client.ask(CompactRequest(timeout: nil, view: "trips"))
            #expect(compacted.json.hasPrefix("{\"view\":\"trips\",\"bytes_before\":"))
            let erased: Document = try client.ask(EraseRequest(timeout: nil, entity: "driver", dryRun: false, keys: Tables.drivers([4])))
            #expect(erased.json.contains("{\"view\":\"trips\",\"versions_removed\":1}"))
            let horizon = Timestamp(microseconds: Tables.noon + 1)
            let retained: Document = try client.ask(RetainRequest(timeout: nil, views: ["trips"], horizon: horizon, dryRun: true))
            #expect(retained.json.hasPrefix("[{\"view\":\"trips\",\"horizon\":"))
            #expect(try read(client, try question(), Tables.drivers([4])).features.columns[0].value(0) == .null)
        }
    }

    @Test("errors say what was wrong, and the session goes on") func errors() async throws {
        try await TestServer.run { server in
            let client = try server.client()
            let wrong = ColumnBatch(names: ["driver", "event_time", "speed"], columns: Tables.trips(0..<1).columns.dropLast(), count: 1)
            #expect(
                performing: { let _: Committed = try client.ask(Tables.write(wrong)) },
                throws: {
                    ($0 as? WhenceError)?.code == .unknownFeature && "\($0)".contains("'speed'")
                })
            #expect(
                performing: { let _: Committed = try client.ask(Tables.write(Tables.trips(0..<1), view: "trip")) },
                throws: {
                    ($0 as? WhenceError)?.code == .notFound && "\($0)".contains("trips")
                })
            let nowhere = try PreparedQuestion(OnlineQuestion(.service("nothing"), keys: BatchSchema(names: ["driver"], types: [.int64])))
            #expect(performing: { _ = try read(client, nowhere, Tables.drivers([1])) }, throws: { ($0 as? WhenceError)?.code == .notFound })
            let _: Pong = try client.ask(Ping(timeout: nil))
        }
    }
}
