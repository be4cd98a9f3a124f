import WhenceCore

/// Compares definitions with a catalog and works out what applying them would do.
struct Planner {
    private let catalog: Catalog
    private let definitions: Definitions
    private var changes: [CatalogChange] = []
    private var writes: [(definition: Definition, numbering: ViewNumbering?)] = []
    /// What the catalog will be: the definitions given, and what is stored besides.
    private var entities: [String: Entity]
    private var views: [String: StoredView]
    private var services: [String: FeatureService]

    init(_ catalog: Catalog, _ definitions: Definitions) {
        self.catalog = catalog
        self.definitions = definitions
        entities = catalog.entities.mapValues(\.definition)
        views = catalog.views
        services = catalog.services.mapValues(\.definition)
    }

    mutating func plan() throws(WhenceError) -> CatalogPlan {
        try definitions.check()
        for entity in definitions.entities { plan(entity) }
        var viewID = catalog.views.values.map(\.id).max() ?? 0
        for view in definitions.views { try plan(view, lastID: &viewID) }
        for service in definitions.services { services[service.name] = service }
        for service in definitions.services { try plan(service) }
        refuseWhatBreaksServices()
        return CatalogPlan(baseVersion: catalog.version, changes: changes, writes: writes)
    }

    /// Whether the latest stored version of a definition is the same already.
    private func isStored(_ definition: Definition) -> Bool {
        catalog.versions(kind: definition.kind, name: definition.name).last?.hash == definition.contentHash
    }

    private mutating func add(_ change: CatalogChange, writing definition: Definition, _ numbering: ViewNumbering? = nil) {
        changes.append(change)
        if change.effect != .unchanged { writes.append((definition, numbering)) }
    }

    private mutating func plan(_ entity: Entity) {
        let definition = Definition.entity(entity)
        entities[entity.name] = entity
        guard let stored = catalog.entities[entity.name]?.definition else {
            return add(CatalogChange(.entity, entity.name, .create, lines: DefinitionDifference.ofNew(definition)), writing: definition)
        }
        if isStored(definition) { return add(CatalogChange(.entity, entity.name, .unchanged), writing: definition) }
        var difference = DefinitionDifference()
        func keys(_ entity: Entity) -> String { entity.joinKeys.map { "\($0.name) \($0.type.rawValue)" }.joined(separator: ", ") }
        difference.compare("join keys", keys(stored), keys(entity))
        difference.compare(descriptions: stored.description, entity.description, owners: stored.owner, entity.owner)
        difference.compare(tags: stored.tags, entity.tags)
        var change = CatalogChange(.entity, entity.name, .compatible, lines: difference.lines)
        if stored.joinKeys != entity.joinKeys {
            change.refuse(
                "the join keys of an entity cannot change, because every stored row is filed under them; "
                    + "define a new entity with the new join keys, and views of it")
            // What follows is checked against what stays.
            entities[entity.name] = stored
        }
        add(change, writing: definition)
    }

    private mutating func plan(_ view: FeatureView, lastID: inout UInt32) throws(WhenceError) {
        let definition = Definition.view(view)
        let path = DefinitionPath(.view, view.name)
        guard let entity = entities[view.entity] else {
            throw refuse(
                path.appending("entity"), "there is no entity '\(view.entity)'",
                hint: NearestName.hint(for: view.entity, among: entities.keys, called: "entities"))
        }
        for feature in view.features where entity.joinKeys.contains(where: { $0.name == feature.name }) {
            throw refuse(
                path.appending("feature \(feature.name)"),
                "'\(feature.name)' is a join key of the entity '\(entity.name)', and cannot be a feature too",
                hint: "join keys are kept with every row; use another name for a feature with the same values")
        }
        for key in entity.joinKeys where key.name == view.eventTime.column {
            throw refuse(path.appending("event_time"), "the column '\(key.name)' is a join key of the entity '\(entity.name)'")
        }
        for key in entity.joinKeys where key.name == view.availabilityTime?.column {
            throw refuse(path.appending("available_at"), "the column '\(key.name)' is a join key of the entity '\(entity.name)'")
        }
        guard let stored = catalog.views[view.name] else {
            lastID += 1
            let fields = view.features.enumerated().map { index, feature in
                SchemaField(id: UInt32(index) + 1, name: feature.name, type: feature.type)
            }
            let schema = Schema(id: 1, fields: fields)
            views[view.name] = StoredView(definition: view, entity: entity, id: lastID, version: 1, earlier: [], current: schema)
            return add(
                CatalogChange(.view, view.name, .create, lines: DefinitionDifference.ofNew(definition)), writing: definition,
                ViewNumbering(viewID: lastID, schema: schema))
        }
        if isStored(definition) {
            return add(CatalogChange(.view, view.name, .unchanged), writing: definition)
        }
        let comparison = SchemaComparison(stored, view)
        var change = CatalogChange(.view, view.name, comparison.added.isEmpty ? .compatible : .needsBackfill, lines: comparison.lines)
        if !comparison.added.isEmpty {
            change.reason =
                "rows written before have nothing for \(comparison.added.joined(separator: ", ")); reads find nothing there until "
                + "'whence ingest \(view.name) FILE --backfill' brings the values"
        }
        for why in comparison.refusals { change.refuse(why) }
        add(change, writing: definition, ViewNumbering(viewID: stored.id, schema: comparison.schema))
        let isNew = comparison.schema != stored.currentSchema
        views[view.name] = StoredView(
            definition: view, entity: entity, id: stored.id, version: stored.version + 1,
            earlier: isNew ? stored.schemas : stored.schemas.dropLast(), current: comparison.schema)
    }

    private mutating func plan(_ service: FeatureService) throws(WhenceError) {
        let definition = Definition.service(service)
        let definitions = definitions
        var resolver = ServiceResolver(views: views, services: services) { definitions.place($0) }
        _ = try resolver.resolve(service, version: 0)
        guard let stored = catalog.services[service.name]?.definition else {
            return add(CatalogChange(.service, service.name, .create, lines: DefinitionDifference.ofNew(definition)), writing: definition)
        }
        if isStored(definition) { return add(CatalogChange(.service, service.name, .unchanged), writing: definition) }
        var difference = DefinitionDifference()
        difference.compare(stored, service)
        add(CatalogChange(.service, service.name, .compatible, lines: difference.lines), writing: definition)
    }

    /// Refuses changes that would break a service which is stored and not given anew.
    private mutating func refuseWhatBreaksServices() {
        let given = Set(definitions.services.map(\.name))
        for name in catalog.services.keys.sorted() where !given.contains(name) {
            guard let service = services[name] else { continue }
            var resolver = ServiceResolver(views: views, services: services) { $0.text }
            do {
                _ = try resolver.resolve(service, version: 0)
            } catch {
                refuse(whatBreaks: service, with: error)
            }
        }
    }

    private mutating func refuse(whatBreaks service: FeatureService, with error: WhenceError) {
        var reached: [String: FeatureService] = [:]
        reach(from: service, &reached)
        let selections = reached.values.flatMap(\.selections)
        // Only a service that is given, or a view whose features come or go, can be the cause.
        let suspects = changes.indices.filter { at in
            let change = changes[at]
            switch change.kind {
            case .entity: return false
            case .service: return change.effect != .unchanged && reached[change.name] != nil
            case .view:
                guard let before = catalog.views[change.name], let after = views[change.name] else { return false }
                return Set(before.currentSchema.fields.map(\.name)) != Set(after.currentSchema.fields.map(\.name))
                    && selections.contains { $0.view == change.name }
            }
        }
        // Where a feature goes that is selected by name, that view is the cause, and the others are not.
        let culprits = suspects.filter { at in
            guard changes[at].kind == .view, let fields = views[changes[at].name]?.currentSchema else { return false }
            return selections.contains { selection in
                selection.view == changes[at].name && (selection.features ?? []).contains { fields.index(of: $0) == nil }
            }
        }
        for at in culprits.isEmpty ? suspects : culprits {
            changes[at].refuse(
                "the service '\(service.name)' would no longer resolve: \(error.message) (\(error.place)); "
                    + "change the service in the same plan")
        }
    }

    /// Collects `service` and every service that it includes, directly or not.
    private func reach(from service: FeatureService, _ reached: inout [String: FeatureService]) {
        guard reached.updateValue(service, forKey: service.name) == nil else { return }
        for name in service.includes {
            if let included = services[name] { reach(from: included, &reached) }
        }
    }

    private func refuse(_ path: DefinitionPath, _ message: String, hint: String = "") -> WhenceError {
        WhenceError(.invalidDefinition, message, place: definitions.place(path), hint: hint)
    }
}
