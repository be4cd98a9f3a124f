import WhenceCatalog
import WhenceCore

/// The meaning of a read (design, section 3), written down as plainly as possible: all versions in a list, and every read
/// looks at all of them. It shares nothing with the engine.
struct NaiveModel {
    /// A feature of a view. One that is retired and added again under its name is another feature.
    struct Feature: Equatable {
        let id: Int
        let name: String
        var type: FeatureType
    }

    struct Version {
        /// Place of the entity in its kind's pool.
        let entity: Int
        let eventTime: Timestamp
        /// What orders versions of one event time: the commit time; for a backfill when it began.
        let order: Timestamp
        /// Orders what one commit has for one entity and event time: what lies beneath a row comes before it.
        let part: Int
        /// From when on it is known; nil while its backfill is under way.
        var knownFrom: Timestamp?
        let availability: Timestamp
        let kind: VersionKind
        /// What it carries, by feature id.
        let values: [Int: Value]
        /// The type that each value was written in.
        let names: [Int: String]

        func isAfter(_ other: Version) -> Bool {
            if eventTime != other.eventTime { return eventTime > other.eventTime }
            if order != other.order { return order > other.order }
            return part > other.part
        }
    }

    struct View {
        let kind: Int
        var features: [Feature]
        var ttl: Int64?
        let delay: Int64
        var horizon: Timestamp?
        var versions: [Version] = []
    }

    /// One row, deletion or retraction of a batch.
    struct Input {
        let entity: Int
        let eventTime: Timestamp
        let availability: Timestamp?
        let kind: VersionKind
        let values: [Int: Value]
        let names: [Int: String]
    }

    /// What is found for a feature: a value, which may be null, and the event time of the version that carries it.
    struct Answer {
        let value: Value
        let eventTime: Timestamp
    }

    var views: [View]
    /// The type of every feature that there is or was, as it is now or was in the end.
    private(set) var types: [Int: FeatureType] = [:]
    private var lastFeature = 0

    init(ttls: [Int?]) {
        views = []
        for index in World.viewNames.indices {
            var features: [Feature] = []
            for (name, type) in World.viewFeatures[index] {
                lastFeature += 1
                features.append(Feature(id: lastFeature, name: name, type: type))
                types[lastFeature] = type
            }
            views.append(
                View(kind: World.viewKinds[index], features: features, ttl: ttls[index].map { Int64($0) }, delay: World.viewDelays[index]))
        }
    }

    // MARK: Writing

    /// Takes the rows of one commit into a view. `knownFrom` is nil for a backfill that is not published yet.
    mutating func commit(_ inputs: [Input], to view: Int, order: Timestamp, knownFrom: Timestamp?, isBackfill: Bool) {
        var isMerged = [Bool](repeating: false, count: inputs.count)
        for first in inputs.indices where !isMerged[first] {
            // All of one entity and event time, in the order in which they came.
            let same = inputs.indices.filter {
                inputs[$0].entity == inputs[first].entity && inputs[$0].eventTime == inputs[first].eventTime
            }
            for index in same { isMerged[index] = true }
            var beneath: VersionKind?
            var kind: VersionKind?
            var values: [Int: Value] = [:]
            var names: [Int: String] = [:]
            var availability: Timestamp?
            for index in same {
                let input = inputs[index]
                availability = input.availability
                if input.kind == .row {
                    if let before = kind, before != .row { beneath = before }
                    kind = .row
                    values.merge(input.values) { _, later in later }
                    names.merge(input.names) { _, later in later }
                } else {
                    beneath = nil
                    kind = input.kind
                    values = [:]
                    names = [:]
                }
            }
            let eventTime = inputs[first].eventTime
            let ordinary = isBackfill ? Timestamp(microseconds: eventTime.microseconds + views[view].delay) : order
            func version(_ kind: VersionKind, _ part: Int, _ values: [Int: Value], _ names: [Int: String]) -> Version {
                Version(
                    entity: inputs[first].entity, eventTime: eventTime, order: order, part: part, knownFrom: knownFrom,
                    availability: availability ?? ordinary, kind: kind, values: values, names: names)
            }
            if let beneath { views[view].versions.append(version(beneath, 0, [:], [:])) }
            if let kind { views[view].versions.append(version(kind, 1, values, names)) }
        }
    }

    mutating func erase(kind: Int, entity: Int) {
        for index in views.indices where views[index].kind == kind { views[index].versions.removeAll { $0.entity == entity } }
    }

    mutating func addFeature(_ name: String, _ type: FeatureType, to view: Int) {
        lastFeature += 1
        views[view].features.append(Feature(id: lastFeature, name: name, type: type))
        types[lastFeature] = type
    }

    mutating func widen(_ index: Int, of view: Int, to type: FeatureType) {
        views[view].features[index].type = type
        types[views[view].features[index].id] = type
    }

    // MARK: Reading

    /// The versions of an entity that a read looks at, the newest first: visible and not retracted. A tombstone is among them.
    func candidates(_ view: Int, _ entity: Int, at T: Timestamp, knownAt K: Timestamp, served: Bool) -> [Version] {
        let visible = views[view].versions.filter { version in
            guard version.entity == entity, version.eventTime <= T, let known = version.knownFrom, known <= K else { return false }
            return !served || version.availability <= T
        }
        let retractions = visible.filter { $0.kind == .retraction }
        return visible.filter { version in
            version.kind != .retraction && !retractions.contains { $0.eventTime == version.eventTime && $0.isAfter(version) }
        }.sorted { $0.isAfter($1) }
    }

    /// `value(f, e, T, K, served)`, given the candidates; nil where there is nothing.
    func answer(_ feature: Feature, of view: Int, in candidates: [Version], at T: Timestamp) -> Answer? {
        for version in candidates {
            if version.kind == .deletion { return nil }
            if let ttl = views[view].ttl, T.microseconds - version.eventTime.microseconds > ttl { return nil }
            if let value = version.values[feature.id] {
                return Answer(value: NaiveModel.widened(value, to: feature.type), eventTime: version.eventTime)
            }
        }
        return nil
    }

    /// A value that was written before its feature was widened, as a value of the wider type.
    static func widened(_ value: Value, to type: FeatureType) -> Value {
        switch (value, type) {
        case (.int32(let number), .scalar(.int64)): .int64(Int64(number))
        case (.int32(let number), .scalar(.float64)): .float64(Double(number))
        case (.float32(let number), .scalar(.float64)): .float64(Double(number))
        default: value
        }
    }

    /// Every version of an entity that is known at K, the newest first, as they were written.
    func history(_ view: Int, _ entity: Int, knownAt K: Timestamp) -> [Version] {
        views[view].versions.filter { version in
            guard version.entity == entity, version.part == 1, let known = version.knownFrom else { return false }
            return known <= K
        }.sorted { $0.isAfter($1) }
    }

    /// The rows of a scan: at each event time of each entity the newest version that is known, where that is a row.
    func scan(_ view: Int, knownAt K: Timestamp, from: Timestamp, to: Timestamp) -> [Version] {
        var rows: [Version] = []
        for entity in entities(of: view) {
            var last: Timestamp?
            for version in history(view, entity, knownAt: K) where version.eventTime != last {
                last = version.eventTime
                if version.kind == .row && version.eventTime >= from && version.eventTime < to { rows.append(version) }
            }
        }
        return rows
    }

    /// The entities of a view's kind, in the order of their keys.
    func entities(of view: Int) -> [Int] {
        let pool = World.kinds[views[view].kind].pool
        return pool.indices.sorted { NaiveModel.isBefore(pool[$0], pool[$1]) }
    }

    /// Tuples in the order of their values: numbers by size, text and bytes byte by byte, false before true.
    private static func isBefore(_ a: [KeyValue], _ b: [KeyValue]) -> Bool {
        for (x, y) in zip(a, b) where x != y {
            switch (x, y) {
            case (.int64(let x), .int64(let y)): return x < y
            case (.string(let x), .string(let y)): return x.utf8.lexicographicallyPrecedes(y.utf8)
            case (.bytes(let x), .bytes(let y)): return x.lexicographicallyPrecedes(y)
            case (.bool(let x), .bool(let y)): return !x && y
            default: return false
            }
        }
        return a.count < b.count
    }
}
