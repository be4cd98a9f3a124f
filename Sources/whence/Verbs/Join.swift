import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer
import WhenceTabular

struct Join: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Join features to a spine, each row as of its own time.",
        discussion: """
            The spine, the rows to start from, is a file (--spine), every row of a view (--spine-view), or the entities of a view at \
            some instants (--entities-of). Its other columns, such as labels, are passed through. The file of the answer appears \
            when it is whole. Prints the pin that gives the same answer again (--known-at).

            Example:
              whence join --service departure_delay --spine flights.csv \\
                --out set.arrow --data store
            """)

    @Option(help: ArgumentHelp("The service to read: NAME or NAME@VERSION.", valueName: "service"))
    var service: String?

    @Option(help: ArgumentHelp("Features to read instead: VIEW.FEATURE or VIEW.*, separated by commas.", valueName: "list"))
    var features: [String] = []

    @OptionGroup(title: "Spine") var spine: SpineArguments

    @Option(help: ArgumentHelp("The file to write, packed if it ends in .gz or .zst; '-' is standard output.", valueName: "file"))
    var out: String

    @Option(help: "csv, ndjson or arrow (default: by the file's name).")
    var format: OutputFormat?

    @Option(help: ArgumentHelp("Only what was known at this time (default: now).", valueName: "time"))
    var knownAt: String?

    @Flag(help: "Leave out, row by row, what serving could not have seen yet.")
    var asServed = false

    @Option(help: ArgumentHelp("Memory for one block of rows.", valueName: "MiB"))
    var memory = 256

    @OptionGroup var store: StoreArguments

    func validate() throws {
        if !(1...(1 << 20)).contains(memory) { throw ValidationError("'--memory \(memory)' is out of range: 1 to \(1 << 20) MiB") }
    }

    func run() throws {
        let format = if let format { format } else { try OutputFormat(of: out) }
        let pin: Timestamp? = try OptionText.time(knownAt, "--known-at")
        let choice = try spine.choice()
        let open = try store.open(.read)
        let service = try OptionText.service(service, features: features, in: open.catalog)
        // Nobody else writes while this process has the store open, so without a pin the spine and the join know the same.
        let request = JoinRequest(
            service: service, eventTimeColumn: spine.eventTime, knownAt: pin, asServed: asServed, memoryBytes: memory << 20,
            threads: store.threads)
        switch choice {
        case .file(let path):
            let bar = ProgressBar("join")
            try join(open, request, try spine.fileSpine(path, service, bar), format, bar)
        case .view(let name):
            let scan = try open.scan(
                ScanRequest(
                    view: name, features: spine.viewFeatures, knownAt: pin, from: try spine.start ?? .distantPast,
                    to: try spine.end ?? .distantFuture, eventTimeColumn: spine.eventTime))
            try join(open, request, scan, format, ProgressBar("join"))
        case .entities(let name):
            let entities = try open.entities(
                of: name, at: try spine.instants(), from: spine.every == nil ? try spine.start ?? .distantPast : .distantPast,
                knownAt: pin, asServed: asServed, eventTimeColumn: spine.eventTime)
            try join(open, request, entities, format, ProgressBar("join"))
        }
    }

    private func join<Source: Spine>(
        _ store: Store, _ request: JoinRequest, _ source: Source, _ format: OutputFormat, _ bar: ProgressBar
    ) throws {
        let start = ContinuousClock.now
        var join = try store.join(request, spine: try RenamedSpine(source, try spine.renames()))
        let writer = try format.writer(out, columns: join.columns.map { TableColumn($0.name, $0.type) })
        var rows = 0
        while let batch = try join.next() {
            try writer.write(batch)
            rows += batch.count
            bar.update(count: rows)
        }
        bar.clear()
        try writer.finish()
        try answer(rows: rows, join.columns.count, seconds: (ContinuousClock.now - start).inSeconds, knownAt: join.knownAt)
    }

    /// Says what was done; beside the answer where that is on standard output.
    private func answer(rows: Int, _ columns: Int, seconds: Double, knownAt: Timestamp) throws {
        let rate = seconds > 0 ? Double(rows) / seconds : 0
        let text: String
        if store.json {
            text =
                JSON.object([
                    ("rows", .int(rows)), ("columns", .int(columns)), ("out", .string(out)), ("as_served", .bool(asServed)),
                    ("known_at", JSON(knownAt == .distantPast ? nil : knownAt)), ("seconds", JSON(seconds)),
                    ("rows_per_second", .int(Int(rate))),
                ]).text
        } else {
            text =
                "\(out == "-" ? "standard output" : out): \(rows.counted("row")) of \(columns.counted("column")) in \(seconds.fixed(2)) s (\(rate.compact) rows/s)\n"
                + "known_at: \(knownAt)"
        }
        if out == "-" { Console.note(text) } else { try Console.print(text) }
    }
}
