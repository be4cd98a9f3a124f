import WhenceCore

/// Collects the lines of a difference between two versions of a definition.
struct DefinitionDifference {
    private(set) var lines: [CatalogChange.Line] = []

    mutating func add(_ text: String) { lines.append(CatalogChange.Line(symbol: "+", text: text)) }
    mutating func remove(_ text: String) { lines.append(CatalogChange.Line(symbol: "-", text: text)) }
    mutating func change(_ text: String) { lines.append(CatalogChange.Line(symbol: "~", text: text)) }

    /// A line for `what` when it differs; `note` says what follows from that.
    mutating func compare(_ what: String, _ old: String?, _ new: String?, note: String = "") {
        let note = note.isEmpty ? "" : " (\(note))"
        switch (old, new) {
        case (nil, nil): break
        case (nil, let new?): add("\(what): \(new)\(note)")
        case (let old?, nil): remove("\(what): \(old)\(note)")
        case (let old?, let new?):
            // To the byte: content hashes tell apart what Unicode counts as equal.
            if !old.utf8.elementsEqual(new.utf8) { change("\(what): \(old) -> \(new)\(note)") }
        }
    }

    mutating func compare(descriptions old: String, _ new: String, owners oldOwner: String, _ newOwner: String) {
        compare("description", old.quoted, new.quoted)
        compare("owner", oldOwner.quoted, newOwner.quoted)
    }

    mutating func compare(tags old: [String: String], _ new: [String: String], of what: String = "") {
        for key in Set(old.keys).union(new.keys).sorted() { compare("\(what)tag \(key)", old[key], new[key]) }
    }

    /// The lines of everything that a definition says besides its name.
    static func ofNew(_ definition: Definition) -> [CatalogChange.Line] {
        var difference = DefinitionDifference()
        switch definition {
        case .entity(let entity):
            for key in entity.joinKeys { difference.add("join key \(key.name): \(key.type.rawValue)") }
            difference.compare(descriptions: "", entity.description, owners: "", entity.owner)
            difference.compare(tags: [:], entity.tags)
        case .view(let view):
            difference.compare("entity", nil, view.entity)
            for feature in view.features { difference.add("feature \(feature.name): \(feature.type.name)") }
            difference.compareSettings(nil, view)
        case .service(let service):
            difference.compare(nil, service)
        }
        return difference.lines
    }

    /// Compares what a view says besides its entity and the names and types of its features.
    mutating func compareSettings(_ old: FeatureView?, _ new: FeatureView) {
        compare("event_time", old?.eventTime.text, new.eventTime.text, note: old == nil ? "" : "for what is ingested from now on")
        compare(
            "available_at", old?.availabilityTime?.text, new.availabilityTime?.text,
            note: old == nil ? "" : "for what is ingested from now on")
        compare(
            "availability_delay", old?.availabilityDelay.shown, new.availabilityDelay.shown,
            note: old == nil ? "" : "for backfills from now on")
        compare("ttl", old?.ttl?.text, new.ttl?.text, note: old == nil ? "" : "reads change at once, of old rows too")
        var note = ""
        if let old, let kept = new.retention {
            note =
                kept < old.retention ?? .microseconds(Int64.max)
                ? "shorter: 'whence admin retain' will remove history" : "what is gone does not come back"
        }
        compare("retention", old?.retention?.text, new.retention?.text, note: note)
        compare(descriptions: old?.description ?? "", new.description, owners: old?.owner ?? "", new.owner)
        compare(tags: old?.tags ?? [:], new.tags)
        let features = Dictionary((old?.features ?? []).map { ($0.name, $0) }) { first, _ in first }
        for feature in new.features {
            let before = features[feature.name]
            compare("feature \(feature.name) description", before?.description.quoted, feature.description.quoted)
            compare(tags: before?.tags ?? [:], feature.tags, of: "feature \(feature.name) ")
        }
    }

    mutating func compare(_ old: FeatureService?, _ new: FeatureService) {
        let oldIncludes = old?.includes ?? []
        for name in oldIncludes where !new.includes.contains(name) { remove("include \(name)") }
        for name in new.includes where !oldIncludes.contains(name) { add("include \(name)") }
        let kept = oldIncludes.filter(new.includes.contains)
        if kept != new.includes.filter(oldIncludes.contains) { change("order of includes: \(new.includes.joined(separator: ", "))") }
        let oldSelections = (old?.selections ?? []).map(\.text)
        let selections = new.selections.map(\.text)
        for text in oldSelections where !selections.contains(text) { remove(text) }
        for text in selections where !oldSelections.contains(text) { add(text) }
        if let old, old.selections != new.selections, Set(oldSelections) == Set(selections) { change("order of selections") }
        compare(descriptions: old?.description ?? "", new.description, owners: old?.owner ?? "", new.owner)
        compare(tags: old?.tags ?? [:], new.tags)
    }
}

extension String {
    /// In quotes and on one line, clipped to what a difference can show; nil when empty.
    fileprivate var quoted: String? {
        guard !isEmpty else { return nil }
        let line = map { $0.isNewline ? " " : $0 }
        return "\"" + String(line.prefix(60)) + (line.count > 60 ? "…" : "") + "\""
    }
}

extension Duration {
    /// The text of a delay; nil when there is none.
    fileprivate var shown: String? { self == .zero ? nil : text }
}

extension TimeColumn {
    /// `time_hour` or `time_hour in America/New_York`.
    fileprivate var text: String { column + (zone.map { " in \($0)" } ?? "") }
}

extension FeatureSelection {
    /// The selection on one line: `weather: temp, humid (airport = origin) as origin_*`.
    fileprivate var text: String {
        var text = "features of \(view): \(features?.joined(separator: ", ") ?? "all")"
        if !joinColumns.isEmpty {
            text += " (" + joinColumns.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }.joined(separator: ", ") + ")"
        }
        if let prefix { text += " as \(prefix)*" }
        return text
    }
}
