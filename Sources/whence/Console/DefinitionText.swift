import WhenceCatalog
import WhenceCore
import WhenceServer

/// A definition as the YAML that defines it (`Formats/definitions.md`).
enum DefinitionText {
    static func yaml(_ definition: Definition) -> String {
        switch definition {
        case .entity(let entity): yaml(entity)
        case .view(let view): yaml(view)
        case .service(let service): yaml(service)
        }
    }

    private static func yaml(_ entity: Entity) -> String {
        "entities:\n  - name: \(entity.name)\n" + about(entity.description, entity.owner, entity.tags) + "    join_keys:\n"
            + entity.joinKeys.map { "      - { name: \($0.name), type: \($0.type.rawValue) }\n" }.joined()
    }

    private static func yaml(_ view: FeatureView) -> String {
        var text = "views:\n  - name: \(view.name)\n    entity: \(view.entity)\n"
        text += about(view.description, view.owner, view.tags)
        text += "    event_time: \(time(view.eventTime))\n"
        if let column = view.availabilityTime { text += "    available_at: \(time(column))\n" }
        if view.availabilityDelay != .zero { text += "    availability_delay: \(view.availabilityDelay.text)\n" }
        if let ttl = view.ttl { text += "    ttl: \(ttl.text)\n" }
        if let retention = view.retention { text += "    retention: \(retention.text)\n" }
        text += "    features:\n"
        for feature in view.features {
            text += "      - { name: \(feature.name), type: \(feature.type.name)"
            if !feature.description.isEmpty { text += ", description: \(quoted(feature.description))" }
            if !feature.tags.isEmpty { text += ", tags: \(map(feature.tags))" }
            text += " }\n"
        }
        return text
    }

    private static func yaml(_ service: FeatureService) -> String {
        var text = "services:\n  - name: \(service.name)\n" + about(service.description, service.owner, service.tags)
        if !service.includes.isEmpty { text += "    include: [\(service.includes.joined(separator: ", "))]\n" }
        if !service.selections.isEmpty { text += "    features:\n" }
        for selection in service.selections {
            text += "      - view: \(selection.view)\n"
            if let features = selection.features { text += "        select: [\(features.joined(separator: ", "))]\n" }
            if !selection.joinColumns.isEmpty { text += "        join_keys: \(map(selection.joinColumns))\n" }
            if let prefix = selection.prefix { text += "        prefix: \(quoted(prefix))\n" }
        }
        return text
    }

    private static func about(_ description: String, _ owner: String, _ tags: [String: String]) -> String {
        var text = ""
        if !description.isEmpty { text += "    description: \(quoted(description))\n" }
        if !owner.isEmpty { text += "    owner: \(quoted(owner))\n" }
        if !tags.isEmpty { text += "    tags: \(map(tags))\n" }
        return text
    }

    private static func time(_ column: TimeColumn) -> String {
        guard let zone = column.zone else { return quoted(column.column) }
        return "{ column: \(quoted(column.column)), zone: \(zone) }"
    }

    private static func map(_ pairs: [String: String]) -> String {
        "{ " + pairs.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \(quoted($0.value))" }.joined(separator: ", ") + " }"
    }

    /// As it is where that cannot mean anything else, and in double quotes where it could; JSON's escapes are YAML's.
    private static func quoted(_ text: String) -> String {
        let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"]
        let isPlain =
            text.first?.isLetter == true && !words.contains(text.lowercased())
            && text.utf8.allSatisfy { $0 == 0x5F || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) }
        return isPlain ? text : JSON.string(text).text
    }
}
