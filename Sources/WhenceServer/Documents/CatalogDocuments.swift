import WhenceCatalog
import WhenceCore

/// What programs are told of definitions: the same on the command line and over the wire.
public enum CatalogDocuments {
    /// A document for each version of each definition.
    public static func list(_ catalog: Catalog) -> [JSON] {
        let paths = DefinitionKind.allCases.flatMap { kind in catalog.names(of: kind).map { (kind, $0) } }
        return paths.flatMap { kind, name in catalog.versions(kind: kind, name: name) }.map { entry in
            .object([
                ("kind", .string(entry.kind.rawValue)), ("name", .string(entry.name)), ("version", .int(entry.version)),
                ("catalog_version", .int(entry.catalogVersion)), ("hash", .string(entry.hash)),
            ])
        }
    }

    /// The one definition of that name, of one kind or of any. Throws `notFound`, or `invalidArgument` where several kinds have the name.
    ///
    /// - Parameter version: nil for the latest.
    public static func find(_ name: String, kind: DefinitionKind?, version: Int?, in catalog: Catalog) throws(WhenceError) -> CatalogEntry {
        let kinds = kind.map { [$0] } ?? DefinitionKind.allCases
        let found = kinds.filter { !catalog.versions(kind: $0, name: name).isEmpty }
        guard let kind = found.first else {
            // With the nearest name.
            if kinds == [.view] { _ = try catalog.view(named: name) }
            if kinds == [.entity] { _ = try catalog.entity(named: name) }
            if kinds == [.service] { _ = try catalog.service(named: name) }
            throw WhenceError(.notFound, "there is no definition '\(name)'", place: name, hint: "'whence catalog list' says what there is")
        }
        guard found.count == 1 else {
            throw WhenceError(
                .invalidArgument, "several kinds have this name", place: name,
                hint: "write " + found.map { "\($0)/\(name)" }.joined(separator: " or "))
        }
        let versions = catalog.versions(kind: kind, name: name)
        let number = version ?? versions.count
        guard versions.indices.contains(number - 1) else {
            throw WhenceError(
                .notFound, "there is no version \(number)", place: "\(kind) \(name)", hint: "its versions are 1 to \(versions.count)")
        }
        return versions[number - 1]
    }

    /// The kind of that name. Throws `invalidArgument`.
    public static func kind(named text: String) throws(WhenceError) -> DefinitionKind {
        guard let kind = DefinitionKind.allCases.first(where: { $0.rawValue == text || $0.plural == text }) else {
            throw WhenceError(
                .invalidArgument, "'\(text)' is no kind of definition", place: text, hint: "the kinds are entity, view and service")
        }
        return kind
    }

    /// What applying definitions did.
    public static func applied(_ plan: CatalogPlan, version: Int, applied: Bool) -> JSON {
        .object([("applied", .bool(applied)), ("catalog_version", .int(version)), ("plan", .raw(plan.json()))])
    }

    /// Why a plan with refusals was not carried out; nil where there are none.
    public static func refusal(_ plan: CatalogPlan) -> WhenceError? {
        let refused = plan.changes.filter { $0.effect == .refused }
        guard !refused.isEmpty else { return nil }
        return WhenceError(
            .incompatibleChange, refused.map { "\($0.reason)" }.joined(separator: "; "),
            place: refused.map { "\($0.kind) \($0.name)" }.joined(separator: ", "),
            hint: "nothing was changed; change the definitions and apply them again")
    }

    /// What a reader of a service needs to know: what it asks for, and what it gives.
    public static func describe(_ service: ResolvedService) -> JSON {
        .object([
            ("name", .string(service.name)), ("version", .int(service.version)),
            ("join_keys", .array(service.joinColumns.map { typed($0.name, $0.type.rawValue) })),
            ("features", .array(service.selections.flatMap { $0.features.map { typed($0.name, $0.type.name) } })),
            ("views", .array(service.selections.map { .string($0.view.definition.name) })),
        ])
    }

    private static func typed(_ name: String, _ type: String) -> JSON { .object([("name", .string(name)), ("type", .string(type))]) }
}
