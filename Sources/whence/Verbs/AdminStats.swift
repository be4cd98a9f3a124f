import ArgumentParser
import WhenceCore
import WhenceEngine
import WhenceServer

struct AdminStats: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show what the store holds and how it stands.",
        discussion: "Example: whence admin stats --data store")

    @OptionGroup var store: StoreArguments

    func run() throws {
        let document: String
        switch try store.place(.read) {
        case .here(let store): document = StoreDocuments.statistics(store.statistics()).text
        case .server(let store): document = try store.statistics()
        }
        try Console.print(store.json ? document : text(try ReadDocuments.decode(StatisticsDocument.self, document)))
    }

    private func text(_ statistics: StatisticsDocument) -> String {
        var text = "store        \(statistics.path), format \(statistics.formatVersion)\n"
        text += "catalog      version \(statistics.catalogVersion), \(statistics.views.count.counted("view"))\n"
        text += "last commit  \(statistics.lastCommit ?? "none yet")\n"
        text += "on disk      \(statistics.views.reduce(0) { $0 + $1.fileBytes }.byteText)"
        text += " in \(statistics.views.reduce(0) { $0 + $1.files }.counted("file"))\n"
        text += "block cache  \(statistics.blockCacheUsedBytes.byteText) of \(statistics.blockCacheBytes.byteText)\n"
        if statistics.isWriteStopped { text += "writes are stopped: compaction does not keep up\n" }
        if statistics.backgroundErrors > 0 {
            text += "errors in the background: \(statistics.backgroundErrors); see the LOG file in the store\n"
        }
        guard !statistics.views.isEmpty else { return text }
        var table = TextTable(
            ["view", "versions", "on disk", "files by level", "in memory", "to compact", "history from"], right: [1, 2, 4, 5])
        for view in statistics.views {
            table.append([
                view.name, "\(view.versionsEstimated.grouped)", view.fileBytes.byteText,
                view.filesByLevel.map(String.init).joined(separator: " "),
                view.memtableBytes.byteText, view.pendingCompactionBytes.byteText, view.horizon ?? "the beginning",
            ])
        }
        return text + "\n" + table.text + "\nVersions are estimated.\n"
    }
}
