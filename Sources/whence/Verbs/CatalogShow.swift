import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine

struct CatalogShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one definition, as 'apply' would read it.",
        discussion: "Example: whence catalog show view/weather --version 1 --data store")

    @Argument(help: "NAME, or KIND/NAME where several kinds have the name: entity/airport, view/weather, service/departure_delay.")
    var definition: String

    @Option(help: ArgumentHelp("An earlier version (default: the latest).", valueName: "n"))
    var version: Int?

    @OptionGroup var store: StoreArguments

    func run() throws {
        let catalog = try store.open(.read).catalog
        let entry = try find(catalog)
        if store.json { return try Console.print(String(decoding: entry.json, as: UTF8.self)) }
        try Console.print(
            "# \(entry.kind) \(entry.name), version \(entry.version), since catalog version \(entry.catalogVersion)\n"
                + "# sha256 \(entry.hash)\n" + DefinitionText.yaml(entry.definition))
    }

    private func find(_ catalog: Catalog) throws -> CatalogEntry {
        let parts = definition.split(separator: "/", maxSplits: 1).map(String.init)
        let kinds: [DefinitionKind]
        if parts.count == 2 {
            guard let kind = DefinitionKind.allCases.first(where: { $0.rawValue == parts[0] || $0.plural == parts[0] }) else {
                throw UsageError(definition, "'\(parts[0])' is no kind of definition", hint: "the kinds are entity, view and service")
            }
            kinds = [kind]
        } else {
            kinds = DefinitionKind.allCases
        }
        let name = parts.last ?? definition
        let found = kinds.filter { !catalog.versions(kind: $0, name: name).isEmpty }
        guard let kind = found.first else {
            if kinds == [.view] { _ = try catalog.view(named: name) }
            if kinds == [.entity] { _ = try catalog.entity(named: name) }
            if kinds == [.service] { _ = try catalog.service(named: name) }
            throw WhenceError(
                .notFound, "there is no definition '\(name)'", place: definition, hint: "'whence catalog list' says what there is")
        }
        guard found.count == 1 else {
            throw UsageError(
                definition, "several kinds have this name", hint: "write " + found.map { "\($0)/\(name)" }.joined(separator: " or "))
        }
        let versions = catalog.versions(kind: kind, name: name)
        let number = version ?? versions.count
        guard versions.indices.contains(number - 1) else {
            throw WhenceError(
                .notFound, "there is no version \(number)", place: "\(kind) \(name)", hint: "its versions are 1 to \(versions.count)")
        }
        return versions[number - 1]
    }
}
