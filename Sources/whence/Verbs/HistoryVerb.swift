import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer

struct HistoryVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show every version of an entity in a view, with its three times, newest first.",
        discussion: """
            Corrections and what they correct, deletions and retractions are all there. '–' is a feature that the version does not \
            carry.

            Example: whence history weather --entity airport=JFK --limit 10 --data store
            """)

    @Argument(help: "The view.")
    var view: String

    @Option(help: ArgumentHelp("The entity's join keys.", valueName: "key=value,…"))
    var entity: String

    @Option(help: ArgumentHelp("Only what was known at this time (default: now).", valueName: "time"))
    var knownAt: String?

    @Option(help: ArgumentHelp("Show no more than so many.", valueName: "n"))
    var limit: Int?

    @OptionGroup var store: StoreArguments

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("'--limit \(limit)' must be 1 or more") }
    }

    func run() throws {
        let pin: Timestamp? = try OptionText.time(knownAt, "--known-at")
        let text = try EntityText(entity)
        let place = try store.place(.read)
        let stored = try place.catalog.view(named: view)
        let keys = stored.entity.joinKeys
        let versions: [Version]
        switch place {
        case .here(let store):
            versions = try store.history(view, try EntityKey(try text.values(of: keys)), knownAt: pin, limit: limit ?? .max)
        case .server(let store):
            versions = try HistoryRows.read(
                try store.history(view, try text.row(of: keys), knownAt: pin), of: stored, limit: limit ?? .max)
        }
        let columns = columns(stored, versions)
        if store.json {
            if !versions.isEmpty { try Console.print(versions.map { json($0, columns).text }.joined(separator: "\n")) }
            return
        }
        guard !versions.isEmpty else { return try Console.print("view '\(view)' has no version of \(entity)") }
        var table = TextTable(["kind", "event time", "commit time", "availability time"] + columns.map(\.name))
        for version in versions {
            let values = Dictionary(version.values.map { ($0.field, $0.value) }) { first, _ in first }
            table.append(
                ["\(version.kind)", "\(version.eventTime)", "\(version.commitTime)", "\(version.availabilityTime)"]
                    + columns.map { values[$0.field]?.cell ?? "–" })
        }
        try Console.print(table.text)
    }

    /// The view's features, then those that have been retired, in the order in which they are met. A retired one whose name another one has
    /// says so.
    private func columns(_ view: StoredView, _ versions: [Version]) -> [(field: UInt32, name: String)] {
        var columns = view.currentSchema.fields.map { (field: $0.id, name: $0.name) }
        for version in versions {
            for (field, name, _) in version.values where !columns.contains(where: { $0.field == field }) {
                let isTaken = columns.contains { $0.name == name }
                columns.append((field, isTaken ? "\(name) (retired, id \(field))" : name))
            }
        }
        return columns
    }

    private func json(_ version: Version, _ columns: [(field: UInt32, name: String)]) -> JSON {
        let names = Dictionary(columns.map { ($0.field, $0.name) }) { first, _ in first }
        return .object([
            ("kind", .string("\(version.kind)")), ("event_time", JSON(version.eventTime)), ("commit_time", JSON(version.commitTime)),
            ("availability_time", JSON(version.availabilityTime)),
            ("features", .object(version.values.map { (names[$0.field] ?? $0.name, JSON($0.value)) })),
        ])
    }
}
