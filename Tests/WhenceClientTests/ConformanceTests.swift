import Foundation
import NIOCore
import Synchronization
import Testing
import WhenceClient
import WhenceCore
import WhenceProtocol
import WhenceServer

/// The writes whose answers have come.
private final class Acknowledged: Sendable {
    let ids = Mutex<Set<Int64>>([])
}

/// Every request, against a real server over a real socket.
@Suite(.timeLimit(.minutes(5))) struct ConformanceTests {
    private func json(_ document: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(document.utf8), options: .fragmentsAllowed)
    }

    @Test func theServerTellsItsTime() async throws {
        try await RunningServer.run { client, _ in
            let time = try await client.ping()
            #expect(abs(Double(time.microseconds) / 1e6 - Date().timeIntervalSince1970) < 60)
            #expect(try await client.identity() == ("", []))
        }
    }

    @Test func definitionsArePlannedAppliedAndShown() async throws {
        try await RunningServer.run { client, _ in
            let more = DefinitionText(
                name: "trips.yaml", yaml: RunningServer.yaml.replacing("name: note, type: string", with: "name: remark, type: string"))
            let plan = try await client.plan([more])
            #expect(plan.contains("remark"))
            // A plan changes nothing.
            #expect(try await !client.show("trips", kind: "view").contains("remark"))
            #expect(try json(try await client.apply([more], baseVersion: 1)) is [String: Any])
            #expect(try await client.show("trips").contains("remark"))
            // One that was planned against what is no longer there is refused.
            let stale = await #expect(throws: WhenceError.self) { try await client.apply([more], baseVersion: 1) }
            #expect(stale?.code == .incompatibleChange)
            let list = try #require(try json(try await client.catalog()) as? [[String: Any]])
            #expect(Set(list.compactMap { $0["name"] as? String }) == ["driver", "trips", "dispatch"])
            let described = try #require(try json(try await client.describe(.service("dispatch"))) as? [String: Any])
            #expect((described["features"] as? [[String: String]])?.map { $0["name"] } == ["count", "rating"])
            let stored = try #require(try json(try await client.definitions()) as? [String: Any])
            #expect((stored["entries"] as? [Any])?.isEmpty == false)
        }
    }

    @Test func aDefinitionThatIsWrongSaysWhere() async throws {
        try await RunningServer.run { client, _ in
            let error = await #expect(throws: WhenceError.self) {
                try await client.apply([DefinitionText(name: "wrong.yaml", yaml: "views:\n  - { name: trips, entity: nobody }\n")])
            }
            #expect(error?.code == .invalidDefinition && error?.place.contains("wrong.yaml") == true)
        }
    }

    @Test func whatIsWrittenIsRead() async throws {
        try await RunningServer.run { client, _ in
            let first = try await client.write([Tables.part(Tables.trips(0..<100)), Tables.part(Tables.trips(0..<50, second: 5))])
            #expect(first.rows == 150 && !first.isRepeat)
            let read = try client.prepare(
                .service("dispatch"), keys: BatchSchema(names: ["driver"], types: [.int64]), eventTimes: true, ages: true)
            for _ in 0..<2 {
                let answer = try await read.read(Tables.drivers([3, 99, 1000]))
                #expect(answer.features.names == ["count", "rating", "trips.event_time", "trips.age"])
                let rows = [answer.features]
                #expect(rows.values("count") == [.int64(8), .int64(99), .null])
                #expect(rows.values("rating") == [.float64(4), .float64(49.5), .null])
                #expect(rows.values("trips.event_time") == [.timestamp(Tables.time(5)), .timestamp(Tables.time(0)), .null])
                #expect(rows.values("trips.age")[0] == .int64(answer.time.microseconds - Tables.time(5).microseconds))
            }
            let other = try await client.get(.features(["trips.*"]), Tables.drivers([7, 9]))
            #expect([other.features].values("trips.note") == [.string("driver 7"), .null])
            let many = try await client.get(.service("dispatch"), Tables.drivers(0..<10_000))
            let expected = (0..<10_000 as Range<Int64>).map { driver -> Value in
                if driver >= 100 { return .null }
                return .int64(driver < 50 ? driver + 5 : driver)
            }
            let values = [many.features].values("count")
            #expect(values == expected)
        }
    }

    @Test func manyTasksReadAtOnce() async throws {
        try await RunningServer.run { client, _ in
            _ = try await client.write([Tables.part(Tables.trips(0..<1000))])
            let read = try client.prepare(.service("dispatch"), keys: BatchSchema(names: ["driver"], types: [.int64]))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<20 as Range<Int64> {
                    group.addTask {
                        for round in 0..<50 as Range<Int64> {
                            let from = (task * 50 + round) % 900
                            let answer = try await read.read(Tables.drivers(from..<from + 10))
                            #expect(answer.features.int64("count") == Array(from..<from + 10))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aKeyMakesARepetitionOneWrite() async throws {
        try await RunningServer.run { client, _ in
            let parts = [Tables.part(try Tables.trips(0..<10))]
            let first = try await client.write(parts, idempotencyKey: [1, 2, 3])
            let second = try await client.write(parts, idempotencyKey: [1, 2, 3])
            #expect(second.isRepeat && second.commitTime == first.commitTime)
            let third = try await client.write(parts, idempotencyKey: [])
            #expect(!third.isRepeat && third.commitTime > first.commitTime)
            #expect(try await client.history("trips", entity: Tables.drivers([1])).collect().values("kind").count == 2)
        }
    }

    @Test func writesThatAreShedAreRepeated() async throws {
        try await RunningServer.run(
            {
                $0.limits.writeThreads = 1
                $0.limits.queueLength = 1
            }, client: { $0.retries.attempts = 1_000 }
        ) { client, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for driver in 0..<40 as Range<Int64> {
                    group.addTask { _ = try await client.write([Tables.part(Tables.trips(driver..<driver + 1))]) }
                }
                try await group.waitForAll()
            }
            let drivers = try await client.scan("trips", features: ["count"]).collect().values("driver")
            let expected = (0..<40 as Range<Int64>).map { Value.int64($0) }
            #expect(drivers == expected)
        }
    }

    @Test func historyShowsDeletionsAndRetractions() async throws {
        try await RunningServer.run { client, _ in
            _ = try await client.write([Tables.part(Tables.trips(0..<10))])
            let pinned = try await client.write([Tables.part(Tables.trips(0..<10, second: 1))])
            let keys = try Tables.batch([("driver", .int64, [.int64(1)]), ("event_time", .timestamp, [.timestamp(Tables.time(1))])])
            _ = try await client.write([WritePart(view: "trips", action: .retractions, eventTime: "event_time", rows: keys)])
            let later = try Tables.batch([("driver", .int64, [.int64(1)]), ("event_time", .timestamp, [.timestamp(Tables.time(2))])])
            _ = try await client.write([WritePart(view: "trips", action: .deletions, eventTime: "event_time", rows: later)])

            let all = try await client.history("trips", entity: Tables.drivers([1]))
            #expect(all.schema.names.prefix(5) == ["kind", "event_time", "commit_time", "availability_time", "carries"])
            let rows = try await all.collect()
            #expect(rows.values("kind") == [.string("deletion"), .string("retraction"), .string("row"), .string("row")])
            let known = try await client.history("trips", entity: Tables.drivers([1]), knownAt: pinned.commitTime).collect()
            #expect(known.values("count") == [.int64(2), .int64(1)])
        }
    }

    @Test func scansGiveWhatLiesInTheRange() async throws {
        try await RunningServer.run { client, _ in
            for second in 0..<5 as Range<Int64> { _ = try await client.write([Tables.part(Tables.trips(0..<200, second: second))]) }
            let all = try await client.scan("trips").collect()
            #expect(all.reduce(0) { $0 + $1.count } == 1000)
            let some = try await client.scan("trips", features: ["count"], from: Tables.time(1), to: Tables.time(2), eventTime: "at")
            #expect(some.schema.names == ["driver", "at", "count"])
            let rows = try await some.collect()
            #expect(Set(rows.values("at")) == [.timestamp(Tables.time(1)), .timestamp(Tables.time(2))])
            #expect(rows.values("count").count == 400)
        }
    }

    @Test func joinsAreRightPointInTime() async throws {
        try await RunningServer.run(client: { $0.uploadFrameBytes = 3_000 }) { client, _ in
            let first = try await client.write([Tables.part(Tables.trips(0..<500))])
            _ = try await client.write([Tables.part(Tables.trips(0..<250, second: 5))])
            for (second, knownAt) in [(0, nil), (4, nil), (5, nil), (9, first.commitTime), (-1, nil)] as [(Int64, Timestamp?)] {
                let spine = try Tables.spine((0..<600).reversed(), second: second)
                let stream = try await client.join(.service("dispatch"), spine: spine, knownAt: knownAt)
                #expect(stream.schema.names == ["driver", "event_time", "label", "count", "rating"])
                let rows = try await stream.collect()
                let labels = (0..<600 as Range<Int64>).reversed().map { Value.int64($0 * 7) }
                #expect(rows.values("label") == labels)
                let expected = (0..<600 as Range<Int64>).reversed().map { driver -> Value in
                    if driver >= 500 || second < 0 { return .null }
                    return .int64(driver < 250 && second >= 5 && knownAt == nil ? driver + 5 : driver)
                }
                #expect(rows.values("count") == expected, "at second \(second)")
                // What the stream says is enough to read the same again.
                #expect(stream.knownAt != nil)
                let again = try await client.join(.service("dispatch"), spine: spine, knownAt: stream.knownAt).collect()
                #expect(again.values("count") == expected)
            }
        }
    }

    @Test func joinsWhoseSpineTheServerMakes() async throws {
        try await RunningServer.run { client, _ in
            _ = try await client.write([Tables.part(Tables.trips(0..<100)), Tables.part(Tables.trips(0..<50, second: 5))])
            let entities = try await client.join(
                .service("dispatch"),
                source: .entities(view: "trips", instants: [Tables.time(6)], from: .earliest, to: .latest)
            ).collect()
            let latest = (0..<100 as Range<Int64>).map { Value.int64($0 < 50 ? $0 + 5 : $0) }
            #expect(Set(entities.values("count")) == Set(latest))
            let versions = try await client.join(
                .service("dispatch"), source: .versions(view: "trips", knownAt: nil, from: .earliest, to: .latest), asServed: false
            ).collect()
            #expect(versions.values("count").count == 150)
        }
    }

    @Test func backfillsArePublishedWhole() async throws {
        struct Broken: Error {}
        try await RunningServer.run { client, _ in
            let schema = try BatchSchema(of: Tables.trips(0..<0))
            let batches = { (isBroken: Bool) in
                AsyncThrowingStream<ColumnBatch, any Error> { continuation in
                    for start in stride(from: 0, to: 20_000, by: 4_000) as StrideTo<Int64> {
                        do {
                            continuation.yield(try Tables.trips(start..<start + 4_000))
                        } catch {
                            continuation.finish(throwing: error)
                        }
                    }
                    continuation.finish(throwing: isBroken ? Broken() : nil)
                }
            }
            await #expect(throws: WhenceError.self) {
                try await client.backfill("trips", schema: schema, batches(true), eventTime: "event_time")
            }
            #expect(try await client.scan("trips").collect().isEmpty)
            let committed = try await client.backfill("trips", schema: schema, batches(false), eventTime: "event_time")
            #expect(committed.rows == 20_000)
            #expect(try await client.scan("trips", features: ["count"]).collect().values("count").count == 20_000)
        }
    }

    @Test func upkeepTellsWhatItDid() async throws {
        try await RunningServer.run { client, _ in
            _ = try await client.write([Tables.part(Tables.trips(0..<100)), Tables.part(Tables.trips(0..<100, second: 5))])
            #expect(try json(try await client.stats()) is [String: Any])
            #expect(try await client.compact("trips").contains("trips"))
            let horizon = Tables.time(6)
            let dry = try await client.retain(["trips"], horizon: horizon, dryRun: true)
            #expect(dry.contains("trips"))
            #expect(try await client.scan("trips").collect().values("count").count == 200)
            _ = try await client.retain(["trips"], horizon: horizon, dryRun: false)
            #expect(try await client.erase("driver", keys: Tables.drivers([4]), dryRun: true).contains("trips"))
            #expect(try await client.get(.service("dispatch"), Tables.drivers([4])).features.column(named: "count")?.value(0) == .int64(9))
            let steps = Mutex<[WorkProgress]>([])
            _ = try await client.erase("driver", keys: Tables.drivers([4]), dryRun: false) { step in steps.withLock { $0.append(step) } }
            let told = steps.withLock { $0 }
            #expect(told.count > 2 && told.map(\.done) == (0..<UInt64(told.count)).map { $0 } && told.last?.done == told.last?.total)
            #expect(try await client.get(.service("dispatch"), Tables.drivers([4])).features.column(named: "count")?.value(0) == .null)
        }
    }

    @Test func errorsSayWhatIsWrongAndTheConnectionLives() async throws {
        try await RunningServer.run(client: { $0.connections = 1 }) { client, _ in
            let cases: [(WhenceError.Code, @Sendable () async throws -> Void)] = [
                (.notFound, { _ = try await client.show("nothing") }),
                (.notFound, { _ = try await client.write([Tables.part(Tables.trips(0..<1), "trip")]) }),
                (.notFound, { _ = try await client.get(.service("nothing"), Tables.drivers([1])) }),
                (.unknownFeature, { _ = try await client.get(.features(["trips.speed"]), Tables.drivers([1])) }),
                (.notFound, { _ = try await client.scan("trip") }),
                (.notFound, { _ = try await client.join(.service("nothing"), spine: Tables.spine(0..<9, second: 0)).collect() }),
                (
                    .notFound,
                    {
                        let batches = AsyncStream<ColumnBatch> { $0.finish() }
                        _ = try await client.backfill(
                            "trip", schema: BatchSchema(of: Tables.trips(0..<0)), batches, eventTime: "event_time")
                    }
                ),
                (.limitExceeded, { _ = try await client.compact(String(repeating: "v", count: 600)) }),
            ]
            for (index, (code, body)) in cases.enumerated() {
                let error = await #expect(throws: WhenceError.self, "case \(index)") { try await body() }
                #expect(error?.code == code, "case \(index): \(error.map { "\($0)" } ?? "")")
            }
            _ = try await client.ping()
        }
    }

    @Test func aConsumerThatTakesItsTimeHoldsNothingUp() async throws {
        try await RunningServer.run(client: {
            $0.connections = 1
            $0.downloadWindowBytes = 10_000
        }) { client, _ in
            let schema = try BatchSchema(of: Tables.trips(0..<0))
            let rows = try Tables.trips(0..<50_000)
            let batches = AsyncStream { continuation in
                continuation.yield(rows)
                continuation.finish()
            }
            _ = try await client.backfill("trips", schema: schema, batches, eventTime: "event_time")
            let stream = try await client.scan("trips", features: ["count"])
            // Nobody takes anything from it, and the same connection serves others.
            for _ in 0..<20 { _ = try await client.get(.service("dispatch"), Tables.drivers([1, 2])) }
            let counts = try await stream.collect().values("count")
            let expected = (0..<50_000 as Range<Int64>).map { Value.int64($0) }
            #expect(counts == expected)
        }
    }

    @Test func deadlinesAndCancellationsReachTheServer() async throws {
        try await RunningServer.run(client: {
            $0.connections = 1
            $0.downloadWindowBytes = 1_000
        }) { client, _ in
            let rows = try Tables.trips(0..<50_000)
            let batches = AsyncStream { continuation in
                continuation.yield(rows)
                continuation.finish()
            }
            _ = try await client.backfill("trips", schema: BatchSchema(of: rows), batches, eventTime: "event_time")
            // A stream that its consumer does not take within its time.
            let late = try await client.scan("trips", timeout: .seconds(2))
            try await Task.sleep(for: .milliseconds(2_100))
            let error = await #expect(throws: WhenceError.self) { _ = try await late.collect() }
            #expect(error?.code == .deadlineExceeded)
            // Streams that are left: more of them than the server has threads.
            for _ in 0..<10 {
                for try await _ in try await client.scan("trips") { break }
            }
            let task = Task { try await client.scan("trips").collect().count }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            _ = try? await task.value
            _ = try await client.ping()
            #expect(try await client.scan("trips", features: ["count"]).collect().values("count").count == 50_000)
        }
    }

    @Test func aServerThatEndsAnswersWhatIsOpen() async throws {
        let running = try await RunningServer()
        let client = try await WhenceClient.connect(running.configuration)
        _ = try await client.apply([DefinitionText(name: "trips.yaml", yaml: RunningServer.yaml)])
        let acknowledged = Acknowledged()
        let writers = Task {
            await withTaskGroup(of: Void.self) { group in
                for task in 0..<8 as Range<Int64> {
                    group.addTask {
                        for round in 0..<10_000 as Range<Int64> {
                            let id = task * 100_000 + round
                            do {
                                _ = try await client.write([Tables.part(Tables.trips(id..<id + 1))])
                            } catch {
                                return
                            }
                            acknowledged.ids.withLock { _ = $0.insert(id) }
                        }
                    }
                }
            }
        }
        while acknowledged.ids.withLock({ $0.count }) < 50 { try await Task.sleep(for: .milliseconds(1)) }
        await running.server.shutDown()
        await client.close()
        await writers.value
        // No write that was acknowledged is lost.
        let again = Server(running.store, ServerConfiguration.forTests, logger: .quiet)
        let port = try await again.start().port
        let second = try await WhenceClient.connect(ClientConfiguration(host: "127.0.0.1", port: port))
        let stored = Set(try await second.scan("trips", features: ["count"]).collect().values("driver"))
        let lost = acknowledged.ids.withLock { $0 }.filter { !stored.contains(.int64($0)) }
        #expect(lost.isEmpty)
        await second.close()
        await again.shutDown()
    }
}
