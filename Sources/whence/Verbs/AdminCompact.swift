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
        let place = try store.place(.write)
        let catalog = place.catalog
        for view in views { _ = try catalog.view(named: view) }
        let names = views.isEmpty ? catalog.views.keys.sorted() : views
        let bar = ProgressBar("compacting", unit: "views")
        var documents: [String] = []
        for (index, name) in names.enumerated() {
            bar.update(done: index, of: names.count, count: index)
            switch place {
            case .here(let store): documents.append(try compact(store, name))
            case .server(let store): documents.append(try store.compact(name))
            }
        }
        bar.clear()
        guard !names.isEmpty else { return store.json ? () : try Console.print("there are no views") }
        if store.json { return try Console.print(documents.joined(separator: "\n")) }
        var table = TextTable(["view", "before", "after", "seconds"], right: [1, 2, 3])
        for document in documents {
            let done = try ReadDocuments.decode(CompactedDocument.self, document)
            table.append([done.view, done.bytesBefore.byteText, done.bytesAfter.byteText, done.seconds.fixed(2)])
        }
        try Console.print(table.text)
    }

    private func compact(_ store: Store, _ name: String) throws(WhenceError) -> String {
        let start = ContinuousClock.now
        try store.flush(name)
        let before = bytes(store, name)
        try store.compact(name)
        return StoreDocuments.compacted(name, bytesBefore: before, bytesAfter: bytes(store, name), took: ContinuousClock.now - start).text
    }

    private func bytes(_ store: Store, _ view: String) -> Int { store.statistics().views.first { $0.name == view }?.fileBytes ?? 0 }
}
