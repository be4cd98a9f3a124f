import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer

struct CatalogList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List every definition in every version.",
        discussion: "Example: whence catalog list --data store")

    @OptionGroup var store: StoreArguments

    func run() throws {
        let catalog = try store.open(.read).catalog
        let paths = DefinitionKind.allCases.flatMap { kind in catalog.names(of: kind).map { (kind, $0) } }
        let entries = paths.flatMap { kind, name in catalog.versions(kind: kind, name: name) }
        if store.json {
            let lines = CatalogDocuments.list(catalog).map(\.text)
            if !lines.isEmpty { try Console.print(lines.joined(separator: "\n")) }
            return
        }
        var table = TextTable(["kind", "name", "version", "since catalog", "hash"], right: [2, 3])
        for entry in entries {
            table.append([entry.kind.rawValue, entry.name, "\(entry.version)", "\(entry.catalogVersion)", String(entry.hash.prefix(12))])
        }
        try Console.print("Catalog version \(catalog.version)\n\n" + (entries.isEmpty ? "no definitions" : table.text))
    }
}
