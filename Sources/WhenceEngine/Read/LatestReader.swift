import WhenceCatalog
import WhenceCore

/// The online read: `value(f, e, now, now, served)` of one view's features, from the cache of latest rows or the store.
/// One thread at a time; make one for each thread and keep it.
public final class LatestReader {
    private var work: LatestRead

    init(_ store: Store, _ view: OpenView, _ targets: [RowProjection.Target], capacity: Int, withEventTimes: Bool) {
        work = LatestRead(store, view, targets, capacity: capacity, withEventTimes: withEventTimes)
    }

    /// The values of the last read: a row for each entity, a column for each feature.
    public var columns: ProjectedColumns { work.columns }

    /// Counts how often the types of the columns have changed.
    var layoutChanges: Int { work.layoutChanges }

    /// Makes new columns of `capacity` rows for the next reads.
    func renew(capacity: Int) throws(WhenceError) { try work.renew(capacity: capacity) }

    /// Begins a read of `rows` rows into columns that are kept from read to read, and not handed out.
    func begin(rows: Int) throws(WhenceError) { try work.begin(rows: rows) }

    /// Lets the columns and their memory go.
    func dropColumns() { work.dropColumns() }

    /// Reads the latest values of `entity` into row `row` of `columns`.
    ///
    /// - Parameter now: the present, from `Store.now`, taken once for all entities of a request.
    /// Cost: with the entity in the cache a look-up and a copy a feature, without allocation; else a seek.
    public func read(_ row: Int = 0, _ entity: RawSpan, at now: Timestamp) throws(WhenceError) {
        if try !work.readKept(row, entity, at: now) { try work.readStored(row, entity, at: now) }
    }

    /// The first half of `read`: from the cache. False where it has nothing of `entity`.
    func readKept(_ row: Int, _ entity: RawSpan, at now: Timestamp) throws(WhenceError) -> Bool {
        try work.readKept(row, entity, at: now)
    }

    /// The other half: from the store.
    func readStored(_ row: Int, _ entity: RawSpan, at now: Timestamp) throws(WhenceError) { try work.readStored(row, entity, at: now) }
}

extension Store {
    /// A reader of the latest values of `features` of `view` (nil: all of them) for up to `capacity` entities at a time.
    ///
    /// - Parameter withEventTimes: adds a column with the event time of the newest version that gave a value.
    public func latestReader(
        _ view: String, features: [String]? = nil, capacity: Int = 1, withEventTimes: Bool = false
    ) throws(WhenceError) -> LatestReader {
        let open = try self.view(view)
        return LatestReader(self, open, try open.targets(features), capacity: capacity, withEventTimes: withEventTimes)
    }

    /// A reader for each selection of a service.
    func latestReaders(_ service: ResolvedService, capacity: Int, withEventTimes: Bool) throws(WhenceError) -> [LatestReader] {
        var readers: [LatestReader] = []
        for selection in service.selections {
            let targets = selection.features.map { RowProjection.Target(featureID: $0.featureID, type: $0.type) }
            let view = try view(selection.view.definition.name)
            readers.append(LatestReader(self, view, targets, capacity: capacity, withEventTimes: withEventTimes))
        }
        return readers
    }
}

extension OpenView {
    /// Features that were looked up earlier, with the types of now. One that was retired since is no longer found, whatever old rows
    /// carry: no row has the greatest id.
    func targets(_ features: [(id: UInt32, type: FeatureType)]) -> [RowProjection.Target] {
        let types = Dictionary(stored.currentSchema.fields.map { ($0.id, $0.type) }) { $1 }
        return features.map { .init(featureID: types[$0.id] == nil ? .max : $0.id, type: types[$0.id] ?? $0.type) }
    }

    /// The named features as the current schema has them, or all of them.
    func targets(_ features: [String]?) throws(WhenceError) -> [RowProjection.Target] {
        let schema = stored.currentSchema
        guard let features else { return schema.fields.map { .init(featureID: $0.id, type: $0.type) } }
        var targets: [RowProjection.Target] = []
        for name in features {
            guard let index = schema.index(of: name) else {
                throw WhenceError(
                    .unknownFeature, "view '\(self.name)' has no feature '\(name)'",
                    hint: "its features are \(schema.fields.map(\.name).joined(separator: ", "))")
            }
            targets.append(.init(featureID: schema.fields[index].id, type: schema.fields[index].type))
        }
        return targets
    }
}
