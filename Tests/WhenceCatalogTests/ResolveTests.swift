import Testing
import WhenceCatalog
import WhenceCore

@Suite("Resolving services")
struct ResolveTests {
    @Test("columns of included services come first, then the selections in order")
    func resolves() throws {
        let service = try Flights.catalog().resolve(service: "departure_delay")
        #expect(service.name == "departure_delay" && service.version == 1)
        #expect(service.outputNames == ["planes.seats", "origin_humid", "origin_temp", "dest_temp"])
        #expect(service.selections.map(\.view.definition.name) == ["planes", "weather", "weather"])
        #expect(service.selections.map(\.joinColumns) == [["tailnum"], ["origin"], ["dest"]])
        #expect(
            service.selections[1].features == [
                ResolvedFeature(name: "origin_humid", featureID: 2, type: .float64),
                ResolvedFeature(name: "origin_temp", featureID: 1, type: .int32),
            ])
        #expect(
            service.joinColumns == [
                JoinKey(name: "tailnum", type: .string), JoinKey(name: "origin", type: .string), JoinKey(name: "dest", type: .string),
            ])
    }

    @Test("join columns follow the order of the entity's join keys")
    func joinKeyOrder() throws {
        let catalog = try Catalog().applying(
            """
            entities: [{name: leg, join_keys: [{name: carrier, type: string}, {name: flight, type: int64}]}]
            views: [{name: legs, entity: leg, features: [{name: f, type: bool}]}]
            services: [{name: s, features: [{view: legs, join_keys: {flight: number}}]}]
            """)
        #expect(try catalog.resolve(service: "s").selections.first?.joinColumns == ["carrier", "number"])
    }

    @Test("all features are those that the view has at the time")
    func allFeatures() throws {
        let catalog = try Flights.catalog()
            .applying("views: [{name: planes, entity: plane, features: [{name: year, type: int32}, {name: seats, type: int64}]}]")
        #expect(
            try catalog.resolve(service: "base").selections.first?.features == [
                ResolvedFeature(name: "planes.year", featureID: 2, type: .int32),
                ResolvedFeature(name: "planes.seats", featureID: 1, type: .int64),
            ])
    }

    @Test("an older version of a service can still be read")
    func olderVersion() throws {
        let catalog = try Flights.catalog().applying(Flights.yaml("select: [humid, temp]", "select: [temp]"))
        #expect(try catalog.resolve(service: "departure_delay").version == 2)
        #expect(try catalog.resolve(service: "departure_delay@2").outputNames == ["planes.seats", "origin_temp", "dest_temp"])
        let old = try catalog.resolve(service: "departure_delay@1")
        #expect(old.version == 1)
        #expect(old.outputNames == ["planes.seats", "origin_humid", "origin_temp", "dest_temp"])
    }

    @Test("an older version that reads a retired feature says so")
    func retired() throws {
        let yaml = Flights.yaml("      - { name: humid, type: float64 }\n", "").replacing("[humid, temp]", with: "[temp]")
        let catalog = try Flights.catalog().applying(yaml)
        let error = refusal { () throws(WhenceError) in _ = try catalog.resolve(service: "departure_delay@1") }
        #expect(error?.place == "service departure_delay, selection 1, feature humid")
        #expect(error?.message == "the feature 'humid' of view 'weather' has been retired")
    }

    @Test("a service or version that does not exist is not found")
    func missing() throws {
        let catalog = try Flights.catalog()
        func error(_ name: String) -> WhenceError? { refusal { () throws(WhenceError) in _ = try catalog.resolve(service: name) } }
        #expect(error("departure_dely")?.hint == "did you mean 'departure_delay'? the services are: base, departure_delay")
        #expect(error("departure_delay@2")?.message == "the service 'departure_delay' has no version 2")
        #expect(error("departure_delay@2")?.hint == "its latest version is 1")
        for text in ["base@", "base@x", "base@0", "base@-1", "base@+1", "base@99999999999999999999"] {
            #expect(error(text)?.code == .invalidArgument)
        }
    }

    @Test("a list of features needs no service")
    func adHoc() throws {
        let catalog = try Flights.catalog()
        let service = try catalog.resolve(features: ["weather.humid", "planes.*", "weather.temp"])
        #expect(service.name == "" && service.version == 0)
        #expect(service.outputNames == ["weather.humid", "planes.seats", "weather.temp"])
        #expect(service.selections.map(\.joinColumns) == [["airport"], ["tailnum"], ["airport"]])
        #expect(try catalog.resolve(features: ["weather.humid", "weather.temp"]).selections.count == 1)
        #expect(try catalog.resolve(features: ["weather.*"]).outputNames == ["weather.temp", "weather.humid"])
    }

    @Test(
        "a list of features that is wrong is refused",
        arguments: [
            ([], .invalidArgument, "no features are asked for"), (["weather"], .invalidArgument, "'weather' names no feature"),
            (["weather."], .invalidArgument, "'weather.' names no feature"), ([".temp"], .invalidArgument, "'.temp' names no feature"),
            (["wether.temp"], .notFound, "there is no view 'wether'"),
            (["weather.tmp"], .unknownFeature, "the view 'weather' has no feature 'tmp'"),
            (["weather.temp", "weather.*"], .invalidArgument, "the feature 'weather.temp' is asked for twice"),
        ] as [([String], WhenceError.Code, String)])
    func adHocMistakes(features: [String], code: WhenceError.Code, message: String) throws {
        let catalog = try Flights.catalog()
        let error = refusal { () throws(WhenceError) in _ = try catalog.resolve(features: features) }
        #expect(error?.code == code)
        #expect(error?.message == message)
    }

    @Test("services may include one another only so deep")
    func deepIncludes() throws {
        var yaml = """
            entities: [{name: e, join_keys: [{name: k, type: int64}]}]
            views: [{name: v, entity: e, features: [{name: f, type: bool}]}]
            services:
              - {name: s0, features: [{view: v}]}

            """
        for level in 1...20 { yaml += "  - {name: s\(level), include: [s\(level - 1)]}\n" }
        let error = refusal { () throws(WhenceError) in _ = try Catalog().plan(yaml) }
        #expect(error?.message == "services include one another more than 16 deep")
    }
}
