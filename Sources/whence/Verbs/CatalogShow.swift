import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer

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
        do throws(WhenceError) {
            let kind = parts.count == 2 ? try CatalogDocuments.kind(named: parts[0]) : nil
            return try CatalogDocuments.find(parts.last ?? definition, kind: kind, version: version, in: catalog)
        } catch {
            guard error.code == .invalidArgument else { throw error }
            var reason = error
            reason.place = definition
            throw UsageError(reason)
        }
    }
}
