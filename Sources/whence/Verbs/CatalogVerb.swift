import ArgumentParser

struct CatalogVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog", abstract: "List and show the stored definitions.", subcommands: [CatalogList.self, CatalogShow.self])
}
