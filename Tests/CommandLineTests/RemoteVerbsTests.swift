import Foundation
import Testing

/// Every verb answers on a server what it answers on a store that it opens itself.
@Suite("The verbs on a server", .timeLimit(.minutes(2))) struct RemoteVerbsTests {
    /// The same commands one after the other, on `place`; their answers without what no two runs share.
    private func round(_ workspace: Workspace, _ place: [String]) throws -> [String] {
        let commands: [[String]] = [
            ["plan", "airports.yaml", "--json"],
            ["apply", "airports.yaml", "--yes", "--json"],
            ["catalog", "list", "--json"],
            ["catalog", "show", "view/weather", "--json"],
            ["ingest", "weather", "weather.csv", "--backfill"],
            ["ingest", "planes", "planes.ndjson", "--json"],
            ["ingest", "planes", "planes-backfill.ndjson", "--backfill"],
            ["history", "planes", "--entity", "tail=4", "--json"],
            ["ingest", "planes", "mixed.ndjson", "--idempotency-key", "once", "--json"],
            ["ingest", "planes", "mixed.ndjson", "--idempotency-key", "once", "--json"],
            ["get", "departure", "--entity", "origin=JFK,tail=1", "--as-of", "2024-01-01T06:30:00Z", "--json"],
            ["get", "--features", "planes.*", "--entity", "tail=2", "--json"],
            ["history", "planes", "--entity", "tail=2", "--json"],
            ["history", "planes", "--entity", "tail=2", "--limit", "1", "--json"],
            ["join", "--service", "departure", "--spine", "spine.csv", "--column", "tail=int64", "--out", "-", "--json"],
            ["join", "--features", "weather.temp", "--entities-of", "weather", "--at", "2024-01-01T06:30:00Z", "--out", "-", "--json"],
            [
                "join", "--features", "planes.maker", "--spine-view", "planes", "--spine-features", "seats", "--rename", "seats=label",
                "--out",
                "-", "--json",
            ],
            ["scan", "planes", "--features", "none", "--from", "2024-01-02T00:00:00Z", "--out", "-", "--json"],
            ["scan", "planes", "--first-entity", "tail=2", "--last-entity", "tail=2", "--out", "-", "--json"],
            ["scan", "planes", "--last-entity", "wing=2", "--out", "-", "--json"],
            ["admin", "compact", "planes"],
            ["admin", "erase", "plane", "--entity", "tail=2", "--dry-run", "--json"],
            ["admin", "erase", "plane", "--entity", "tail=2", "--yes", "--json"],
            ["history", "planes", "--entity", "tail=2", "--json"],
            ["get", "nothing", "--entity", "tail=2", "--json"],
            ["ingest", "planes", "bad.csv", "--json"],
        ]
        return try commands.map { command in
            let answer = try workspace.run(command + place)
            let said = ([command.joined(separator: " "), "exit \(answer.code)", answer.out] + (answer.code == 0 ? [] : [answer.err]))
                .joined(separator: "\n")
            return RemoteVerbsTests.timeless(said)
        }
    }

    /// Times of this century's own clock, and how long things took.
    private static func timeless(_ text: String) -> String {
        text.replacing(/20(2[5-9]|[3-9]\d)-\d\d-\d\dT[\d:.]+Z/, with: "NOW")
            .replacing(/"(seconds|rows_per_second)":[\d.e-]+/, with: "TOOK").replacing(/in [\d.]+ s \([^)]*\)/, with: "TOOK")
            .replacing(/[\d.]+ (B|KiB|MiB)/, with: "SIZE").replacing(/SIZE +[\d.]+\n/, with: "SIZE TOOK\n")
            .replacing(/\d+ y( \d+ d)?/, with: "AGE").replacing(/\ +/, with: " ")
    }

    private func prepared() throws -> Workspace {
        let workspace = try Workspace()
        try workspace.file("airports.yaml", Airports.yaml)
        try workspace.file("weather.csv", "airport,time_hour,temp,humid\nJFK,2024-01-01T01:00:00,31,0.5\nLGA,2024-01-01T01:00:00,,0.75\n")
        try workspace.file(
            "planes.ndjson",
            """
            {"tail": 1, "event_time": "2024-01-01T00:00:00Z", "seats": 100, "maker": "A"}
            {"tail": 2, "event_time": "2024-01-01T00:00:00Z", "seats": 200, "maker": null}
            {"tail": 2, "event_time": "2024-01-02T00:00:00Z", "seats": 201}
            {"tail": 3, "event_time": "2024-01-02T00:00:00Z", "known_at": "2024-01-03T00:00:00Z", "maker": "C"}

            """)
        // The same for a backfill; nulls, and features that are left out, too, and one that appears late.
        try workspace.file(
            "planes-backfill.ndjson",
            """
            {"tail": 4, "event_time": "2024-01-01T00:00:00Z", "maker": "D"}
            {"tail": 4, "event_time": "2024-01-02T00:00:00Z", "maker": null}
            {"tail": 4, "event_time": "2024-01-03T00:00:00Z", "_kind": "deletion"}
            {"tail": 4, "event_time": "2024-01-04T00:00:00Z", "known_at": "2024-01-05T00:00:00Z", "seats": 7}
            {"tail": 4, "event_time": "2024-01-06T00:00:00Z", "seats": null, "maker": "E"}
            {"tail": 4, "event_time": "2023-12-31T00:00:00Z", "_kind": "retraction"}

            """)
        // Rows, a correction, a deletion and a retraction, in one batch.
        try workspace.file(
            "mixed.ndjson",
            """
            {"tail": 2, "event_time": "2024-01-01T00:00:00Z", "seats": 199}
            {"tail": 1, "event_time": "2024-01-05T00:00:00Z", "_kind": "deletion"}
            {"tail": 2, "event_time": "2024-01-02T00:00:00Z", "_kind": "retraction"}
            {"tail": 5, "event_time": "2024-01-05T00:00:00Z", "maker": "E", "seats": null}

            """)
        try workspace.file("spine.csv", "origin,tail,event_time,label\nJFK,1,2024-01-01T06:30:00Z,yes\nLGA,2,2024-01-03T00:00:00Z,no\n")
        try workspace.file("bad.csv", "tail,event_time,seats\n1,2024-01-01T00:00:00Z,many\n")
        return workspace
    }

    @Test("every verb says the same, whether it opens the store or asks a server") func same() async throws {
        let here = try prepared()
        let embedded = try round(here, ["--data", "store"])
        let there = try prepared()
        let served = try await Served(there, [])
        let address = try #require(served.announced["listening"] as? String)
        let remote = try round(there, ["--server", address])
        for (embedded, remote) in zip(embedded, remote) { #expect(embedded == remote) }
        served.signal(SIGTERM)
        try await served.wait { !served.process.isRunning }
        #expect(served.process.terminationStatus == 0)
    }

    @Test("an idempotency key loses no row of a load that is cut elsewhere, or whose file has changed", arguments: [false, true])
    func loadsThatDiffer(isServed: Bool) async throws {
        let work = try Airports.workspace()
        let served = isServed ? try await Served(work, []) : nil
        let place = try served.map { ["--server", try #require($0.announced["listening"] as? String)] } ?? ["--data", "store"]
        func planes(_ tails: ClosedRange<Int>, seats: (Int) -> Int = { 100 + $0 }) -> String {
            tails.map { #"{"tail":\#($0),"event_time":"2012-06-01T00:00:00Z","seats":\#(seats($0))}"# }.joined(separator: "\n")
        }
        /// Commits, those among them that had been made before, and the seats of seven planes after a load under the one key.
        func load(_ text: String, batchRows: Int, _ more: [String] = []) throws -> [[Int]] {
            try work.file("planes.ndjson", text)
            let load = ["ingest", "planes", "planes.ndjson", "--batch-rows", "\(batchRows)", "--idempotency-key", "load", "--json"]
            let answer = try work.run(load + more + place)
            let said = try #require(answer.lines.first, "\(answer.err)")
            let entities = (1...7).flatMap { ["--entity", "tail=\($0)"] }
            let read = try work.run(["get", "--features", "planes.seats", "--json"] + entities + place)
            let seats = read.lines.map { ($0["features"] as? [String: Any])?["planes.seats"] as? Int ?? 0 }
            return [[said["commits"] as? Int ?? -1, said["repeated_commits"] as? Int ?? -1], seats]
        }
        #expect(try load(planes(1...3), batchRows: 2) == [[2, 0], [101, 102, 103, 0, 0, 0, 0]])
        // More rows, cut elsewhere: what was written before is in other batches.
        #expect(try load(planes(1...6), batchRows: 3) == [[2, 0], [101, 102, 103, 104, 105, 106, 0]])
        #expect(try load(planes(1...7), batchRows: 3) == [[3, 2], [101, 102, 103, 104, 105, 106, 107]])
        // Another value in the second batch, whose rows have the same numbers.
        #expect(try load(planes(1...7) { $0 == 5 ? 7 : 100 + $0 }, batchRows: 3) == [[3, 2], [101, 102, 103, 104, 7, 106, 107]])
        // A row that was rejected, and is mended: all behind it move on.
        let bad = planes(1...7).replacing("102", with: "\"many\"")
        #expect(try load(bad, batchRows: 3, ["--max-rejects", "1"])[0] == [2, 0])
        #expect(try load(planes(1...7) { 200 + $0 }, batchRows: 3) == [[3, 0], [201, 202, 203, 204, 205, 206, 207]])
        #expect(try load(planes(1...7) { 200 + $0 }, batchRows: 3) == [[3, 3], [201, 202, 203, 204, 205, 206, 207]])
        withExtendedLifetime(served) {}
    }

    @Test("a store is in one place, and secrets are no arguments") func places() throws {
        let workspace = try Workspace()
        #expect(try workspace.whence("admin", "stats").code == 2)
        #expect(try workspace.whence("admin", "stats", "--data", "store", "--server", "localhost:1").code == 2)
        #expect(try workspace.whence("admin", "stats", "--data", "store", "--tls").code == 2)
        #expect(try workspace.whence("admin", "stats", "--server", "localhost:1", "--threads", "2").code == 2)
        #expect(try workspace.whence("admin", "stats", "--server", "localhost:1", "--user", "eta").code == 1)
        let unreachable = try workspace.whence("admin", "stats", "--server", "127.0.0.1:1", "--json")
        #expect(unreachable.code == 1)
        #expect(unreachable.error["name"] as? String == "connectionLost")
    }

    @Test("a backfill through a server that meets a bad row leaves nothing behind") func refused() async throws {
        let workspace = try prepared()
        let served = try await Served(workspace, [])
        let address = try #require(served.announced["listening"] as? String)
        try workspace.whence("apply", "airports.yaml", "--yes", "--server", address)
        let rows = (0..<40_000).map { "{\"tail\": \($0), \"event_time\": \"2024-01-01T00:00:00Z\", \"seats\": \($0)}\n" }.joined()
        try workspace.file("late.ndjson", rows + "{\"tail\": 1, \"event_time\": \"2024-01-01T00:00:00Z\", \"seats\": \"many\"}\n")
        let answer = try workspace.whence("ingest", "planes", "late.ndjson", "--backfill", "--server", address, "--json")
        #expect(answer.code == 1)
        #expect((answer.error["hint"] as? String)?.contains("nothing was written") == true)
        #expect(try workspace.whence("history", "planes", "--entity", "tail=1", "--server", address, "--json").out.isEmpty)
    }

    @Test("wide rows are committed in as many messages as they need") func wide() async throws {
        let workspace = try Workspace()
        let names = (0..<400).map { "f\($0)" }
        try workspace.file(
            "wide.yaml",
            "entities:\n  - { name: e, join_keys: [{ name: id, type: int64 }] }\nviews:\n  - name: wide\n    entity: e\n    features:\n"
                + names.map { "      - { name: \($0), type: float64 }\n" }.joined())
        // 6,000 rows of 3.2 KB: more than one message, in less text than that.
        let row = names.map { _ in "1" }.joined(separator: ",")
        try workspace.file(
            "wide.csv",
            "id,event_time,\(names.joined(separator: ","))\n" + (0..<6_000).map { "\($0),2024-01-01T00:00:00Z,\(row)\n" }.joined())
        let served = try await Served(workspace, [])
        let address = try #require(served.announced["listening"] as? String)
        try workspace.whence("apply", "wide.yaml", "--yes", "--server", address)
        let answer = try workspace.whence("ingest", "wide", "wide.csv", "--server", address, "--json")
        #expect(answer.code == 0, "\(answer.err)")
        let said = try JSONSerialization.jsonObject(with: Data(answer.out.utf8)) as? [String: Any]
        #expect(said?["rows"] as? Int == 6_000 && (said?["commits"] as? Int ?? 0) > 2)
    }
}
