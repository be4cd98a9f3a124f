import WhenceCore

/// Every definition that a store has, in every version: a value, built from stored entries and changed by applying plans.
///
/// The catalog does no input or output. The engine stores the entries that `applying` returns, all of them in one commit,
/// and builds the catalog from them again with `init(entries:)`.
public struct Catalog: Sendable {
    /// The number of plans that have been applied, leaving out those that changed nothing.
    public let version: Int
    /// The latest version of each entity, by name.
    public let entities: [String: StoredEntity]
    /// The latest version of each view, by name.
    public let views: [String: StoredView]
    /// The latest version of each service, by name.
    public let services: [String: StoredService]
    /// All versions of each definition, from the first.
    let history: [DefinitionPath: [CatalogEntry]]

    /// A catalog without definitions, of version 0.
    public init() {
        version = 0
        entities = [:]
        views = [:]
        services = [:]
        history = [:]
    }

    /// The catalog that `entries` make up, given in any order.
    ///
    /// Throws `corruption` when entries are missing or contradict one another: versions with gaps, a view without its entity,
    /// an id given twice.
    public init(entries: [CatalogEntry]) throws(WhenceError) {
        func refuse(_ what: String) -> WhenceError {
            WhenceError(
                .corruption, "the stored catalog is damaged: \(what)", hint: "run 'whence admin verify', or restore a backup of the store")
        }
        var history: [DefinitionPath: [CatalogEntry]] = [:]
        for entry in entries { history[DefinitionPath(entry.kind, entry.name), default: []].append(entry) }
        var version = 0
        var entities: [String: StoredEntity] = [:]
        var views: [String: StoredView] = [:]
        var services: [String: StoredService] = [:]
        var viewNames: [UInt32: String] = [:]
        for (path, unsorted) in history {
            let all = unsorted.sorted { $0.version < $1.version }
            history[path] = all
            for (index, entry) in all.enumerated() {
                guard entry.version == index + 1 else {
                    throw refuse("\(path.text) has a version \(entry.version) where version \(index + 1) should be")
                }
                if index > 0, entry.catalogVersion <= all[index - 1].catalogVersion {
                    throw refuse("version \(entry.version) of \(path.text) does not come after the one before it")
                }
                version = max(version, entry.catalogVersion)
            }
            guard let last = all.last else { continue }
            switch last.definition {
            case .entity(let entity): entities[path.name] = StoredEntity(definition: entity, version: last.version)
            case .service(let service): services[path.name] = StoredService(definition: service, version: last.version)
            case .view: break
            }
        }
        for (path, all) in history where path.kind == .view {
            guard let last = all.last, case .view(let view) = last.definition, let id = last.numbering?.viewID else {
                throw refuse("\(path.text) has no numbering")
            }
            guard let entity = entities[view.entity] else { throw refuse("\(path.text) has no entity '\(view.entity)'") }
            if let other = viewNames.updateValue(path.name, forKey: id) {
                throw refuse("the views '\(other)' and '\(path.name)' share id \(id)")
            }
            var schemas: [Schema] = []
            var fields: [UInt32: SchemaField] = [:]
            for entry in all {
                guard let numbering = entry.numbering, numbering.viewID == id else { throw refuse("\(path.text) has two ids") }
                if numbering.schema == schemas.last { continue }
                guard numbering.schema.id == schemas.count + 1 else {
                    throw refuse("\(path.text) has a schema \(numbering.schema.id) where schema \(schemas.count + 1) should be")
                }
                for field in numbering.schema.fields {
                    let before = fields.updateValue(field, forKey: field.id) ?? field
                    guard before.name == field.name, before.type == field.type || before.type.widens(to: field.type) else {
                        throw refuse("\(path.text) has a feature id \(field.id) for two features")
                    }
                }
                schemas.append(numbering.schema)
            }
            guard let current = schemas.popLast() else { throw refuse("\(path.text) has no schema") }
            views[path.name] = StoredView(
                definition: view, entity: entity.definition, id: id, version: last.version, earlier: schemas, current: current)
        }
        self.version = version
        self.entities = entities
        self.views = views
        self.services = services
        self.history = history
    }

    /// Every entry of every version, in the order of their keys.
    public var allEntries: [CatalogEntry] {
        history.values.joined().sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    /// All versions of one definition, from the first; none when there is no such definition.
    public func versions(kind: DefinitionKind, name: String) -> [CatalogEntry] { history[DefinitionPath(kind, name)] ?? [] }

    /// The names of the definitions of one kind, sorted.
    public func names(of kind: DefinitionKind) -> [String] { history.keys.filter { $0.kind == kind }.map(\.name).sorted() }

    /// The view of that name. Throws `notFound`, with the nearest name and what there is.
    public func view(named name: String) throws(WhenceError) -> StoredView {
        guard let view = views[name] else { throw notFound(.view, name) }
        return view
    }

    /// The view with that id, or nil.
    public func view(id: UInt32) -> StoredView? { views.values.first { $0.id == id } }

    /// The entity of that name. Throws `notFound`, with the nearest name and what there is.
    public func entity(named name: String) throws(WhenceError) -> StoredEntity {
        guard let entity = entities[name] else { throw notFound(.entity, name) }
        return entity
    }

    /// The latest version of the service of that name. Throws `notFound`, with the nearest name and what there is.
    public func service(named name: String) throws(WhenceError) -> StoredService {
        guard let service = services[name] else { throw notFound(.service, name) }
        return service
    }

    func notFound(_ kind: DefinitionKind, _ name: String) -> WhenceError {
        WhenceError(
            .notFound, "there is no \(kind) '\(name)'", hint: NearestName.hint(for: name, among: names(of: kind), called: kind.plural))
    }
}
