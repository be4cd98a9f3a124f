import Foundation
import WhenceCore

/// What can be said of each definition by itself; references between definitions are checked by the plan.
extension Definitions {
    /// Throws `invalidDefinition` or `limitExceeded`, with its place, for the first thing that is wrong.
    func check() throws(WhenceError) {
        var seen: Set<DefinitionPath> = []
        for definition in all {
            let path = DefinitionPath(definition.kind, definition.name)
            try check(name: definition.name, what: definition.kind.rawValue, path)
            if !seen.insert(path).inserted { throw duplicate(path, at: place(path)) }
            switch definition {
            case .entity(let entity): try check(entity, path)
            case .view(let view): try check(view, path)
            case .service(let service): try check(service, path)
            }
            try check(count: definition.json.canonical.count, atMost: CatalogLimits.definitionBytes, "bytes of definition", path)
        }
    }

    private func check(_ entity: Entity, _ path: DefinitionPath) throws(WhenceError) {
        guard !entity.joinKeys.isEmpty, entity.joinKeys.count <= Limits.joinKeys else {
            throw refuse(path, "an entity has 1 to \(Limits.joinKeys) join keys, not \(entity.joinKeys.count)")
        }
        var names: Set<String> = []
        for key in entity.joinKeys {
            let keyPath = path.appending("join key \(key.name)")
            try check(name: key.name, what: "join key", keyPath)
            try checkReserved(key.name, keyPath)
            if !names.insert(key.name).inserted { throw refuse(keyPath, "the join key '\(key.name)' is listed twice", hint: "keep one") }
        }
        try check(description: entity.description, owner: entity.owner, tags: entity.tags, path)
    }

    private func check(_ view: FeatureView, _ path: DefinitionPath) throws(WhenceError) {
        try check(name: view.entity, what: "entity", path.appending("entity"))
        guard !view.features.isEmpty, view.features.count <= Limits.featuresPerView else {
            throw refuse(path, "a view has 1 to \(Limits.featuresPerView) features, not \(view.features.count)")
        }
        try check(view.eventTime, path.appending("event_time"))
        if let column = view.availabilityTime {
            try check(column, path.appending("available_at"))
            if column.column == view.eventTime.column {
                throw refuse(
                    path.appending("available_at"), "the column '\(column.column)' states the event time already",
                    hint: "leave available_at out; give availability_delay when the delay is always the same")
            }
        }
        let positive = "must be longer than 0"
        if view.availabilityDelay < .zero { throw refuse(path.appending("availability_delay"), "a delay cannot be negative") }
        if let ttl = view.ttl, ttl.microseconds <= 0 { throw refuse(path.appending("ttl"), "a TTL \(positive)") }
        if let kept = view.retention, kept.microseconds <= 0 { throw refuse(path.appending("retention"), "a retention \(positive)") }
        var names: Set<String> = []
        for feature in view.features {
            let featurePath = path.appending("feature \(feature.name)")
            try check(name: feature.name, what: "feature", featurePath)
            if !names.insert(feature.name).inserted {
                throw refuse(featurePath, "the feature '\(feature.name)' is listed twice", hint: "keep one, or give one another name")
            }
            if feature.name == view.availabilityTime?.column {
                throw refuse(
                    path.appending("available_at"), "the column '\(feature.name)' is a feature of the view",
                    hint: "the availability time is kept with every row; give the feature another name, or take another column")
            }
            if feature.name == view.eventTime.column {
                throw refuse(
                    featurePath, "'\(feature.name)' is the view's event time column, and cannot be a feature too",
                    hint: "the event time is kept with every row; use another name for a feature with the same values")
            }
            try checkReserved(feature.name, featurePath)
            try check(description: feature.description, owner: "", tags: feature.tags, featurePath)
        }
        try check(description: view.description, owner: view.owner, tags: view.tags, path)
    }

    private func check(_ service: FeatureService, _ path: DefinitionPath) throws(WhenceError) {
        guard !service.selections.isEmpty || !service.includes.isEmpty else {
            throw refuse(path, "the service reads nothing", hint: "list views under 'features', or services under 'include'")
        }
        try check(count: service.includes.count, atMost: CatalogLimits.includes, "included services", path)
        try check(count: service.selections.count, atMost: CatalogLimits.selectionsPerService, "selections", path)
        var included: Set<String> = []
        for name in service.includes {
            let includePath = path.appending("include \(name)")
            try check(name: name, what: "service", includePath)
            if !included.insert(name).inserted { throw refuse(includePath, "'\(name)' is included twice", hint: "include it once") }
        }
        for (index, selection) in service.selections.enumerated() {
            try check(selection, path.appending("selection \(index + 1)"))
        }
        try check(description: service.description, owner: service.owner, tags: service.tags, path)
    }

    private func check(_ selection: FeatureSelection, _ path: DefinitionPath) throws(WhenceError) {
        try check(name: selection.view, what: "view", path)
        if let features = selection.features {
            guard !features.isEmpty else {
                throw refuse(path, "no feature of '\(selection.view)' is selected", hint: "list some, or leave 'select' out for all")
            }
            try check(count: features.count, atMost: CatalogLimits.featuresPerService, "selected features", path)
            for feature in features { try check(name: feature, what: "feature", path.appending("feature \(feature)")) }
        }
        for (key, column) in selection.joinColumns.sorted(by: { $0.key < $1.key }) {
            let keyPath = path.appending("join key \(key)")
            try check(name: key, what: "join key", keyPath)
            try check(column: column, keyPath)
        }
        if let prefix = selection.prefix {
            guard prefix.utf8.count <= Limits.nameBytes, prefix.utf8.allSatisfy({ DefinitionName.isLetterOrDigit($0) || $0 == 0x2E }) else {
                throw refuse(
                    path.appending("prefix"), "'\(clipped(prefix))' cannot be a prefix",
                    hint: "a prefix has letters, digits, '_' and '.', at most \(Limits.nameBytes) of them, or is empty")
            }
        }
    }

    private func check(_ time: TimeColumn, _ path: DefinitionPath) throws(WhenceError) {
        try check(column: time.column, path)
        guard let zone = time.zone, TimeZone(identifier: zone) == nil else { return }
        let nearest = NearestName.of(zone, among: TimeZone.knownTimeZoneIdentifiers).map { "did you mean '\($0)'? " } ?? ""
        throw refuse(
            path, "there is no time zone '\(clipped(zone))'", hint: nearest + "use an IANA name such as America/New_York, or UTC")
    }

    private func check(column: String, _ path: DefinitionPath) throws(WhenceError) {
        guard !column.isEmpty, column.utf8.count <= CatalogLimits.textBytes else {
            throw refuse(path, "a column name has 1 to \(CatalogLimits.textBytes) bytes")
        }
    }

    private func check(name: String, what: String, _ path: DefinitionPath) throws(WhenceError) {
        guard !DefinitionName.isValid(name) else { return }
        throw refuse(
            path, "'\(clipped(name))' cannot be the name of \(what == "entity" ? "an" : "a") \(what)",
            hint: "a name has letters, digits and '_', does not start with a digit, and has at most \(Limits.nameBytes) bytes")
    }

    /// Refuses the names of columns that Whence itself writes beside features and join keys.
    private func checkReserved(_ name: String, _ path: DefinitionPath) throws(WhenceError) {
        if name.hasPrefix("_") { throw refuse(path, "names that start with '_' are reserved", hint: "use another name") }
        if name == DefinitionName.eventTimeColumn {
            throw refuse(path, "'\(name)' is the column of event times in tables that are written", hint: "use another name")
        }
    }

    private func check(description: String, owner: String, tags: [String: String], _ path: DefinitionPath) throws(WhenceError) {
        try check(count: description.utf8.count, atMost: CatalogLimits.descriptionBytes, "bytes of description", path)
        try check(count: owner.utf8.count, atMost: CatalogLimits.textBytes, "bytes of owner", path)
        try check(count: tags.count, atMost: CatalogLimits.tags, "tags", path)
        for (key, value) in tags.sorted(by: { $0.key < $1.key }) {
            if key.isEmpty { throw refuse(path.appending("tags"), "a tag has an empty name") }
            try check(count: key.utf8.count, atMost: Limits.nameBytes, "bytes in the name of a tag", path)
            try check(count: value.utf8.count, atMost: CatalogLimits.textBytes, "bytes in tag '\(key)'", path)
        }
    }

    private func check(count: Int, atMost limit: Int, _ what: String, _ path: DefinitionPath) throws(WhenceError) {
        if count > limit { throw WhenceError(.limitExceeded, "\(count) \(what) are more than the limit of \(limit)", place: place(path)) }
    }

    private func refuse(_ path: DefinitionPath, _ message: String, hint: String = "") -> WhenceError {
        WhenceError(.invalidDefinition, message, place: place(path), hint: hint)
    }

    private func clipped(_ text: String) -> String { text.count > 80 ? text.prefix(80) + "…" : text }
}
