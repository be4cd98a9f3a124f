import Testing
import WhenceCatalog
import WhenceCore

/// Each mistake is shown as text in which it is made, the place that the error has to name, and words that it has to say.
struct Mistake: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let yaml: String
    let place: String
    let says: String
    var hint = ""
    var code = WhenceError.Code.invalidDefinition

    init(_ what: String, _ yaml: String, at place: String, says: String, hint: String = "", code: WhenceError.Code = .invalidDefinition) {
        testDescription = what
        self.yaml = yaml
        self.place = place
        self.says = says
        self.hint = hint
        self.code = code
    }

    /// The mistake in the definitions of `Flights`.
    init(_ what: String, _ old: String, _ new: String, at place: String, says: String, hint: String = "") {
        self.init(what, Flights.yaml(old, new), at: place, says: says, hint: hint)
    }
}

@Suite("Mistakes in definitions")
struct DefinitionErrorTests {
    static let inFile: [Mistake] = [
        Mistake("broken YAML", "views: [", at: "flights.yaml:2:1", says: "this is not YAML"),
        Mistake("a tab for indentation", "views:\n\t- name: a", at: "flights.yaml:2:1", says: "cannot start any token"),
        Mistake("text instead of lists", "hello", at: "flights.yaml:1:1", says: "must be a map of keys and values, not text"),
        Mistake(
            "an unknown list", "veiws: []", at: "flights.yaml:1:1", says: "unknown key 'veiws'", hint: "did you mean 'views'? the keys are"),
        Mistake(
            "an unknown key of a view", "    ttl: 3h", "    tll: 3h", at: "flights.yaml:15:5, view weather",
            says: "unknown key 'tll' in a view", hint: "did you mean 'ttl'?"),
        Mistake(
            "an unknown key of a feature", "type: float64 }", "typ: float64 }", at: "flights.yaml:21:24, view weather",
            says: "unknown key 'typ' in a feature", hint: "did you mean 'type'?"),
        Mistake(
            "a key given twice", "    ttl: 3h", "    ttl: 3h\n    ttl: 4h", at: "flights.yaml:15:5", says: "the key 'ttl' is given twice"),
        Mistake("a view without a name", "views: [{entity: a}]", at: "flights.yaml:1:9", says: "the key 'name' is missing"),
        Mistake(
            "a view without features", "views:\n  - {name: v, entity: e}", at: "flights.yaml:2:5, view v",
            says: "the key 'features' is missing"),
        Mistake(
            "an empty list of features", "views:\n  - {name: v, entity: e, features: []}", at: "flights.yaml:2:5, view v",
            says: "a view has 1 to 4096 features, not 0"),
        Mistake(
            "a view that is text", "views: [weather]", at: "flights.yaml:1:9", says: "a view must be a map of keys and values, not text"),
        Mistake(
            "features that are a map", "views: [{name: v, entity: e, features: {temp: float64}}]", at: "flights.yaml:1:40, view v",
            says: "'features' must be a list, not a map"),
        Mistake(
            "an unknown feature type", "type: float64", "type: double", at: "flights.yaml:21:30, view weather, feature humid",
            says: "'double' is not a feature type", hint: "the types are bool, int32"),
        Mistake(
            "an unknown key type", "name: tailnum, type: string", "name: tailnum, type: float64",
            at: "flights.yaml:8:32, entity plane, join key tailnum", says: "'float64' is not the type of a join key",
            hint: "int64, string, bytes, bool"),
        Mistake(
            "a duration without a unit", "ttl: 3h", "ttl: 3", at: "flights.yaml:15:10, view weather, ttl", says: "'3' is not a duration",
            hint: "3h"),
        Mistake("a TTL of nothing", "ttl: 3h", "ttl: 0s", at: "flights.yaml:15:10, view weather, ttl", says: "must be longer than 0"),
        Mistake(
            "a retention of nothing", "retention: 400d", "retention: 0s", at: "flights.yaml:16:16, view weather, retention",
            says: "must be longer than 0"),
        Mistake(
            "an unknown zone", "America/New_York", "America/New_Yrok", at: "flights.yaml:12:17, view weather, event_time",
            says: "there is no time zone 'America/New_Yrok'", hint: "did you mean 'America/New_York'?"),
        Mistake(
            "one column for two times", "available_at: known_at", "available_at: time_hour",
            at: "flights.yaml:13:19, view weather, available_at", says: "states the event time already"),
        Mistake(
            "an availability time that is a feature", "available_at: known_at", "available_at: humid",
            at: "flights.yaml:13:19, view weather, available_at", says: "the column 'humid' is a feature of the view"),
        Mistake(
            "a feature with the name of a column that is written", "name: humid", "name: event_time",
            at: "flights.yaml:21:9, view weather, feature event_time", says: "is the column of event times in tables that are written"),
        Mistake(
            "a join key with the name of a column that is written", "name: tailnum, type", "name: event_time, type",
            at: "flights.yaml:8:9, entity plane, join key event_time", says: "is the column of event times in tables that are written"),
        Mistake(
            "a feature listed twice", "name: humid, type", "name: temp, type", at: "flights.yaml:21:9, view weather, feature temp",
            says: "the feature 'temp' is listed twice"),
        Mistake(
            "a feature with a reserved name", "name: humid", "name: _humid", at: "flights.yaml:21:9, view weather, feature _humid",
            says: "names that start with '_' are reserved"),
        Mistake(
            "a feature that is the event time", "name: humid", "name: time_hour",
            at: "flights.yaml:21:9, view weather, feature time_hour", says: "is the view's event time column"),
        Mistake(
            "a name with a dash", "name: planes", "name: old-planes", at: "flights.yaml:22:5, view old-planes",
            says: "cannot be the name of a view"),
        Mistake(
            "a name with a digit first", "name: base", "name: 2base", at: "flights.yaml:29:5, service 2base",
            says: "cannot be the name of a service"),
        Mistake(
            "a name that is too long", "entities: [{name: \(String(repeating: "a", count: 129)), join_keys: [{name: k, type: bool}]}]",
            at: "flights.yaml:1:12, entity", says: "cannot be the name of an entity", hint: "at most 128 bytes"),
        Mistake(
            "an entity without join keys", "entities: [{name: a, join_keys: []}]", at: "flights.yaml:1:12, entity a",
            says: "an entity has 1 to 8 join keys, not 0"),
        Mistake(
            "an entity with 9 join keys",
            "entities: [{name: a, join_keys: [\((1...9).map { "{name: k\($0), type: bool}" }.joined(separator: ", "))]}]",
            at: "flights.yaml:1:12, entity a", says: "an entity has 1 to 8 join keys, not 9"),
        Mistake(
            "a join key listed twice", "entities: [{name: a, join_keys: [{name: k, type: bool}, {name: k, type: bool}]}]",
            at: "flights.yaml:1:57, entity a, join key k", says: "the join key 'k' is listed twice"),
        Mistake(
            "a view defined twice", "name: planes", "name: weather", at: "flights.yaml:22:5, view weather",
            says: "the view 'weather' is defined twice; the first is at flights.yaml:10:5"),
        Mistake(
            "a service that reads nothing", "services: [{name: s}]", at: "flights.yaml:1:12, service s", says: "the service reads nothing"),
        Mistake(
            "a service with an empty selection", "select: [temp]", "select: []",
            at: "flights.yaml:39:9, service departure_delay, selection 2",
            says: "no feature of 'weather' is selected"),
        Mistake(
            "one feature without a list", "select: [temp]", "select: temp",
            at: "flights.yaml:40:17, service departure_delay, selection 2", says: "'temp' is no list of features", hint: "write [temp]"),
        Mistake(
            "a prefix with a slash", "prefix: dest_", "prefix: dest/",
            at: "flights.yaml:42:17, service departure_delay, selection 2, prefix",
            says: "cannot be a prefix"),
        Mistake(
            "a service included twice", "include: [base]", "include: [base, base]",
            at: "flights.yaml:33:21, service departure_delay, include base",
            says: "'base' is included twice"),
        Mistake(
            "an alias", "entities: &all\n  - {name: a, join_keys: [{name: k, type: bool}]}\nviews: *all", at: "flights.yaml:3:8",
            says: "'*all' is a YAML alias"),
        Mistake("an explicit key", "views:\n  - ? name\n    : v", at: "flights.yaml:2:5", says: "'? ' starts an explicit key"),
        Mistake("an anchor", "views: &all []", at: "flights.yaml:1:8", says: "a YAML anchor is set here"),
        Mistake(
            "deep nesting", "views: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40), at: "flights.yaml:1:23",
            says: "nested deeper than 16"),
    ]

    @Test("a mistake that the file alone shows is refused with its line and column", arguments: inFile)
    func fileMistakes(mistake: Mistake) throws {
        let error = try #require(
            refusal { () throws(WhenceError) in _ = try Definitions.parse(yaml: mistake.yaml, file: "flights.yaml") })
        check(error, mistake)
    }

    static let inReferences: [Mistake] = [
        Mistake(
            "an unknown entity", "entity: plane", "entity: plne", at: "flights.yaml:23:13, view planes, entity",
            says: "there is no entity 'plne'", hint: "did you mean 'plane'? the entities are: airport, plane"),
        Mistake(
            "a feature that is a join key", "name: seats", "name: tailnum", at: "flights.yaml:25:9, view planes, feature tailnum",
            says: "'tailnum' is a join key of the entity 'plane'"),
        Mistake(
            "an event time that is a join key", "column: time_hour", "column: airport", at: "flights.yaml:12:17, view weather, event_time",
            says: "'airport' is a join key of the entity 'airport'"),
        Mistake(
            "an availability time that is a join key", "available_at: known_at", "available_at: airport",
            at: "flights.yaml:13:19, view weather, available_at", says: "'airport' is a join key of the entity 'airport'"),
        Mistake(
            "an unknown view", "view: planes", "view: plans", at: "flights.yaml:31:9, service base, selection 1",
            says: "there is no view 'plans'", hint: "did you mean 'planes'? the views are: planes, weather"),
        Mistake(
            "an unknown feature", "[humid, temp]", "[humid, tmp]",
            at: "flights.yaml:36:25, service departure_delay, selection 1, feature tmp", says: "the view 'weather' has no feature 'tmp'",
            hint: "did you mean 'temp'? the features are: humid, temp"),
        Mistake(
            "an unknown join key", "{ airport: origin }", "{ airprt: origin }",
            at: "flights.yaml:37:20, service departure_delay, selection 1, join key airprt",
            says: "the entity 'airport' has no join key 'airprt'", hint: "did you mean 'airport'?"),
        Mistake(
            "an output that is there twice", "prefix: dest_", "prefix: origin_",
            at: "flights.yaml:40:18, service departure_delay, selection 2, feature temp",
            says: "the output 'origin_temp' is there twice; the first is from service departure_delay, selection 1, feature temp"),
        Mistake(
            "an output with the name of a join column", "{ airport: dest }", "{ airport: origin_humid }",
            at: "flights.yaml:36:18, service departure_delay, selection 1, feature humid",
            says: "the output 'origin_humid' has the name of a join column"),
        Mistake(
            "an unknown include", "include: [base]", "include: [bass]", at: "flights.yaml:33:15, service departure_delay, include bass",
            says: "there is no service 'bass' to include", hint: "did you mean 'base'?"),
        Mistake(
            "a cycle of includes", "  - name: base\n", "  - name: base\n    include: [departure_delay]\n",
            at: "flights.yaml:34:15, service departure_delay, include base",
            says: "services include one another in a cycle: base -> departure_delay -> base"),
        Mistake(
            "a service that includes itself", "include: [base]", "include: [departure_delay]",
            at: "flights.yaml:33:15, service departure_delay, include departure_delay",
            says: "in a cycle: departure_delay -> departure_delay"),
    ]

    @Test("a mistake in a reference is found by the plan, with the line and column in the file", arguments: inReferences)
    func referenceMistakes(mistake: Mistake) throws {
        let definitions = try Definitions.parse(yaml: mistake.yaml, file: "flights.yaml")
        let error = try #require(refusal { () throws(WhenceError) in _ = try Catalog().plan(definitions) })
        check(error, mistake)
    }

    private func check(_ error: WhenceError, _ mistake: Mistake) {
        #expect(error.code == mistake.code)
        #expect(error.place.hasPrefix(mistake.place), "the place is \(error.place)")
        #expect(error.message.contains(mistake.says), "the message is: \(error.message)")
        #expect(error.hint.contains(mistake.hint), "the hint is: \(error.hint)")
    }

    @Test("two join keys cannot be held by one column")
    func oneColumnForTwoKeys() throws {
        let yaml = """
            entities: [{name: leg, join_keys: [{name: carrier, type: string}, {name: flight, type: string}]}]
            views: [{name: legs, entity: leg, features: [{name: f, type: bool}]}]
            services: [{name: s, features: [{view: legs, join_keys: {carrier: flight}}]}]
            """
        let error = refusal { () throws(WhenceError) in _ = try Catalog().plan(yaml) }
        #expect(error?.place == "flights.yaml:3:33, service s, selection 1")
        #expect(error?.message == "one column would hold two join keys of 'leg'")
    }

    @Test("a file may not be larger than its limit")
    func hugeFile() {
        let error = refusal { () throws(WhenceError) in
            _ = try Definitions.parse(yaml: String(repeating: "#", count: CatalogLimits.fileBytes + 1), file: "huge.yaml")
        }
        #expect(error?.code == .limitExceeded)
        #expect(error?.place == "huge.yaml")
    }

    @Test("a few lines that stand for billions of values are refused at once", .timeLimit(.minutes(1)))
    func aliasBomb() {
        var yaml = "a0: &a0 [x]\n"
        for level in 1...40 { yaml += "a\(level): &a\(level) {[*a\(level - 1), *a\(level - 1)]: x}\n" }
        let error = refusal { () throws(WhenceError) in _ = try Definitions.parse(yaml: yaml, file: "bomb.yaml") }
        #expect(error?.place == "bomb.yaml:2:11")
        #expect(error?.hint == "write the value out where it is needed")
    }

    @Test("nesting without end is refused by the parser", .timeLimit(.minutes(1)), arguments: ["[", "{a: ", "- ", "? ", "!!seq [", "{? "])
    func bottomless(opening: String) {
        let error = refusal { () throws(WhenceError) in
            _ = try Definitions.parse(yaml: String(repeating: opening, count: 100_000), file: "deep.yaml")
        }
        #expect(error?.code == .invalidDefinition)
    }

    @Test("nesting that the parser lets pass is still too deep", .timeLimit(.minutes(1)))
    func deep() {
        let yaml = "views: " + String(repeating: "[", count: 990) + String(repeating: "]", count: 990)
        let error = refusal { () throws(WhenceError) in _ = try Definitions.parse(yaml: yaml, file: "deep.yaml") }
        #expect(error?.message == "lists and maps are nested deeper than 16")
    }

    @Test(
        "bytes that are no text of definitions are refused",
        arguments: ["\u{0}", "views: \u{1}", "%YAML 9.9\n---\nviews: []", "views: !!binary x"])
    func oddText(yaml: String) {
        #expect(refusal { () throws(WhenceError) in _ = try Definitions.parse(yaml: yaml, file: "odd.yaml") }?.code == .invalidDefinition)
    }

    @Test("a definition that could not be read back is not written: every part has its limit")
    func limits() {
        let long = String(repeating: "x", count: CatalogLimits.descriptionBytes)
        func error(_ view: FeatureView) -> WhenceError? {
            refusal { () throws(WhenceError) in _ = try Catalog().plan(Definitions(views: [view])) }
        }
        let feature = Feature(name: "f", type: .bool)
        #expect(
            error(FeatureView(name: "v", entity: "e", features: [feature], description: long + "x"))?.message
                == "4097 bytes of description are more than the limit of 4096")
        let tags = Dictionary(uniqueKeysWithValues: (0...CatalogLimits.tags).map { ("t\($0)", "") })
        #expect(
            error(FeatureView(name: "v", entity: "e", features: [feature], tags: tags))?.message == "65 tags are more than the limit of 64")
        let many = (0..<Limits.featuresPerView).map { Feature(name: "f\($0)", type: .bool, description: long) }
        let huge = error(FeatureView(name: "v", entity: "e", features: many))
        #expect(huge?.code == .limitExceeded)
        #expect(huge?.message.contains("bytes of definition are more than the limit of 8388608") == true)
        #expect(
            error(FeatureView(name: "v", entity: "e", features: many + [feature]))?.message == "a view has 1 to 4096 features, not 4097")
    }

    @Test("definitions that a program states are checked like those of a file")
    func fromProgram() {
        let view = FeatureView(name: "v", entity: "e", features: [Feature(name: "event_time", type: .bool)])
        let error = refusal { () throws(WhenceError) in _ = try Catalog().plan(Definitions(views: [view])) }
        #expect(error?.place == "view v, feature event_time")
        let slow = FeatureView(name: "v", entity: "e", features: [Feature(name: "f", type: .bool)], availabilityDelay: .seconds(-1))
        #expect(
            refusal { () throws(WhenceError) in _ = try Catalog().plan(Definitions(views: [slow])) }?.place == "view v, availability_delay")
        let twice = Definitions(views: [view, view])
        #expect(refusal { () throws(WhenceError) in _ = try Catalog().plan(twice) } != nil)
    }
}
