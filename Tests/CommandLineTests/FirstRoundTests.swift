import Foundation
import Testing

/// The way of a newcomer through the verbs.
@Suite("A first round")
struct FirstRoundTests {
    @Test("from definitions to a training set that can be had again")
    func firstRound() throws {
        let work = try Workspace()
        try work.file("airports.yaml", Airports.yaml)
        try work.file("weather.csv", Airports.weather)

        // Plan: what would change, and nothing is written.
        let plan = try work.onStore("plan", "airports.yaml")
        #expect(plan.code == 0)
        #expect(plan.out.hasPrefix("Plan against catalog version 0: 5 to create, 0 to change, 0 unchanged.\n"))
        #expect(!work.exists("store"))

        // Apply: the same, and then it is so.
        let apply = try work.onStore("apply", "airports.yaml", "--yes")
        #expect(apply.code == 0)
        #expect(apply.out.hasPrefix(plan.out) && apply.out.hasSuffix("Applied: the catalog has version 1.\n"))
        #expect(try work.onStore("apply", "airports.yaml").out.contains("nothing to change (5 unchanged)"))

        // Backfill: known from now on, available as the definition says.
        let backfill = try work.onStore("ingest", "weather", "weather.csv", "--backfill", "--null", "NA")
        #expect(backfill.code == 0, "\(backfill.err)")
        #expect(backfill.out.hasPrefix("weather: 3 rows in "))
        let jfk = try work.history("weather", "airport=JFK")
        #expect(jfk.map { $0["event_time"] as? String } == ["2013-01-01T11:00:00Z", "2013-01-01T10:00:00Z"])
        #expect(jfk.map { $0["availability_time"] as? String } == ["2013-01-01T12:00:00Z", "2013-01-01T11:00:00Z"])
        #expect((jfk[0]["features"] as? [String: Any])?["humid"] is NSNull)

        // Ordinary writes, from standard input, in three commits of at most two rows.
        let rows = (1...5).map { #"{"tail":\#($0),"event_time":"2012-06-01T00:00:00Z","seats":\#(100 + $0)}"# }.joined(separator: "\n")
        let planes = try work.onStore("ingest", "planes", "-", "--format", "ndjson", "--batch-rows", "2", "--json", input: rows)
        #expect(planes.code == 0, "\(planes.err)")
        #expect(planes.lines.first?["rows"] as? Int == 5)
        #expect(planes.lines.first?["commits"] as? Int == 3)
        let pin = try #require(planes.lines.first?["known_at"] as? String)

        // What did we know then?
        let then = try work.onStore(
            "get", "departure", "--entity", "origin=JFK,tail=3", "--as-of", "2013-01-01T10:30:00Z", "--json")
        #expect(then.lines.first?["features"] as? NSDictionary == ["origin_temp": 39, "origin_humid": 57.3, "seats": 103])
        let served = try work.onStore(
            "get", "departure", "--entity", "origin=JFK,tail=3", "--as-of", "2013-01-01T10:30:00Z", "--as-served", "--json")
        #expect((served.lines.first?["features"] as? NSDictionary)?["origin_temp"] is NSNull)

        // What is it now? The weather is past its TTL, the seats are not.
        let now = try work.onStore("get", "departure", "--entity", "origin=JFK,tail=3", "--json")
        #expect(now.lines.first?["features"] as? NSDictionary == ["origin_temp": NSNull(), "origin_humid": NSNull(), "seats": 103])
        #expect(
            now.lines.first?["views"] as? NSArray == [
                ["view": "weather", "join_columns": ["origin"], "event_time": NSNull()],
                ["view": "planes", "join_columns": ["tail"], "event_time": "2012-06-01T00:00:00Z"],
            ])

        // A training set: every row of the spine once, in its order, with its label.
        try work.file(
            "flights.csv",
            """
            origin,tail,event_time,late
            JFK,3,2013-01-01T11:30:00Z,1
            LGA,,2013-01-01T10:00:00Z,0
            JFK,4,2013-01-01T10:59:59Z,0

            """)
        let join = try work.onStore("join", "--service", "departure", "--spine", "flights.csv", "--out", "training.csv", "--json")
        #expect(join.code == 0, "\(join.err)")
        let training = try work.text("training.csv")
        #expect(
            training == """
                origin,tail,event_time,late,origin_temp,origin_humid,seats
                JFK,3,2013-01-01T11:30:00Z,1,40,,103
                LGA,,2013-01-01T10:00:00Z,0,38,59.1,
                JFK,4,2013-01-01T10:59:59Z,0,39,57.3,104

                """)

        // A correction changes it, and the pin brings it back to the byte.
        try work.file("correction.csv", "airport,time_hour,temp\nJFK,2013-01-01 05:00,41\n")
        #expect(try work.onStore("ingest", "weather", "correction.csv").code == 0)
        try work.onStore("join", "--service", "departure", "--spine", "flights.csv", "--out", "later.csv")
        #expect(try work.text("later.csv").contains("10:59:59Z,0,41,57.3,104"))
        try work.onStore("join", "--service", "departure", "--spine", "flights.csv", "--out", "again.csv", "--known-at", pin)
        #expect(try work.text("again.csv") == training)
    }

    @Test("spines that need no file: the rows of a view, and its entities at some instants")
    func spinesFromViews() throws {
        let work = try Airports.workspace()
        try work.file("weather.csv", Airports.weather)
        try work.onStore("ingest", "weather", "weather.csv", "--null", "NA")
        let rows = try work.onStore(
            "join", "--features", "weather.temp", "--spine-view", "weather", "--spine-features", "none", "--from", "2013-01-01T11:00:00Z",
            "--out", "-")
        #expect(rows.out == "airport,event_time,weather.temp\nJFK,2013-01-01T11:00:00Z,40\n")
        let entities = try work.onStore(
            "join", "--service", "departure", "--entities-of", "weather", "--rename", "airport=origin", "--every", "1h", "--from",
            "2013-01-01T10:00:00Z", "--to", "2013-01-01T12:00:00Z", "--out", "-", "--format", "ndjson")
        #expect(entities.code == 1, "there is no tail number in this spine")
        #expect(entities.err.contains("the spine has no column 'tail'"))
        let airports = try work.onStore(
            "join", "--features", "weather.temp", "--entities-of", "weather", "--at", "2013-01-01T10:00:00Z", "--out", "-", "--format",
            "ndjson")
        #expect(airports.lines.map { $0["weather.temp"] as? Int } == [39, 38])
    }

    @Test("every row of a view, within a time range, pinned, in any format")
    func scan() throws {
        let work = try Airports.workspace()
        try work.file("weather.csv", Airports.weather)
        try work.onStore("ingest", "weather", "weather.csv", "--null", "NA")
        let all = try work.onStore("scan", "weather", "--out", "weather.ndjson", "--json")
        #expect(all.code == 0, "\(all.err)")
        let pin = try #require(all.lines.first?["known_at"] as? String)
        let rows = try work.text("weather.ndjson")
        let known = Set(["EWR", "JFK", "LGA"].filter { rows.contains("\"\($0)\"") })
        #expect(known.contains("JFK") && known.count > 1)
        #expect(all.lines.first?["rows"] as? Int == rows.split(separator: "\n").count)
        let some = try work.onStore(
            "scan", "weather", "--from", "2013-01-01T11:00:00Z", "--features", "temp", "--event-time", "at", "--out", "-")
        #expect(some.out == "airport,at,temp\nJFK,2013-01-01T11:00:00Z,40\n")
        try work.file("correction.csv", "airport,time_hour,temp\nJFK,2013-01-01 06:00,41\n")
        #expect(try work.onStore("ingest", "weather", "correction.csv").code == 0)
        try work.onStore("scan", "weather", "--out", "now.ndjson")
        #expect(try work.text("now.ndjson") != rows)
        try work.onStore("scan", "weather", "--known-at", pin, "--out", "then.ndjson")
        #expect(try work.text("then.ndjson") == rows)
        // A range of entities, both ends included.
        for (bounds, airports) in [
            (["--first-entity", "airport=JFK"], ["JFK", "LGA"]), (["--last-entity", "airport=JFK"], ["EWR", "JFK"]),
            (["--first-entity", "airport=F", "--last-entity", "airport=K"], ["JFK"]), (["--first-entity", "airport=Z"], []),
        ] {
            let some = try work.run(
                ["scan", "weather", "--data", "store", "--features", "none", "--out", "-", "--format", "ndjson"] + bounds)
            #expect(Set(some.lines.compactMap { $0["airport"] as? String }) == Set(airports).intersection(known), "\(bounds): \(some.err)")
        }
        let wrong = try work.onStore("scan", "weather", "--first-entity", "tail=1", "--out", "-")
        #expect(wrong.code == 1 && wrong.err.contains("--first-entity tail=1") && wrong.err.contains("no join key 'tail'"), "\(wrong.err)")
        let unknown = try work.onStore("scan", "weather", "--features", "temperature", "--out", "-", "--json")
        #expect(unknown.code == 1 && unknown.error["name"] as? String == "unknownFeature", "\(unknown.err)")
        #expect(try work.onStore("scan", "wether", "--out", "-").err.contains("wether"))
    }

    @Test("a spine larger than the join's memory: the same file, with and without temporary files")
    func longSpine() throws {
        let work = try Airports.workspace()
        try work.file("weather.csv", Airports.weather)
        try work.onStore("ingest", "weather", "weather.csv", "--null", "NA")
        let rows = (0..<30_000).map { "\($0 % 3 == 0 ? "LGA" : "JFK"),2013-01-01T1\($0 % 4):00:00Z,row \($0)\n" }
        try work.file("long.csv", "airport,event_time,label\n" + rows.joined())
        func join(_ name: String, _ options: String...) throws -> [String: Any] {
            let run = try work.run(
                ["join", "--features", "weather.temp,weather.humid", "--spine", "long.csv", "--out", name, "--json", "--data", "store"]
                    + options)
            #expect(run.code == 0, "\(run.err)")
            return run.lines.first ?? [:]
        }
        #expect(try join("whole.csv")["spilled_bytes"] as? Int == 0)
        #expect(try (join("spilled.csv", "--memory", "1")["spilled_bytes"] as? Int ?? 0) > 30_000 * 40)
        #expect(try join("blocks.csv", "--memory", "1", "--no-spill")["spilled_bytes"] as? Int == 0)
        #expect(try work.text("spilled.csv") == work.text("whole.csv") && work.text("blocks.csv") == work.text("whole.csv"))
        let refused = try work.onStore(
            "join", "--features", "weather.temp", "--spine", "long.csv", "--out", "no.csv", "--memory", "1", "--spill-dir", "not-there",
            "--json")
        #expect(refused.code == 1 && refused.error["name"] as? String == "permissionDenied", "\(refused.err)")
        #expect((refused.error["place"] as? String)?.hasSuffix("not-there") == true)
    }

    @Test("deletions and retractions, in a column of their own")
    func kinds() throws {
        let work = try Airports.workspace()
        try work.file(
            "planes.csv",
            """
            tail,event_time,seats,_kind
            1,2013-01-01T00:00:00Z,150,
            1,2013-01-02T00:00:00Z,,deletion
            2,2013-01-01T00:00:00Z,160,row
            2,2013-01-02T00:00:00Z,999,row

            """)
        #expect(try work.onStore("ingest", "planes", "planes.csv").code == 0)
        try work.onStore("ingest", "planes", "-", input: "tail,event_time,_kind\n2,2013-01-02T00:00:00Z,retraction\n")
        let answer = try work.onStore(
            "get", "--features", "planes.seats", "--entity", "tail=1", "--entity", "tail=2", "--as-of", "2013-01-03T00:00:00Z", "--json")
        let seats = answer.lines.map { ($0["features"] as? NSDictionary)?["planes.seats"] }
        #expect(seats.count == 2 && seats[0] is NSNull && seats[1] as? Int == 160)
        #expect(try work.history("planes", "tail=2").map { $0["kind"] as? String } == ["retraction", "row", "row"])
    }

    @Test("an online read of sparse rows says of each view how new the newest version is that gave a value, and nothing more of each")
    func sparse() throws {
        let work = try Airports.workspace()
        try work.file(
            "planes.ndjson",
            """
            {"tail":1,"event_time":"2020-01-01T00:00:00Z","maker":"B"}
            {"tail":1,"event_time":"2024-01-01T00:00:00Z","seats":2}
            {"tail":2,"event_time":"2023-01-01T00:00:00Z","seats":3}

            """)
        #expect(try work.onStore("ingest", "planes", "planes.ndjson").code == 0)
        let get = ["get", "--features", "planes.*,weather.temp", "--data", "store"]
        let entities = (1...3).flatMap { ["--entity", "tail=\($0),airport=JFK"] }
        let read = try work.run(get + entities + ["--json"])
        #expect(read.code == 0, "\(read.err)")
        #expect(
            read.lines.map { $0["features"] as? NSDictionary } == [
                ["planes.seats": 2, "planes.maker": "B", "weather.temp": NSNull()],
                ["planes.seats": 3, "planes.maker": NSNull(), "weather.temp": NSNull()],
                ["planes.seats": NSNull(), "planes.maker": NSNull(), "weather.temp": NSNull()],
            ])
        #expect(
            read.lines.map { ($0["views"] as? [[String: Any]])?.map { $0["event_time"] as? String } } == [
                ["2024-01-01T00:00:00Z", nil], ["2023-01-01T00:00:00Z", nil], [nil, nil],
            ])
        #expect(read.lines.allSatisfy { $0["event_times"] == nil })
        let lines = try work.run(get + ["--entity", "tail=2,airport=JFK"]).out.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(lines.contains(["planes.seats", "3"]) && lines.contains(["planes.maker", "–"]), "\(lines)")
        #expect(lines.contains { $0.starts(with: ["planes", "(tail)", "2023-01-01T00:00:00Z"]) }, "\(lines)")
        #expect(lines.contains { $0.starts(with: ["weather", "(airport)", "–", "–"]) }, "\(lines)")
    }

    @Test("a feature that was retired is not the new one of its name; names of the history's own columns are features like others")
    func historyByID() async throws {
        let work = try Workspace()
        func apply(_ features: String, kept: String = ", { name: kind, type: string }, { name: carries, type: int64 }") throws {
            try work.file(
                "definitions.yaml",
                """
                entities: [{ name: plane, join_keys: [{ name: tail, type: int64 }] }]
                views: [{ name: planes, entity: plane, features: [\(features)\(kept)] }]
                """)
            let answer = try work.onStore("apply", "definitions.yaml")
            #expect(answer.code == 0, "\(answer.err)")
        }
        try apply("{ name: seats, type: int32 }")
        try work.file("old.ndjson", #"{"tail":1,"event_time":"2013-01-01T00:00:00Z","seats":1,"kind":"jet","carries":7}"#)
        #expect(try work.onStore("ingest", "planes", "old.ndjson").code == 0)
        try apply("{ name: other, type: int32 }")
        #expect(try work.history("planes", "tail=1").first?["features"] as? NSDictionary == ["seats": 1, "kind": "jet", "carries": 7])
        try apply("{ name: other, type: int32 }, { name: seats, type: int32 }")
        #expect(
            try work.history("planes", "tail=1").first?["features"] as? NSDictionary
                == ["seats (retired, id 1)": 1, "kind": "jet", "carries": 7])
        let table = try work.onStore("history", "planes", "--entity", "tail=1").out.split(separator: "\n").map { $0.split(separator: "  ") }
        #expect(table.first?.last == "seats (retired, id 1)" && table.last?.last?.trimmingPrefix(" ") == "1", "\(table)")
        #expect(table.first?.contains("seats") == true)
        try work.file("new.ndjson", #"{"tail":1,"event_time":"2013-01-02T00:00:00Z","seats":2}"#)
        #expect(try work.onStore("ingest", "planes", "new.ndjson").code == 0)
        // Retired as well: features with the names of the history's own columns.
        try apply("{ name: other, type: int32 }, { name: seats, type: int32 }", kept: "")
        let features = [["seats": 2], ["seats (retired, id 1)": 1, "kind": "jet", "carries": 7]] as [NSDictionary]
        #expect(try work.history("planes", "tail=1").map { $0["features"] as? NSDictionary } == features)
        let shown = try work.onStore("history", "planes", "--entity", "tail=1")
        // A server tells the same.
        let served = try await Served(work, [])
        let address = try #require(served.announced["listening"] as? String)
        let remote = try work.whence("history", "planes", "--entity", "tail=1", "--json", "--server", address)
        #expect(remote.lines.map { $0["features"] as? NSDictionary } == features, "\(remote.err)")
        #expect(try work.whence("history", "planes", "--entity", "tail=1", "--server", address).out == shown.out)
    }

    @Test("a load that is repeated under its idempotency key writes nothing twice")
    func idempotency() throws {
        let work = try Airports.workspace()
        try work.file("weather.csv", Airports.weather)
        for repeated in [0, 2] {
            let answer = try work.onStore(
                "ingest", "weather", "weather.csv", "--null", "NA", "--batch-rows", "2", "--idempotency-key", "jan", "--json")
            #expect(answer.lines.first?["repeated_commits"] as? Int == repeated)
        }
        #expect(try work.history("weather", "airport=LGA").count == 1)
    }

    @Test("a backfill that is repeated under its idempotency key is published once, and its key stands for no other rows")
    func backfilledOnce() async throws {
        let work = try Airports.workspace()
        try work.file("weather.csv", Airports.weather)
        func load(_ place: String...) throws -> Workspace.Answer {
            try work.run(["ingest", "weather", "weather.csv", "--null", "NA", "--backfill", "--idempotency-key", "jan", "--json"] + place)
        }
        var known: Set<String> = []
        for repeated in [0, 1, 1] {
            let answer = try load("--data", "store")
            #expect(answer.code == 0 && answer.lines.first?["repeated_commits"] as? Int == repeated, "\(answer.err)")
            known.insert(answer.lines.first?["last_commit"] as? String ?? "")
        }
        #expect(known.count == 1)
        #expect(try work.history("weather", "airport=LGA").count == 1)
        try work.file("weather.csv", Airports.weather + "LGA,2013-02-01 05:00,1,1\n")
        let other = try load("--data", "store")
        #expect(other.code == 1 && other.error["name"] as? String == "alreadyExists", "\(other.err)")
        #expect((other.error["hint"] as? String ?? "").contains("nothing was written"))
        #expect(try work.history("weather", "airport=LGA").count == 1)
        // The protocol has no place for the key.
        let served = try await Served(work, [])
        let address = try #require(served.announced["listening"] as? String)
        let remote = try load("--server", address)
        #expect(remote.code == 2 && (remote.error["message"] as? String ?? "").contains("takes no --idempotency-key"), "\(remote.err)")
    }

    @Test("the catalog lists every version and shows what apply reads back")
    func catalog() throws {
        let work = try Airports.workspace()
        try work.file("more.yaml", Airports.yaml.replacing("ttl: 3h", with: "ttl: 4h"))
        #expect(try work.onStore("apply", "more.yaml").code == 0)
        let list = try work.onStore("catalog", "list", "--json").lines
        #expect(list.filter { $0["name"] as? String == "weather" }.map { $0["version"] as? Int } == [1, 2])
        for (version, ttl) in [("1", "ttl: 3h"), ("2", "ttl: 4h")] {
            let shown = try work.onStore("catalog", "show", "view/weather", "--version", version).out
            #expect(shown.contains(ttl))
            try work.file("shown.yaml", shown)
        }
        #expect(try work.onStore("plan", "shown.yaml").out.contains("nothing to change"))
        #expect(try work.onStore("catalog", "show", "weather", "--version", "3").code == 1)
    }

    @Test("statistics, compaction, retention and erasure")
    func admin() throws {
        let work = try Airports.workspace()
        try work.file("weather.csv", Airports.weather)
        try work.onStore("ingest", "weather", "weather.csv", "--null", "NA", "--backfill")
        #expect(try work.onStore("admin", "compact", "weather").code == 0)
        let stats = try work.onStore("admin", "stats", "--json").lines.first
        #expect((stats?["views"] as? [[String: Any]])?.count == 2)
        #expect(try work.onStore("admin", "retain").out == "no view declares a retention\n")
        let horizon = "2013-01-01T12:30:00Z"
        let dry = try work.onStore("admin", "retain", "weather", "--before", horizon, "--dry-run", "--json")
        #expect(dry.lines.first?["versions_removed"] as? Int == 1)
        #expect(try work.history("weather", "airport=JFK").count == 2)
        let retained = try work.onStore("admin", "retain", "weather", "--before", horizon, "--json")
        #expect(retained.lines.first?["versions_removed"] as? Int == 1)
        #expect(try work.history("weather", "airport=JFK").count == 1)
        let before = try work.onStore(
            "get", "--features", "weather.temp", "--entity", "airport=JFK", "--as-of", "2013-01-01T12:00:00Z", "--json")
        #expect(before.code == 1 && before.error["name"] as? String == "beyondRetention")
        #expect(try work.onStore("admin", "erase", "airport", "--entity", "airport=JFK").code == 2, "nobody is there to be asked")
        #expect(try work.onStore("admin", "erase", "airport", "--entity", "airport=JFK", "--dry-run").out.contains("would go"))
        #expect(try work.history("weather", "airport=JFK").count == 1)
        #expect(try work.onStore("admin", "erase", "airport", "--entity", "airport=JFK", "--yes").code == 0)
        #expect(try work.history("weather", "airport=JFK").isEmpty)
        #expect(try work.history("weather", "airport=LGA").count == 1)
    }
}
