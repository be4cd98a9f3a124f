import WhenceCore

/// Follows the references of a service: to views, features, join keys, and other services.
///
/// The same code resolves a stored service for a read and checks a service of a plan against what the plan leads to.
struct ServiceResolver {
    /// The views by name, as they will be when the service is read.
    let views: [String: StoredView]
    /// The services by name, likewise.
    let services: [String: FeatureService]
    /// Says where a part of a definition is stated.
    let place: @Sendable (DefinitionPath) -> String

    private var selections: [ResolvedSelection] = []
    /// Which selection gives each output name.
    private var outputs: [String: DefinitionPath] = [:]
    private var joinColumns: Set<String> = []

    init(views: [String: StoredView], services: [String: FeatureService], place: @escaping @Sendable (DefinitionPath) -> String) {
        self.views = views
        self.services = services
        self.place = place
    }

    /// Resolves `service`. Throws `invalidDefinition` with the place of what does not resolve.
    mutating func resolve(_ service: FeatureService, version: Int) throws(WhenceError) -> ResolvedService {
        selections = []
        outputs = [:]
        joinColumns = []
        try add(service, trail: [service.name])
        for name in outputs.keys.sorted() where joinColumns.contains(name) {
            guard let path = outputs[name] else { continue }
            throw refuse(
                path, "the output '\(name)' has the name of a join column of the service",
                hint: "give the selection another prefix")
        }
        return ResolvedService(name: service.name, version: version, selections: selections)
    }

    private mutating func add(_ service: FeatureService, trail: [String]) throws(WhenceError) {
        let path = DefinitionPath(.service, service.name)
        for name in service.includes {
            let includePath = path.appending("include \(name)")
            if let start = trail.firstIndex(of: name) {
                let cycle = (trail[start...] + [name]).joined(separator: " -> ")
                throw refuse(includePath, "services include one another in a cycle: \(cycle)", hint: "remove one of the includes")
            }
            guard trail.count < CatalogLimits.includeDepth else {
                throw refuse(includePath, "services include one another more than \(CatalogLimits.includeDepth) deep")
            }
            guard let included = services[name] else {
                throw refuse(
                    includePath, "there is no service '\(name)' to include",
                    hint: NearestName.hint(for: name, among: services.keys, called: "services"))
            }
            try add(included, trail: trail + [name])
        }
        for (index, selection) in service.selections.enumerated() {
            try add(selection, path.appending("selection \(index + 1)"))
        }
    }

    private mutating func add(_ selection: FeatureSelection, _ path: DefinitionPath) throws(WhenceError) {
        guard let view = views[selection.view] else {
            throw refuse(
                path, "there is no view '\(selection.view)'",
                hint: NearestName.hint(for: selection.view, among: views.keys, called: "views"))
        }
        let keys = view.entity.joinKeys.map(\.name)
        for key in selection.joinColumns.keys.sorted() where !keys.contains(key) {
            throw refuse(
                path.appending("join key \(key)"), "the entity '\(view.entity.name)' has no join key '\(key)'",
                hint: NearestName.hint(for: key, among: keys, called: "join keys") + "; each is followed by the column that holds it")
        }
        let columns = keys.map { selection.joinColumns[$0] ?? $0 }
        guard Set(columns).count == columns.count else {
            throw refuse(
                path, "one column would hold two join keys of '\(view.entity.name)'",
                hint: "the join columns are \(columns.joined(separator: ", "))")
        }
        joinColumns.formUnion(columns)
        var features: [ResolvedFeature] = []
        let fields = Dictionary(view.currentSchema.fields.map { ($0.name, $0) }) { first, _ in first }
        for name in selection.features ?? view.currentSchema.fields.map(\.name) {
            let featurePath = path.appending("feature \(name)")
            guard let field = fields[name] else {
                let wasThere = view.schemas.contains { $0.index(of: name) != nil }
                throw refuse(
                    featurePath,
                    wasThere
                        ? "the feature '\(name)' of view '\(view.definition.name)' has been retired"
                        : "the view '\(view.definition.name)' has no feature '\(name)'",
                    hint: NearestName.hint(for: name, among: fields.keys, called: "features"))
            }
            let output = selection.outputName(of: name)
            if let other = outputs.updateValue(featurePath, forKey: output) {
                throw refuse(
                    featurePath, "the output '\(output)' is there twice; the first is from \(other.text)",
                    hint: "give one of the selections another prefix, or leave the feature out of it")
            }
            guard outputs.count <= CatalogLimits.featuresPerService else {
                throw WhenceError(
                    .limitExceeded, "the service reads more than \(CatalogLimits.featuresPerService) features", place: place(path))
            }
            features.append(ResolvedFeature(name: output, featureID: field.id, type: field.type))
        }
        selections.append(ResolvedSelection(view: view, joinColumns: columns, features: features))
    }

    private func refuse(_ path: DefinitionPath, _ message: String, hint: String = "") -> WhenceError {
        WhenceError(.invalidDefinition, message, place: place(path), hint: hint)
    }
}
