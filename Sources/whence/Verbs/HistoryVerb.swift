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
        let open = try store.open(.read)
        let stored = try open.catalog.view(named: view)
        let key = try EntityKey(try text.values(of: stored.entity.joinKeys))
        let versions = try open.history(view, key, knownAt: pin, limit: limit ?? .max)
        if store.json {
            if !versions.isEmpty { try Console.print(versions.map { json($0).text }.joined(separator: "\n")) }
            return
        }
        guard !versions.isEmpty else { return try Console.print("view '\(view)' has no version of \(entity)") }
        let names = columns(stored, versions)
        var table = TextTable(["kind", "event time", "commit time", "availability time"] + names)
        for version in versions {
            let values = Dictionary(version.values.map { ($0.name, $0.value) }) { first, _ in first }
            table.append(
                ["\(version.kind)", "\(version.eventTime)", "\(version.commitTime)", "\(version.availabilityTime)"]
                    + names.map { values[$0]?.cell ?? "–" })
        }
        try Console.print(table.text)
    }

    /// The view's features, then those that have been retired.
    private func columns(_ view: StoredView, _ versions: [Version]) -> [String] {
        var names = view.currentSchema.fields.map(\.name)
        for version in versions {
            for (name, _) in version.values where !names.contains(name) { names.append(name) }
        }
        return names
    }

    private func json(_ version: Version) -> JSON {
        .object([
            ("kind", .string("\(version.kind)")), ("event_time", JSON(version.eventTime)), ("commit_time", JSON(version.commitTime)),
            ("availability_time", JSON(version.availabilityTime)),
            ("features", .object(version.values.map { ($0.name, JSON($0.value)) })),
        ])
    }
}
