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
        let open = try store.open(dryRun ? .read : .write)
        let catalog = open.catalog
        for view in views { _ = try catalog.view(named: view) }
        let names = views.isEmpty ? catalog.views.values.filter { $0.definition.retention != nil }.map(\.definition.name).sorted() : views
        let estimates = Dictionary(open.statistics().views.map { ($0.name, $0.versions) }) { first, _ in first }
        var lines: [String] = []
        var table = TextTable(["view", "horizon", "versions", dryRun ? "would go" : "removed", "bytes"], right: [2, 3, 4])
        for name in names {
            let bar = ProgressBar("retain \(name)", unit: "versions")
            let report = try open.retain(name, horizon: horizon, dryRun: dryRun) { seen in
                bar.update(done: seen, of: estimates[name], count: seen)
            }
            bar.clear()
            table.append([
                name, "\(report.horizon)", report.versionsSeen.grouped, report.versionsRemoved.grouped, report.bytesRemoved.byteText,
            ])
            lines.append(StoreDocuments.retained(report, dryRun: dryRun).text)
        }
        guard !names.isEmpty else { return store.json ? () : try Console.print("no view declares a retention") }
        try Console.print(store.json ? lines.joined(separator: "\n") : table.text)
    }
}
