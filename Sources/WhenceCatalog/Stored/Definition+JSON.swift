import Crypto
import WhenceCore

/// The stored form of definitions (`Formats/catalog.md`). What is empty or absent is left out, so that a member which a
/// later format version adds does not change the hash of a definition that does not use it.
extension Definition {
    /// SHA-256 over the canonical JSON, in lower-case hexadecimal: equal for equal definitions, and for no others.
    var contentHash: String {
        SHA256.hash(data: json.canonical).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    var json: JSONValue {
        var members = JSONMembers()
        members.put("name", name)
        switch self {
        case .entity(let entity):
            members.put("join_keys", entity.joinKeys.map { ["name": .string($0.name), "type": .string($0.type.rawValue)] })
            members.put(description: entity.description, owner: entity.owner, tags: entity.tags)
        case .view(let view):
            members.put("entity", view.entity)
            members.put("event_time", json(view.eventTime))
            if let column = view.availabilityTime { members.put("available_at", json(column)) }
            if view.availabilityDelay != .zero { members.put("availability_delay_us", view.availabilityDelay.microseconds) }
            if let ttl = view.ttl { members.put("ttl_us", ttl.microseconds) }
            if let retention = view.retention { members.put("retention_us", retention.microseconds) }
            members.put("features", view.features.map(json))
            members.put(description: view.description, owner: view.owner, tags: view.tags)
        case .service(let service):
            if !service.includes.isEmpty { members.put("include", .array(service.includes.map(JSONValue.string))) }
            if !service.selections.isEmpty { members.put("features", service.selections.map(json)) }
            members.put(description: service.description, owner: service.owner, tags: service.tags)
        }
        return members.object
    }

    private func json(_ time: TimeColumn) -> JSONValue {
        var members = JSONMembers()
        members.put("column", time.column)
        if let zone = time.zone { members.put("zone", zone) }
        return members.object
    }

    private func json(_ feature: Feature) -> [String: JSONValue] {
        var members = JSONMembers()
        members.put("name", feature.name)
        members.put("type", feature.type.name)
        members.put(description: feature.description, owner: "", tags: feature.tags)
        return members.members
    }

    private func json(_ selection: FeatureSelection) -> [String: JSONValue] {
        var members = JSONMembers()
        members.put("view", selection.view)
        if let features = selection.features { members.put("select", .array(features.map(JSONValue.string))) }
        if !selection.joinColumns.isEmpty { members.put("join_keys", .object(selection.joinColumns.mapValues(JSONValue.string))) }
        if let prefix = selection.prefix { members.put("prefix", prefix) }
        return members.members
    }

    /// Reads the stored form. Throws `corruption` when `value` is none.
    init(kind: DefinitionKind, json value: JSONValue) throws(WhenceError) {
        var object = try JSONObject(value, "the definition")
        let name = try object.text("name")
        let description = try object.optionalText("description") ?? ""
        let owner = try object.optionalText("owner") ?? ""
        let tags = try object.texts("tags")
        switch kind {
        case .entity:
            var keys: [JoinKey] = []
            for element in try object.optionalArray("join_keys") ?? [] { keys.append(try Definition.joinKey(element)) }
            guard !keys.isEmpty, keys.count <= Limits.joinKeys else { throw object.refuse("it has \(keys.count) join keys") }
            self = .entity(Entity(name: name, joinKeys: keys, description: description, owner: owner, tags: tags))
        case .view:
            var features: [Feature] = []
            for element in try object.optionalArray("features") ?? [] { features.append(try Definition.feature(element)) }
            guard let eventTime = try Definition.timeColumn(object.takeOptional("event_time")) else {
                throw object.refuse("'event_time' is missing")
            }
            self = .view(
                FeatureView(
                    name: name, entity: try object.text("entity"), features: features, eventTime: eventTime,
                    availabilityTime: try Definition.timeColumn(object.takeOptional("available_at")),
                    availabilityDelay: .microseconds(try object.optionalInteger("availability_delay_us") ?? 0),
                    ttl: try object.optionalInteger("ttl_us").map { .microseconds($0) },
                    retention: try object.optionalInteger("retention_us").map { .microseconds($0) }, owner: owner,
                    description: description, tags: tags))
        case .service:
            var selections: [FeatureSelection] = []
            for element in try object.optionalArray("features") ?? [] { selections.append(try Definition.selection(element)) }
            let includes = try object.optionalArray("include") ?? []
            self = .service(
                FeatureService(
                    name: name, includes: try Definition.texts(includes, object), selections: selections, description: description,
                    owner: owner, tags: tags))
        }
        try object.end()
        guard DefinitionName.isValid(name) else { throw object.refuse("its name is none") }
    }

    private static func joinKey(_ value: JSONValue) throws(WhenceError) -> JoinKey {
        var object = try JSONObject(value, "a join key")
        let name = try object.text("name")
        guard let type = KeyType(rawValue: try object.text("type")) else { throw object.refuse("its type is unknown") }
        try object.end()
        return JoinKey(name: name, type: type)
    }

    private static func feature(_ value: JSONValue) throws(WhenceError) -> Feature {
        var object = try JSONObject(value, "a feature")
        let feature = Feature(
            name: try object.text("name"), type: try object.featureType("type"),
            description: try object.optionalText("description") ?? "", tags: try object.texts("tags"))
        try object.end()
        return feature
    }

    private static func timeColumn(_ value: JSONValue?) throws(WhenceError) -> TimeColumn? {
        guard let value else { return nil }
        var object = try JSONObject(value, "a time column")
        let column = TimeColumn(column: try object.text("column"), zone: try object.optionalText("zone"))
        try object.end()
        return column
    }

    private static func selection(_ value: JSONValue) throws(WhenceError) -> FeatureSelection {
        var object = try JSONObject(value, "a selection")
        var selection = FeatureSelection(view: try object.text("view"))
        if let features = try object.optionalArray("select") { selection.features = try texts(features, object) }
        selection.joinColumns = try object.texts("join_keys")
        selection.prefix = try object.optionalText("prefix")
        try object.end()
        return selection
    }

    private static func texts(_ elements: [JSONValue], _ object: JSONObject) throws(WhenceError) -> [String] {
        var texts: [String] = []
        for element in elements {
            guard case .string(let text) = element else { throw object.refuse("a list of names holds what is no string") }
            texts.append(text)
        }
        return texts
    }
}
