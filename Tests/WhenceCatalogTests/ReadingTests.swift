import Foundation
import Testing
import WhenceCatalog
import WhenceCore

@Suite("Reading definitions")
struct ReadingTests {
    @Test("a file of definitions becomes values, with every default filled in")
    func reads() throws {
        let definitions = try Flights.definitions()
        #expect(
            definitions.entities.first
                == Entity(
                    name: "airport", joinKeys: [JoinKey(name: "airport", type: .string)], description: "an airport, by its IATA code"))
        #expect(
            definitions.views == [
                FeatureView(
                    name: "weather", entity: "airport",
                    features: [
                        Feature(name: "temp", type: .int32, description: "degrees Fahrenheit"), Feature(name: "humid", type: .float64),
                    ],
                    eventTime: TimeColumn(column: "time_hour", zone: "America/New_York"), availabilityTime: TimeColumn(column: "known_at"),
                    availabilityDelay: .seconds(3600), ttl: .seconds(3 * 3600), retention: .seconds(400 * 86_400), owner: "weather team",
                    tags: ["source": "noaa"]),
                FeatureView(name: "planes", entity: "plane", features: [Feature(name: "seats", type: .int32, tags: ["pii": "no"])]),
            ])
        #expect(definitions.views.last?.eventTime == TimeColumn(column: "event_time"))
        #expect(
            definitions.services == [
                FeatureService(name: "base", selections: [FeatureSelection(view: "planes")]),
                FeatureService(
                    name: "departure_delay", includes: ["base"],
                    selections: [
                        FeatureSelection(
                            view: "weather", features: ["humid", "temp"], joinColumns: ["airport": "origin"], prefix: "origin_"),
                        FeatureSelection(view: "weather", features: ["temp"], joinColumns: ["airport": "dest"], prefix: "dest_"),
                    ]),
            ])
    }

    @Test("documents of one file, and several files, add up")
    func merges() throws {
        var all = try Definitions.parse(
            yaml:
                "entities: [{name: a, join_keys: [{name: k, type: int64}]}]\n---\nentities: [{name: b, join_keys: [{name: k, type: bool}]}]",
            file: "one.yaml")
        try all.merge(try Definitions.parse(yaml: "entities: [{name: c, join_keys: [{name: k, type: bytes}]}]", file: "two.yaml"))
        #expect(all.entities.map(\.name) == ["a", "b", "c"])
    }

    @Test("the example of the format page says what the page says of it")
    func formatPage() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "Formats/definitions.md"), encoding: .utf8)
        let yaml = try #require(page.split(separator: "```").first { $0.hasPrefix("yaml\n") }).dropFirst(5)
        let service = try Catalog().applying(String(yaml)).resolve(service: "departure_delay")
        #expect(service.joinColumns.map(\.name) == ["origin", "dest"])
        #expect(service.outputNames == ["origin_temp", "origin_humid", "dest_temp"])
    }

    @Test("what is defined in two files is refused, with both places")
    func mergeRefusesDuplicates() throws {
        let yaml = "\nentities:\n  - {name: a, join_keys: [{name: k, type: int64}]}"
        var all = try Definitions.parse(yaml: yaml, file: "one.yaml")
        let two = try Definitions.parse(yaml: yaml, file: "two.yaml")
        let error = refusal { () throws(WhenceError) in try all.merge(two) }
        #expect(error?.place == "two.yaml:3:5, entity a")
        #expect(error?.message == "the entity 'a' is defined twice; the first is at one.yaml:3:5")
        #expect(all.entities.count == 1)
    }

    @Test(
        "an empty file, an empty list, and a list left blank define nothing",
        arguments: ["", "# none yet\n", "views: []", "views:", "---\n---\n"])
    func empty(yaml: String) throws {
        let definitions = try Definitions.parse(yaml: yaml, file: "empty.yaml")
        #expect(definitions.views.isEmpty && definitions.entities.isEmpty && definitions.services.isEmpty)
    }

    @Test("words that YAML has other uses for are names here")
    func yamlWords() throws {
        let definitions = try Definitions.parse(
            yaml: "views: [{name: yes, entity: on, features: [{name: no, type: bool}], tags: {level: 1, null_is: 'null'}}]", file: "w.yaml")
        #expect(definitions.views.first?.name == "yes")
        #expect(definitions.views.first?.features.first?.name == "no")
        #expect(definitions.views.first?.tags == ["level": "1", "null_is": "null"])
    }

    @Test("prose may have the characters of anchors, aliases and keys")
    func prose() throws {
        let yaml = """
            entities:
              - name: e
                description: |
                  *Late*? Rain & wind -> delay. See R&D, *not* &c.
                  Why? Because: ask 'a' & *b*
                owner: "? who knows"
                join_keys: [{ name: k, type: int64 }]
            """
        let definitions = try Definitions.parse(yaml: yaml, file: "prose.yaml")
        #expect(definitions.entities.first?.description.hasPrefix("*Late*? Rain & wind") == true)
        #expect(definitions.entities.first?.owner == "? who knows")
    }

    @Test("select takes a list, a star or nothing; a prefix may be empty; a delay may be 0")
    func shortForms() throws {
        let yaml = """
            views: [{name: v, entity: e, availability_delay: 0, features: [{name: f, type: bool}]}]
            services:
              - name: s
                features: [{view: v, select: "*", prefix: ""}, {view: v, select: [f]}]
            """
        let definitions = try Definitions.parse(yaml: yaml, file: "s.yaml")
        #expect(
            definitions.services.first?.selections == [
                FeatureSelection(view: "v", features: nil, prefix: ""), FeatureSelection(view: "v", features: ["f"]),
            ])
        #expect(definitions.views.first?.availabilityDelay == .zero)
    }
}
