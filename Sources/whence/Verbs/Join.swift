import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol
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

    @Option(help: ArgumentHelp("Memory for spine rows, keys and features; a longer spine goes through temporary files.", valueName: "MiB"))
    var memory = 256

    @Option(help: ArgumentHelp("A directory for these temporary files (default: the store's own).", valueName: "dir"))
    var spillDir: String?

    @Flag(help: "No temporary files: a longer spine is joined block by block, and the first rows come early.")
    var noSpill = false

    @OptionGroup var store: StoreArguments

    func validate() throws {
        if noSpill, spillDir != nil { throw ValidationError("'--no-spill' and '--spill-dir' contradict each other") }
        if !(1...(1 << 20)).contains(memory) { throw ValidationError("'--memory \(memory)' is out of range: 1 to \(1 << 20) MiB") }
    }

    func run() throws {
        let format = if let format { format } else { try OutputFormat(of: out) }
        let pin: Timestamp? = try OptionText.time(knownAt, "--known-at")
        let choice = try spine.choice()
        if case .file(let path) = choice { try OutputPath.check(out, "--out", isNot: [(path, path == "-" ? "standard input" : "--spine")]) }
        let selection = try OptionText.selection(service, features: features)
        switch try store.place(.read) {
        case .here(let store): try join(here: store, choice, selection, pin, format)
        case .server(let store): try join(through: store, choice, selection, pin, format)
        }
    }

    private func join(
        here open: Store, _ choice: SpineArguments.Choice, _ selection: ReadSelection, _ pin: Timestamp?, _ format: OutputFormat
    ) throws {
        let service = try open.catalog.resolve(selection)
        // Nobody else writes while this process has the store open, so without a pin the spine and the join know the same.
        let bar = ProgressBar("join")
        let lookups = ProgressBar("looking up")
        // The join calls this while it is asked for its next block, one call at a time: nobody else moves the bars meanwhile.
        nonisolated(unsafe) let bars = (spine: bar, lookups: lookups)
        let request = WhenceEngine.JoinRequest(
            service: service, eventTimeColumn: spine.eventTime, knownAt: pin, asServed: asServed, memoryBytes: memory << 20,
            spill: noSpill ? .never : spillDir.map { .inDirectory($0) } ?? .inStore, threads: store.threads
        ) { progress in
            switch progress {
            case .spine(let rows): unsafe bars.spine.update(count: rows)
            case .lookup(let rows, let total): unsafe bars.lookups.update(done: rows, of: total, count: rows)
            }
        }
        defer { lookups.clear() }
        switch choice {
        case .file(let path):
            try join(open, request, try spine.fileSpine(path, service, bar), format, bar)
        case .view(let name):
            let scan = try open.scan(
                ScanRequest(
                    view: name, features: spine.viewFeatures, knownAt: pin, from: try spine.start ?? .distantPast,
                    to: try spine.end ?? .distantFuture, eventTimeColumn: spine.eventTime))
            try join(open, request, scan, format, bar)
        case .entities(let name):
            let entities = try open.entities(
                of: name, at: try spine.instants(), from: spine.every == nil ? try spine.start ?? .distantPast : .distantPast,
                knownAt: pin, asServed: asServed, eventTimeColumn: spine.eventTime)
            try join(open, request, entities, format, bar)
        }
    }

    private func join<Source: Spine>(
        _ store: Store, _ request: WhenceEngine.JoinRequest, _ source: Source, _ format: OutputFormat, _ bar: ProgressBar
    ) throws {
        var join = try store.join(request, spine: try RenamedSpine(source, try spine.renames()))
        try write(join.columns, join.knownAt, format, bar, spilledBytes: { join.spilledBytes }) { () throws(WhenceError) in try join.next()
        }
    }

    /// A file is uploaded as it is read; a spine of the store's own is made by the server.
    private func join(
        through store: RemoteStore, _ choice: SpineArguments.Choice, _ selection: ReadSelection, _ pin: Timestamp?, _ format: OutputFormat
    ) throws {
        let renames = try spine.renames()
        let bar = ProgressBar("join")
        let rows: RemoteRows
        func upload(_ source: some Spine, knownAt: Timestamp?) throws -> RemoteRows {
            try store.join(
                selection, try RenamedSpine(source, renames), eventTime: spine.eventTime, knownAt: knownAt, asServed: asServed,
                memoryBytes: memory << 20)
        }
        switch choice {
        case .file(let path):
            rows = try upload(try spine.fileSpine(path, try store.catalog.resolve(selection), nil), knownAt: pin)
        case .view(let name):
            // Through here and back, because a spine may have other names and fewer features than the view.
            let scan = try store.scan(
                name, features: spine.viewFeatures ?? [], knownAt: pin, from: try spine.start ?? .earliest,
                to: try spine.end.map { $0.advanced(by: .microseconds(-1)) } ?? .latest, eventTime: spine.eventTime)
            rows = try upload(
                try LeanSpine(scan, keeping: spine.viewFeatures, of: try store.catalog.view(named: name)), knownAt: scan.knownAt)
        case .entities(let name):
            guard renames.isEmpty else {
                throw UsageError("--rename", "the entities of a view keep their names when a server finds them", hint: "leave --rename out")
            }
            let start = spine.every == nil ? try spine.start ?? .earliest : .earliest
            rows = try store.join(
                selection, source: .entities(view: name, instants: try spine.instants(), from: start, to: .latest),
                eventTime: spine.eventTime, knownAt: pin, asServed: asServed, memoryBytes: memory << 20)
        }
        try write(rows.columns, rows.knownAt ?? .distantPast, format, bar) { () throws(WhenceError) in try rows.next() }
    }

    private func write(
        _ columns: [SpineColumn], _ knownAt: Timestamp, _ format: OutputFormat, _ bar: ProgressBar, spilledBytes: () -> Int = { 0 },
        _ next: () throws(WhenceError) -> ColumnBatch?
    ) throws {
        let start = ContinuousClock.now
        let writer = try format.writer(out, columns: columns.map { TableColumn($0.name, $0.type) })
        var rows = 0
        while let batch = try next() {
            try writer.write(batch)
            rows += batch.count
            bar.update(count: rows)
        }
        bar.clear()
        try writer.finish()
        try answer(
            rows: rows, columns.count, seconds: (ContinuousClock.now - start).inSeconds, knownAt: knownAt, spilled: spilledBytes())
    }

    /// Says what was done; beside the answer where that is on standard output.
    private func answer(rows: Int, _ columns: Int, seconds: Double, knownAt: Timestamp, spilled: Int) throws {
        let rate = seconds > 0 ? Double(rows) / seconds : 0
        let text: String
        if store.json {
            text =
                JSON.object([
                    ("rows", .int(rows)), ("columns", .int(columns)), ("out", .string(out)), ("as_served", .bool(asServed)),
                    ("known_at", JSON(knownAt == .distantPast ? nil : knownAt)), ("seconds", JSON(seconds)),
                    ("rows_per_second", .int(Int(rate))), ("spilled_bytes", .int(spilled)),
                ]).text
        } else {
            text =
                "\(out == "-" ? "standard output" : out): \(rows.counted("row")) of \(columns.counted("column")) in \(seconds.fixed(2)) s (\(rate.compact) rows/s)\n"
                + (spilled > 0 ? "temporary files: \(spilled.byteText)\n" : "")
                + "known_at: \(knownAt)"
        }
        if out == "-" { Console.note(text) } else { try Console.print(text) }
    }
}
