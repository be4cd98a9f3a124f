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
        let open = try store.open(dryRun ? .read : .write)
        let key = try EntityKey(try text.values(of: try open.catalog.entity(named: kind).definition.joinKeys))
        if !dryRun, !yes {
            let found = try open.erase(kind, key, dryRun: true).reduce(0) { $0 + $1.versionsRemoved }
            guard Console.isInputTerminal, Console.isErrorTerminal else {
                throw UsageError(
                    "admin erase", "nobody is there to be asked", hint: "add --yes to erase, or --dry-run to see what would go")
            }
            guard Console.confirms("Erase \(found.counted("version")) of \(kind) \(entity) for good?") else {
                throw WhenceError(.cancelled, "nothing was erased", place: "admin erase")
            }
        }
        let reports = try open.erase(kind, key, dryRun: dryRun)
        if store.json {
            return try Console.print(StoreDocuments.erased(reports, dryRun: dryRun))
        }
        guard !reports.isEmpty else { return try Console.print("no view is of \(kind)") }
        var table = TextTable(["view", dryRun ? "would go" : "removed"], right: [1])
        for report in reports { table.append([report.view, report.versionsRemoved.grouped]) }
        try Console.print(table.text)
    }
}
