import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer

struct AdminRetain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retain",
        abstract: "Remove history that no read at the horizon or later can reach.",
        discussion: """
            The horizon of a view is the present less its declared retention, or --before. Of each entity the newest version at or \
            before the horizon stays, so that a read at the horizon is still right; reads before it, or pinned before it, are \
            refused from then on.

            Example: whence admin retain --dry-run --data store
            """)

    @Argument(help: "The views (default: all that declare a retention).")
    var views: [String] = []

    @Option(help: ArgumentHelp("Another horizon, for the views that are named.", valueName: "time"))
    var before: String?

    @Flag(help: "Count, and remove nothing.")
    var dryRun = false

    @OptionGroup var store: StoreArguments

    func validate() throws {
        if before != nil, views.isEmpty { throw ValidationError("'--before' goes with the names of the views that it is for") }
    }

    func run() throws {
        let horizon: Timestamp? = try OptionText.time(before, "--before")
        let place = try store.place(dryRun ? .read : .write)
        let catalog = place.catalog
        for view in views { _ = try catalog.view(named: view) }
        let names = views.isEmpty ? catalog.views.values.filter { $0.definition.retention != nil }.map(\.definition.name).sorted() : views
        var documents: [String] = []
        for name in names {
            let bar = ProgressBar("retain \(name)", unit: "versions")
            switch place {
            case .here(let store):
                let estimate = store.statistics().views.first { $0.name == name }?.versions
                let report = try store.retain(name, horizon: horizon, dryRun: dryRun) { bar.update(done: $0, of: estimate, count: $0) }
                documents.append(StoreDocuments.retained(report, dryRun: dryRun).text)
            case .server(let store):
                // One view was asked for, so the list has one document.
                let list = try store.retain(name, horizon: horizon, dryRun: dryRun, bar)
                documents.append(String(list.dropFirst().dropLast()))
            }
            bar.clear()
        }
        guard !names.isEmpty else { return store.json ? () : try Console.print("no view declares a retention") }
        if store.json { return try Console.print(documents.joined(separator: "\n")) }
        var table = TextTable(["view", "horizon", "versions", dryRun ? "would go" : "removed", "bytes"], right: [2, 3, 4])
        for document in documents {
            let done = try ReadDocuments.decode(RetainedDocument.self, document)
            table.append([
                done.view, done.horizon, done.versionsSeen.grouped, done.versionsRemoved.grouped, done.bytesRemoved.byteText,
            ])
        }
        try Console.print(table.text)
    }
}
