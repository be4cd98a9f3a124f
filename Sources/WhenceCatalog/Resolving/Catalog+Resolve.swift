import WhenceCore

extension Catalog {
    /// What a read of a service evaluates. `service` is `NAME`, or `NAME@VERSION` for an earlier version of its definition.
    ///
    /// Views and included services are taken as they are now; "all features" means those that the view has now. Throws
    /// `notFound` when there is no such service or version, `invalidDefinition` when an earlier version reads what has been
    /// retired since.
    public func resolve(service: String) throws(WhenceError) -> ResolvedService {
        let stored = try find(service)
        var resolver = ServiceResolver(views: views, services: services.mapValues(\.definition)) { $0.text }
        return try resolver.resolve(stored.definition, version: stored.version)
    }

    /// What a read of a list of features evaluates: `VIEW.FEATURE`, or `VIEW.*` for all features of a view. The output names
    /// are `VIEW.FEATURE`, in the order of the list, and the join columns have the names of the join keys.
    ///
    /// Throws `notFound` when there is no such view, `unknownFeature` when the view has no such feature, `invalidArgument`
    /// when the list is empty, not in that form, or names a feature twice.
    public func resolve(features: [String]) throws(WhenceError) -> ResolvedService {
        guard !features.isEmpty else {
            throw WhenceError(.invalidArgument, "no features are asked for", hint: "list them as VIEW.FEATURE, or VIEW.* for all")
        }
        guard features.count <= CatalogLimits.featuresPerService else {
            throw WhenceError(
                .limitExceeded, "\(features.count) features are more than the limit of \(CatalogLimits.featuresPerService)")
        }
        var groups: [(view: StoredView, features: [ResolvedFeature])] = []
        var outputs: Set<String> = []
        for text in features {
            let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw WhenceError(.invalidArgument, "'\(text)' names no feature", hint: "write VIEW.FEATURE, or VIEW.* for all features")
            }
            let view = try view(named: String(parts[0]))
            let fields = view.currentSchema.fields
            var found: [ResolvedFeature] = []
            for field in parts[1] == "*" ? fields : fields.filter({ $0.name == parts[1] }) {
                let name = "\(view.definition.name).\(field.name)"
                guard outputs.insert(name).inserted else {
                    throw WhenceError(.invalidArgument, "the feature '\(name)' is asked for twice", hint: "list it once")
                }
                found.append(ResolvedFeature(name: name, featureID: field.id, type: field.type))
            }
            guard !found.isEmpty else {
                throw WhenceError(
                    .unknownFeature, "the view '\(view.definition.name)' has no feature '\(parts[1])'",
                    hint: NearestName.hint(for: String(parts[1]), among: fields.map(\.name), called: "features"))
            }
            // Neighbours of one view are read together.
            if groups.last?.view.id == view.id {
                groups[groups.count - 1].features += found
            } else {
                groups.append((view, found))
            }
        }
        let selections = groups.map { group in
            ResolvedSelection(view: group.view, joinColumns: group.view.entity.joinKeys.map(\.name), features: group.features)
        }
        return ResolvedService(name: "", version: 0, selections: selections)
    }

    private func find(_ text: String) throws(WhenceError) -> StoredService {
        guard let at = text.firstIndex(of: "@") else { return try service(named: text) }
        let latest = try service(named: String(text[..<at]))
        let digits = text[text.index(after: at)...]
        guard let number = Int(digits), number >= 1, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            throw WhenceError(
                .invalidArgument, "'\(digits)' is no version of a service",
                hint: "write NAME@VERSION, as in \(latest.definition.name)@1")
        }
        let all = versions(kind: .service, name: latest.definition.name)
        guard number <= all.count, case .service(let service) = all[number - 1].definition else {
            throw WhenceError(
                .notFound, "the service '\(latest.definition.name)' has no version \(number)",
                hint: "its latest version is \(latest.version)")
        }
        return StoredService(definition: service, version: number)
    }
}
