import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer

struct AdminCompact: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact",
        abstract: "Rewrite views into their smallest and fastest form.",
        discussion: "Example: whence admin compact weather --data store")

    @Argument(help: "The views (default: all).")
    var views: [String] = []

    @OptionGroup var store: StoreArguments

    func run() throws {
        let open = try store.open(.write)
        let catalog = open.catalog
        for view in views { _ = try catalog.view(named: view) }
        let names = views.isEmpty ? catalog.views.keys.sorted() : views
        let bar = ProgressBar("compacting", unit: "views")
        var lines: [String] = []
        var table = TextTable(["view", "before", "after", "seconds"], right: [1, 2, 3])
        for (index, name) in names.enumerated() {
            bar.update(done: index, of: names.count, count: index)
            let start = ContinuousClock.now
            try open.flush(name)
            let before = bytes(open, name)
            try open.compact(name)
            let after = bytes(open, name)
            let took = ContinuousClock.now - start
            table.append([name, before.byteText, after.byteText, took.inSeconds.fixed(2)])
            lines.append(StoreDocuments.compacted(name, bytesBefore: before, bytesAfter: after, took: took).text)
        }
        bar.clear()
        guard !names.isEmpty else { return store.json ? () : try Console.print("there are no views") }
        try Console.print(store.json ? lines.joined(separator: "\n") : table.text)
    }

    private func bytes(_ store: Store, _ view: String) -> Int { store.statistics().views.first { $0.name == view }?.fileBytes ?? 0 }
}
