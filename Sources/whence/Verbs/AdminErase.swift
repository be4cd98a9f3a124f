import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer

struct AdminErase: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase",
        abstract: "Remove every version of an entity from every view of it, and its bytes from the files.",
        discussion: """
            This cannot be undone. At a terminal it asks first; elsewhere it needs --yes.

            Example: whence admin erase plane --entity tailnum=N14228 --dry-run --data store
            """)

    @Argument(help: ArgumentHelp("What kind of entity, by its name in the catalog: airport, plane.", valueName: "entity"))
    var kind: String

    @Option(help: ArgumentHelp("The entity's join keys.", valueName: "key=value,…"))
    var entity: String

    @Flag(help: "Count, and remove nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var store: StoreArguments

    func run() throws {
        let text = try EntityText(entity)
        let place = try store.place(dryRun ? .read : .write)
        let keys = try place.catalog.entity(named: kind).definition.joinKeys
        func erase(dryRun: Bool) throws -> String {
            let bar = ProgressBar(dryRun ? "counting" : "erasing", unit: "steps")
            defer { bar.clear() }
            switch place {
            case .here(let store):
                let key = try EntityKey(try text.values(of: keys))
                let reports = try store.erase(kind, key, dryRun: dryRun) { bar.update(done: $0, of: $1, count: $0) }
                return StoreDocuments.erased(reports, dryRun: dryRun).text
            case .server(let store): return try store.erase(kind, try text.row(of: keys), dryRun: dryRun, bar)
            }
        }
        if !dryRun, !yes {
            guard Console.isInputTerminal, Console.isErrorTerminal else {
                throw UsageError(
                    "admin erase", "nobody is there to be asked", hint: "add --yes to erase, or --dry-run to see what would go")
            }
            let found = try ReadDocuments.decode(ErasedDocument.self, try erase(dryRun: true)).views.reduce(0) { $0 + $1.versionsRemoved }
            guard Console.confirms("Erase \(found.counted("version")) of \(kind) \(entity) for good?") else {
                throw WhenceError(.cancelled, "nothing was erased", place: "admin erase")
            }
        }
        let document = try erase(dryRun: dryRun)
        if store.json { return try Console.print(document) }
        let views = try ReadDocuments.decode(ErasedDocument.self, document).views
        guard !views.isEmpty else { return try Console.print("no view is of \(kind)") }
        var table = TextTable(["view", dryRun ? "would go" : "removed"], right: [1])
        for view in views { table.append([view.view, view.versionsRemoved.grouped]) }
        try Console.print(table.text)
    }
}
