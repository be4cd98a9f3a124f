import WhenceCore
import Yams

/// Turns YAML into definitions (`Formats/definitions.md`), remembering where each part is stated.
struct DefinitionReader {
    let file: String
    private(set) var definitions = Definitions()

    init(file: String) { self.file = file }

    private static let common = ["description", "owner", "tags"]

    /// Reads every document in `yaml`.
    mutating func read(_ yaml: String) throws(WhenceError) {
        guard yaml.utf8.count <= CatalogLimits.fileBytes else {
            throw WhenceError(
                .limitExceeded, "a file of definitions has at most \(CatalogLimits.fileBytes) bytes, not \(yaml.utf8.count)", place: file,
                hint: "split it; several files can be given at once")
        }
        try YAMLScreening.screen(yaml, file: file)
        let roots: [Node]
        let parser: Parser
        do {
            parser = try Parser(yaml: yaml, resolver: .basic, encoding: .utf8)
            var found: [Node] = []
            while let root = try parser.nextRoot() { found.append(root) }
            roots = found
        } catch {
            throw refusal(of: error)
        }
        // The parser owns the anchors of its nodes, and must outlive the search for them.
        for root in roots { try withExtendedLifetime(parser) { () throws(WhenceError) in try read(document: root) } }
    }

    private mutating func read(document root: Node) throws(WhenceError) {
        let document = YAMLValue(node: root, file: file, context: "")
        try document.checkShape()
        if document.isNull { return }
        let lists = try document.map("a file of definitions", known: ["entities", "views", "services"])
        for value in try elements(lists["entities"], "entities") { try readEntity(value) }
        for value in try elements(lists["views"], "views") { try readView(value) }
        for value in try elements(lists["services"], "services") { try readService(value) }
    }

    private func elements(_ value: YAMLValue?, _ what: String) throws(WhenceError) -> [YAMLValue] {
        guard let value, !value.isNull else { return [] }
        return try value.list("'\(what)'")
    }

    private mutating func readEntity(_ value: YAMLValue) throws(WhenceError) {
        let (path, members) = try open(value, .entity, known: ["name", "join_keys"] + Self.common)
        var keys: [JoinKey] = []
        for element in try required("join_keys", in: members, of: value, path).list("'join_keys'") {
            let parts = try element.map("a join key", known: ["name", "type"])
            let name = try required("name", in: parts, of: element, path).text("'name'")
            let keyPath = path.appending("join key \(name)")
            note(keyPath, element)
            var stated = try required("type", in: parts, of: element, keyPath)
            stated.context = keyPath.text
            let text = try stated.text("'type'")
            guard let type = KeyType(rawValue: text) else {
                throw stated.refuse(
                    "'\(text)' is not the type of a join key",
                    hint: "the types are \(KeyType.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            keys.append(JoinKey(name: name, type: type))
        }
        definitions.entities.append(
            Entity(
                name: path.name, joinKeys: keys, description: try text("description", in: members), owner: try text("owner", in: members),
                tags: try tags(in: members)))
    }

    private mutating func readView(_ value: YAMLValue) throws(WhenceError) {
        let known = ["name", "entity", "event_time", "available_at", "availability_delay", "ttl", "retention", "features"]
        let (path, members) = try open(value, .view, known: known + Self.common)
        let entity = try required("entity", in: members, of: value, path)
        note(path.appending("entity"), entity)
        var features: [Feature] = []
        for element in try required("features", in: members, of: value, path).list("'features'") {
            let parts = try element.map("a feature", known: ["name", "type", "description", "tags"])
            let name = try required("name", in: parts, of: element, path).text("'name'")
            let featurePath = path.appending("feature \(name)")
            note(featurePath, element)
            var stated = try required("type", in: parts, of: element, featurePath)
            stated.context = featurePath.text
            let type = try located(stated, "'type'") { text throws(WhenceError) in try FeatureType(named: text) }
            features.append(
                Feature(name: name, type: type, description: try text("description", in: parts), tags: try tags(in: parts)))
        }
        definitions.views.append(
            FeatureView(
                name: path.name, entity: try entity.text("'entity'"), features: features,
                eventTime: try timeColumn("event_time", in: members, path) ?? TimeColumn(column: DefinitionName.eventTimeColumn),
                availabilityTime: try timeColumn("available_at", in: members, path),
                availabilityDelay: try duration("availability_delay", in: members, path) ?? .zero,
                ttl: try duration("ttl", in: members, path), retention: try duration("retention", in: members, path),
                owner: try text("owner", in: members), description: try text("description", in: members), tags: try tags(in: members)))
    }

    private mutating func readService(_ value: YAMLValue) throws(WhenceError) {
        let (path, members) = try open(value, .service, known: ["name", "include", "features"] + Self.common)
        var includes: [String] = []
        for element in try elements(members["include"], "include") {
            let name = try element.text("an element of 'include'")
            note(path.appending("include \(name)"), element)
            includes.append(name)
        }
        var selections: [FeatureSelection] = []
        for element in try elements(members["features"], "features") {
            let selectionPath = path.appending("selection \(selections.count + 1)")
            note(selectionPath, element)
            var located = element
            located.context = selectionPath.text
            selections.append(try selection(located, selectionPath))
        }
        definitions.services.append(
            FeatureService(
                name: path.name, includes: includes, selections: selections, description: try text("description", in: members),
                owner: try text("owner", in: members), tags: try tags(in: members)))
    }

    private mutating func selection(_ value: YAMLValue, _ path: DefinitionPath) throws(WhenceError) -> FeatureSelection {
        let parts = try value.map("a selection", known: ["view", "select", "join_keys", "prefix"])
        var selection = FeatureSelection(view: try required("view", in: parts, of: value, path).text("'view'"))
        if let select = parts["select"], !select.isNull {
            if case .scalar(let scalar) = select.node {
                guard scalar.string == "*" else {
                    throw select.refuse(
                        "'\(scalar.string)' is no list of features", hint: "write [\(scalar.string)], or \"*\" for all features")
                }
            } else {
                var features: [String] = []
                for element in try select.list("'select'") {
                    let name = try element.text("an element of 'select'")
                    note(path.appending("feature \(name)"), element)
                    features.append(name)
                }
                selection.features = features
            }
        }
        if let keys = parts["join_keys"], !keys.isNull {
            selection.joinColumns = try keys.texts("'join_keys'")
            for key in selection.joinColumns.keys { note(path.appending("join key \(key)"), keys) }
        }
        if let prefix = parts["prefix"] {
            note(path.appending("prefix"), prefix)
            // A prefix of nothing, written "", is meant; one left blank is a slip.
            selection.prefix = try prefix.text("'prefix'")
        }
        return selection
    }

    /// Reads the name of a definition and its members, and notes where it is.
    private mutating func open(
        _ value: YAMLValue, _ kind: DefinitionKind, known: [String]
    ) throws(WhenceError) -> (path: DefinitionPath, members: [String: YAMLValue]) {
        // The name is looked up first, so that a mistake in another key can say whose it is.
        var located = value
        if case .mapping(let mapping) = value.node,
            let name = mapping.first(where: { $0.key.scalar?.string == "name" })?.value.scalar?.string, DefinitionName.isValid(name)
        {
            located.context = "\(kind) \(name)"
        }
        let members = try located.map("\(kind == .entity ? "an" : "a") \(kind)", known: known)
        guard let stated = members["name"] else { throw located.refuse("the key 'name' is missing", hint: "every \(kind) has a name") }
        let path = DefinitionPath(kind, try stated.text("'name'"))
        if definitions.places[path] != nil { throw definitions.duplicate(path, at: "\(value.position), \(path.text)") }
        note(path, value)
        return (path, members)
    }

    private mutating func note(_ path: DefinitionPath, _ value: YAMLValue) { definitions.places[path] = value.position }

    private func required(
        _ key: String, in members: [String: YAMLValue], of value: YAMLValue, _ path: DefinitionPath
    ) throws(WhenceError) -> YAMLValue {
        guard let found = members[key] else {
            var located = value
            located.context = path.text
            throw located.refuse("the key '\(key)' is missing", hint: "add '\(key): …'")
        }
        return found
    }

    private func text(_ key: String, in members: [String: YAMLValue]) throws(WhenceError) -> String {
        guard let value = members[key], !value.isNull else { return "" }
        return try value.text("'\(key)'")
    }

    private func tags(in members: [String: YAMLValue]) throws(WhenceError) -> [String: String] {
        guard let value = members["tags"], !value.isNull else { return [:] }
        return try value.texts("'tags'")
    }

    private mutating func duration(
        _ key: String, in members: [String: YAMLValue], _ path: DefinitionPath
    ) throws(WhenceError) -> Duration? {
        guard var value = members[key], !value.isNull else { return nil }
        note(path.appending(key), value)
        value.context = path.appending(key).text
        return try located(value, "'\(key)'") { text throws(WhenceError) in text == "0" ? .zero : try Duration(parsing: text) }
    }

    private mutating func timeColumn(
        _ key: String, in members: [String: YAMLValue], _ path: DefinitionPath
    ) throws(WhenceError) -> TimeColumn? {
        guard var value = members[key], !value.isNull else { return nil }
        let timePath = path.appending(key)
        note(timePath, value)
        value.context = timePath.text
        guard case .mapping = value.node else { return TimeColumn(column: try value.text("'\(key)'")) }
        let parts = try value.map("'\(key)'", known: ["column", "zone"])
        let column = try required("column", in: parts, of: value, timePath).text("'column'")
        return TimeColumn(column: column, zone: try parts["zone"]?.text("'zone'"))
    }

    /// Reads text with `read`, and gives its error the place of the text.
    private func located<Result>(
        _ value: YAMLValue, _ what: String, _ read: (String) throws(WhenceError) -> Result
    ) throws(WhenceError) -> Result {
        let text = try value.text(what)
        do {
            return try read(text)
        } catch {
            throw value.refuse(error.message, hint: error.hint)
        }
    }

    /// What the YAML parser found wrong, in our words where that helps.
    private func refusal(of error: any Error) -> WhenceError {
        func refuse(_ message: String, _ mark: Mark?, hint: String = "") -> WhenceError {
            WhenceError(.invalidDefinition, message, place: mark.map { "\(file):\($0.line):\($0.column)" } ?? file, hint: hint)
        }
        switch error as? YamlError {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let before = context.map { "\($0.text), started at line \($0.mark.line): " } ?? ""
            return refuse(
                "this is not YAML: \(before)\(problem)", mark, hint: "check the indentation, and quote text with ': ' or '#' in it")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return refuse("the key '\(duplicates.first ?? "")' is given twice in one map", context.mark, hint: "keep one of them")
        case .reader(let problem, let offset, _, _):
            return refuse("this is not YAML: \(problem)\(offset.map { " at byte \($0)" } ?? "")", nil, hint: "a file is UTF-8 text")
        default:
            return refuse("this is not YAML: \(error)", nil)
        }
    }
}
