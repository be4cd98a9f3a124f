import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer
import WhenceTabular

struct Scan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write every row of a view to a file: join keys, event time, and the features it carries.",
        discussion: """
            Rows come by entity, and of an entity from the newest on. Of several versions of one event time the newest counts; what \
            was deleted or retracted is left out. The file appears when it is whole. Prints the pin that gives the same rows again \
            (--known-at).

            Examples:
              whence scan planes --first-entity tailnum=N1 --last-entity tailnum=N2 \\
                --out planes.csv --data store
              whence scan weather --from 2013-07-01T00:00:00Z --features temp \\
                --out july.arrow --data store
            """)

    @Argument(help: "The view.")
    var view: String

    @Option(help: ArgumentHelp("Only rows whose event time is at or after this.", valueName: "time"))
    var from: String?

    @Option(help: ArgumentHelp("Only rows whose event time is before this.", valueName: "time"))
    var to: String?

    @Option(help: ArgumentHelp("Only entities from this one on: NAME=VALUE,…, of the first join keys or all.", valueName: "entity"))
    var firstEntity: String?

    @Option(help: ArgumentHelp("Only entities up to this one, itself included.", valueName: "entity"))
    var lastEntity: String?

    @Option(help: ArgumentHelp("Only what was known at this time (default: now).", valueName: "time"))
    var knownAt: String?

    @Option(help: ArgumentHelp("Only these features, separated by commas; 'none' for none.", valueName: "list"))
    var features: String?

    @Option(help: ArgumentHelp("The name of the column of event times.", valueName: "column"))
    var eventTime = "event_time"

    @Option(help: ArgumentHelp("The file to write, packed if it ends in .gz or .zst; '-' is standard output.", valueName: "file"))
    var out: String

    @Option(help: "csv, ndjson or arrow (default: by the file's name).")
    var format: OutputFormat?

    @OptionGroup var store: StoreArguments

    /// Rows that are in memory at a time.
    private static let batchRows = 16_384

    func run() throws {
        let format = if let format { format } else { try OutputFormat(of: out) }
        let features = features.map { $0 == "none" ? [] : $0.split(separator: ",").map(String.init) }
        let pin: Timestamp? = try OptionText.time(knownAt, "--known-at")
        let first: Timestamp? = try OptionText.time(from, "--from")
        let end: Timestamp? = try OptionText.time(to, "--to")
        let bounds = try [("--first-entity", firstEntity), ("--last-entity", lastEntity)].map { option, text in
            try text.map { try EntityText($0, option: option) }
        }
        switch try store.place(.read) {
        case .here(let store):
            // With a time range or corrections there are fewer rows than versions.
            let isWhole = first == nil && end == nil && firstEntity == nil && lastEntity == nil
            let estimate = isWhole ? store.statistics().views.first { $0.name == view }?.versions : nil
            let keys = try store.catalog.view(named: view).entity.joinKeys
            let scan = try store.scan(
                ScanRequest(
                    view: view, features: features, knownAt: pin, from: first ?? .distantPast, to: end ?? .distantFuture,
                    eventTimeColumn: eventTime, firstKey: try bounds[0].map { try EntityKey($0.firstValues(of: keys)) },
                    lastKey: try bounds[1].map { try EntityKey($0.firstValues(of: keys)) }))
            try write(scan, knownAt: scan.knownAt, format, estimate)
        case .server(let store):
            let keys = try store.catalog.view(named: view).entity.joinKeys
            let rows = try store.scan(
                view, features: features ?? [], knownAt: pin, from: first ?? .earliest,
                to: end.map { $0.advanced(by: .microseconds(-1)) } ?? .latest, eventTime: eventTime,
                firstKey: try bounds[0].map { try $0.firstRow(of: keys) }, lastKey: try bounds[1].map { try $0.firstRow(of: keys) })
            let lean = try LeanSpine(rows, keeping: features, of: try store.catalog.view(named: view))
            try write(lean, knownAt: rows.knownAt ?? .distantPast, format, nil)
        }
    }

    private func write<Rows: Spine>(_ rows: Rows, knownAt: Timestamp, _ format: OutputFormat, _ estimate: Int?) throws {
        let start = ContinuousClock.now
        var scan = rows
        let writer = try format.writer(out, columns: scan.columns.map { TableColumn($0.name, $0.type) })
        let bar = ProgressBar("scan")
        var count = 0
        while let batch = try scan.next(maxRows: Scan.batchRows) {
            try writer.write(batch)
            count += batch.count
            bar.update(done: count, of: estimate, count: count)
        }
        bar.clear()
        try writer.finish()
        try answer(rows: count, scan.columns.count, seconds: (ContinuousClock.now - start).inSeconds, knownAt: knownAt)
    }

    /// Says what was done; beside the rows where those are on standard output.
    private func answer(rows: Int, _ columns: Int, seconds: Double, knownAt: Timestamp) throws {
        let text: String
        if store.json {
            text =
                JSON.object([
                    ("view", .string(view)), ("rows", .int(rows)), ("columns", .int(columns)), ("out", .string(out)),
                    ("known_at", JSON(knownAt == .distantPast ? nil : knownAt)), ("seconds", JSON(seconds)),
                ]).text
        } else {
            text =
                "\(out == "-" ? "standard output" : out): \(rows.counted("row")) of \(columns.counted("column")) in \(seconds.fixed(2)) s\n"
                + "known_at: \(knownAt)"
        }
        if out == "-" { Console.note(text) } else { try Console.print(text) }
    }
}
