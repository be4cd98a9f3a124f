import Foundation
import Testing
import WhenceCatalog
import WhenceCore

@Suite("Plans")
struct PlanTests {
    @Test("against an empty catalog everything is created")
    func create() throws {
        let plan = try Catalog().plan(Flights.yaml)
        #expect(plan.baseVersion == 0)
        #expect(plan.changes.map(\.effect) == Array(repeating: .create, count: 6))
        #expect(plan.changes.map(\.name) == ["airport", "plane", "weather", "planes", "base", "departure_delay"])
        #expect(
            plan.change(.view, "weather")?.details == [
                "entity: airport", "feature temp: int32", "feature humid: float64", "event_time: time_hour in America/New_York",
                "available_at: known_at", "availability_delay: 1h", "ttl: 3h", "retention: 400d", "owner: \"weather team\"",
                "tag source: noaa", "feature temp description: \"degrees Fahrenheit\"",
            ])
        #expect(
            plan.change(.service, "departure_delay")?.details == [
                "include base", "features of weather: humid, temp (airport = origin) as origin_*",
                "features of weather: temp (airport = dest) as dest_*",
            ])
        #expect(!plan.isEmpty && !plan.hasRefusals && !plan.needsBackfill)
    }

    @Test("against what is stored already there is nothing to do, and applying it does nothing")
    func unchanged() throws {
        let catalog = try Flights.catalog()
        let plan = try catalog.plan(Flights.yaml)
        #expect(plan.isEmpty)
        #expect(plan.changes.allSatisfy { $0.effect == .unchanged && $0.details.isEmpty })
        #expect(plan.text() == "Plan against catalog version 1: nothing to change (6 unchanged).\n")
        let (after, entries) = try catalog.applying(plan)
        #expect(after.version == 1)
        #expect(entries.isEmpty)
    }

    @Test("what is stored and not in the files is left alone")
    func upsert() throws {
        let catalog = try Flights.catalog().applying("entities: [{name: carrier, join_keys: [{name: carrier, type: string}]}]")
        #expect(catalog.version == 2)
        #expect(catalog.entities.keys.sorted() == ["airport", "carrier", "plane"])
        #expect(catalog.views.count == 2)
    }

    /// A change to one piece of the definitions of `Flights`, and what it has to come to.
    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let old: String
        let new: String
        var kind = DefinitionKind.view
        var name = "weather"
        let effect: CatalogChange.Effect
        let details: [String]
        var reason = ""
    }

    static let changes: [Change] = [
        Change(
            testDescription: "a feature is added", old: "      - { name: humid",
            new: "      - { name: wind, type: float64 }\n      - { name: humid",
            effect: .needsBackfill, details: ["feature wind: float64 (new; old rows have nothing for it)"],
            reason:
                "rows written before have nothing for wind; reads find nothing there until 'whence ingest weather FILE --backfill' brings"),
        Change(
            testDescription: "a feature is widened", old: "temp, type: int32", new: "temp, type: float64", effect: .compatible,
            details: ["feature temp: int32 -> float64 (widened; old rows stay readable)"]),
        Change(
            testDescription: "a feature is narrowed", old: "humid, type: float64", new: "humid, type: float32", effect: .refused,
            details: ["feature humid: float64 -> float32"],
            reason: "add a feature with a new name, such as 'humid_v2', and backfill it"),
        Change(
            testDescription: "a feature becomes something else", old: "temp, type: int32", new: "temp, type: string", effect: .refused,
            details: ["feature temp: int32 -> string"], reason: "feature temp cannot become string"),
        Change(
            testDescription: "features change places",
            old: "      - { name: temp, type: int32, description: degrees Fahrenheit }\n      - { name: humid, type: float64 }",
            new: "      - { name: humid, type: float64 }\n      - { name: temp, type: int32, description: degrees Fahrenheit }",
            effect: .compatible, details: ["order of features"]),
        Change(
            testDescription: "a feature that a service selects is removed", old: "      - { name: humid, type: float64 }\n", new: "",
            effect: .refused, details: ["feature humid: float64 (retired; old rows keep its values)"],
            reason: "the service 'departure_delay' would no longer resolve: the feature 'humid' of view 'weather' has been retired"),
        Change(
            testDescription: "the entity of a view changes", old: "entity: airport", new: "entity: plane", effect: .refused,
            details: ["entity: airport -> plane"],
            reason:
                "the entity of a view cannot change, because every stored row is filed under its join keys; define a new view of 'plane'"),
        Change(
            testDescription: "the TTL changes", old: "ttl: 3h", new: "ttl: 90m", effect: .compatible,
            details: ["ttl: 3h -> 1h30m (reads change at once, of old rows too)"]),
        Change(
            testDescription: "the TTL goes", old: "    ttl: 3h\n", new: "", effect: .compatible,
            details: ["ttl: 3h (reads change at once, of old rows too)"]),
        Change(
            testDescription: "the retention is shortened", old: "retention: 400d", new: "retention: 30d", effect: .compatible,
            details: ["retention: 400d -> 30d (shorter: 'whence admin retain' will remove history)"]),
        Change(
            testDescription: "the retention is lengthened", old: "retention: 400d", new: "retention: 500d", effect: .compatible,
            details: ["retention: 400d -> 500d (what is gone does not come back)"]),
        Change(
            testDescription: "a retention is set where there was none", old: "name: planes\n", new: "name: planes\n    retention: 30d\n",
            name: "planes", effect: .compatible, details: ["retention: 30d (shorter: 'whence admin retain' will remove history)"]),
        Change(
            testDescription: "the event time comes from elsewhere", old: "{ column: time_hour, zone: America/New_York }", new: "hour",
            effect: .compatible, details: ["event_time: time_hour in America/New_York -> hour (for what is ingested from now on)"]),
        Change(
            testDescription: "the availability delay changes", old: "availability_delay: 1h", new: "availability_delay: 2h",
            effect: .compatible, details: ["availability_delay: 1h -> 2h (for backfills from now on)"]),
        Change(
            testDescription: "owner and tags change", old: "owner: weather team\n    tags: { source: noaa }",
            new: "owner: data team\n    tags: { source: nws, tier: gold }", effect: .compatible,
            details: ["owner: \"weather team\" -> \"data team\"", "tag source: noaa -> nws", "tag tier: gold"]),
        Change(
            testDescription: "the description of a feature changes", old: "degrees Fahrenheit", new: "°F", effect: .compatible,
            details: ["feature temp description: \"degrees Fahrenheit\" -> \"°F\""]),
        Change(
            testDescription: "the tag of a feature goes", old: "        tags: { pii: \"no\" }\n", new: "", name: "planes",
            effect: .compatible, details: ["feature seats tag pii: no"]),
        Change(
            testDescription: "the join keys of an entity change", old: "{ name: tailnum, type: string }",
            new: "{ name: tailnum, type: bytes }",
            kind: .entity, name: "plane", effect: .refused, details: ["join keys: tailnum string -> tailnum bytes"],
            reason: "the join keys of an entity cannot change, because every stored row is filed under them; define a new entity"),
        Change(
            testDescription: "the description of an entity changes", old: "an airport, by its IATA code", new: "an airport", kind: .entity,
            name: "airport", effect: .compatible, details: ["description: \"an airport, by its IATA code\" -> \"an airport\""]),
        Change(
            testDescription: "a service selects less", old: "select: [humid, temp]", new: "select: [humid]", kind: .service,
            name: "departure_delay", effect: .compatible,
            details: [
                "features of weather: humid, temp (airport = origin) as origin_*",
                "features of weather: humid (airport = origin) as origin_*",
            ]),
        Change(
            testDescription: "a service includes nothing any more", old: "    include: [base]\n", new: "", kind: .service,
            name: "departure_delay", effect: .compatible, details: ["include base"]),
    ]

    @Test("each change has its effect, says what differs, and touches nothing else", arguments: changes)
    func effects(change: Change) throws {
        // The services are left out, so that the plan knows them from the catalog alone.
        var yaml = Flights.yaml(change.old, change.new)
        if change.kind != .service, let services = yaml.range(of: "services:") { yaml = String(yaml[..<services.lowerBound]) }
        let catalog = try Flights.catalog()
        let plan = try catalog.plan(yaml)
        let found = try #require(plan.change(change.kind, change.name))
        #expect(found.effect == change.effect)
        #expect(found.details == change.details)
        #expect(change.reason.isEmpty ? found.reason.isEmpty : found.reason.contains(change.reason), "the reason is: \(found.reason)")
        #expect(plan.changes.count { $0.effect != .unchanged } == 1)
        guard change.effect != .refused else {
            #expect(plan.hasRefusals)
            let error = refusal { () throws(WhenceError) in _ = try catalog.applying(plan) }
            #expect(error?.code == .incompatibleChange)
            #expect(error?.place == "\(change.kind) \(change.name)")
            return
        }
        let (after, entries) = try catalog.applying(plan)
        #expect(after.version == 2)
        #expect(entries.map(\.name) == [change.name] && entries.map(\.version) == [2] && entries.map(\.catalogVersion) == [2])
        #expect(try after.plan(yaml).isEmpty)
    }

    @Test("a feature may go when the service that selects it changes in the same plan")
    func removalWithService() throws {
        let yaml = Flights.yaml("      - { name: humid, type: float64 }\n", "").replacing("[humid, temp]", with: "[temp]")
        let plan = try Flights.catalog().plan(yaml)
        #expect(plan.change(.view, "weather")?.effect == .compatible)
        #expect(plan.change(.service, "departure_delay")?.effect == .compatible)
    }

    @Test("a removal is refused for every service that reads the feature, and other changes are not blamed")
    func blame() throws {
        let catalog = try Flights.catalog().applying("services: [{name: base, features: [{view: planes, select: [seats]}]}]")
        let plan = try catalog.plan(
            """
            views:
              - { name: weather, entity: airport, features: [{ name: temp, type: int32 }, { name: humid, type: float64 }, { name: wind, type: bool }] }
              - { name: planes, entity: plane, features: [{ name: year, type: int32 }] }
            """)
        #expect(plan.change(.view, "weather")?.effect == .needsBackfill)
        let planes = try #require(plan.change(.view, "planes"))
        #expect(planes.effect == .refused)
        #expect(planes.reason.contains("the service 'base' would no longer resolve"))
        #expect(planes.reason.contains("the service 'departure_delay' would no longer resolve"))
    }

    @Test("a change to a service that breaks one which includes it is refused")
    func breaksIncluder() throws {
        let catalog = try Flights.catalog()
        let plan = try catalog.plan("services: [{name: base, features: [{view: weather, prefix: origin_}]}]")
        let change = try #require(plan.change(.service, "base"))
        #expect(change.effect == .refused)
        #expect(change.reason.contains("the service 'departure_delay' would no longer resolve: the output 'origin_humid' is there twice"))
    }

    @Test("a feature that services only read with all others may go")
    func removalUnderAll() throws {
        let wide = Flights.yaml("      - name: seats\n", "      - { name: year, type: int32 }\n      - name: seats\n")
        let catalog = try Catalog().applying(wide)
        let views = try #require(Flights.yaml.range(of: "services:"))
        let plan = try catalog.plan(String(Flights.yaml[..<views.lowerBound]))
        #expect(plan.change(.view, "planes")?.effect == .compatible)
        #expect(try catalog.applying(plan).catalog.resolve(service: "base").outputNames == ["planes.seats"])
    }

    @Test("a new feature whose output name a stored service has already is refused")
    func collision() throws {
        let yaml = """
            entities: [{name: e, join_keys: [{name: k, type: int64}]}]
            views: [{name: a, entity: e, features: [{name: x, type: bool}]}, {name: b, entity: e, features: [{name: y, type: bool}]}]
            services: [{name: s, features: [{view: a, prefix: ""}, {view: b, prefix: ""}]}]
            """
        let plan = try Catalog().applying(yaml)
            .plan("views: [{name: b, entity: e, features: [{name: y, type: bool}, {name: x, type: bool}]}]")
        let change = try #require(plan.change(.view, "b"))
        #expect(change.effect == .refused)
        #expect(change.reason.contains("the service 's' would no longer resolve: the output 'x' is there twice"))
    }

    @Test("a plan can be applied only to the catalog that it was made against")
    func stale() throws {
        let catalog = try Flights.catalog()
        let plan = try catalog.plan(Flights.yaml("ttl: 3h", "ttl: 4h"))
        let later = try catalog.applying(plan).catalog
        let error = refusal { () throws(WhenceError) in _ = try later.applying(plan) }
        #expect(error?.code == .incompatibleChange)
        #expect(error?.message == "the plan was made against version 1 of the catalog, which has version 2 now")
    }

    @Test("the plan as text")
    func text() throws {
        let yaml = Flights.yaml("temp, type: int32", "temp, type: float64")
            .replacing("      - { name: humid", with: "      - { name: wind, type: float64 }\n      - { name: humid")
            .replacing("{ name: tailnum, type: string }", with: "{ name: tailnum, type: int64 }")
            .replacing("services:\n", with: "services:\n  - name: seats_only\n    features: [{ view: planes, select: [seats] }]\n")
        let plan = try Flights.catalog().plan(yaml)
        #expect(
            plan.text() == """
                Plan against catalog version 1: 1 to create, 1 to change (1 with a backfill), 1 refused, 4 unchanged.

                  ! entity plane (refused)
                      ~ join keys: tailnum string -> tailnum int64
                      refused: the join keys of an entity cannot change, because every stored row is filed under them; define a new entity \
                with the new join keys, and views of it

                  ~ view weather (needs a backfill)
                      ~ feature temp: int32 -> float64 (widened; old rows stay readable)
                      + feature wind: float64 (new; old rows have nothing for it)
                      backfill: rows written before have nothing for wind; reads find nothing there until 'whence ingest weather FILE \
                --backfill' brings the values

                  + service seats_only (create)
                      + features of planes: seats

                This plan cannot be applied: nothing is changed until every refusal is resolved.

                """)
    }

    @Test("the plan as JSON")
    func json() throws {
        let plan = try Flights.catalog().plan("entities: [{name: plane, owner: ops, join_keys: [{name: tailnum, type: string}]}]")
        #expect(
            plan.json()
                == #"{"base_version":1,"changes":[{"details":["owner: \"ops\""],"effect":"compatible","kind":"entity","name":"plane","#
                + #""reason":""}],"has_refusals":false,"is_empty":false,"needs_backfill":false}"#)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(
            String(decoding: try encoder.encode(plan), as: UTF8.self)
                == plan.json())
    }
}
