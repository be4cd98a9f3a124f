import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer
import WhenceTabular

struct Ingest: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load a table into a view.",
        discussion: """
            Columns are found by name: the join keys of the view's entity, its event time and availability columns, its features, \
            and '_kind' (row, deletion or retraction). A column that is not there is absent from every row.

            The first bad row stops the load and nothing is written, unless --max-rejects allows some: those go to the rejects \
            file, with line, column and reason, and the exit code is 3.

            Example: whence ingest weather weather.csv.gz --data store --backfill --null NA
            """)

    @Argument(help: "The view.")
    var view: String

    @Argument(help: "A file, plain, gzip or zstd; '-' is standard input.")
    var file: String

    @Option(help: "csv or ndjson (default: by the file's name; csv for standard input).")
    var format: InputFormat?

    @Flag(help: "The bulk path: rows become visible all at once, and are available from their event time on.")
    var backfill = false

    @Option(help: ArgumentHelp("A CSV text that means null, besides the empty cell; may be repeated.", valueName: "text"))
    var null: [String] = []

    @Option(help: ArgumentHelp("The CSV text that means that a row does not carry the column.", valueName: "text"))
    var absent: String?

    @Option(help: ArgumentHelp("Take a column of the table for a name of the view; may be repeated.", valueName: "column=name"))
    var rename: [String] = []

    @Flag(help: "Leave out columns that the view does not know.")
    var ignoreUnknown = false

    @Option(help: ArgumentHelp("What whole numbers count where there are times: s, ms or us since 1970.", valueName: "unit"))
    var epoch: TimeParser.EpochUnit?

    @Flag(help: "Cut off what is finer than a microsecond, instead of refusing it.")
    var floorTimes = false

    @Option(help: ArgumentHelp("Rows of one commit.", valueName: "n"))
    var batchRows = 50_000

    @Option(help: ArgumentHelp("Where rejected rows go (default: FILE.rejects.csv).", valueName: "file"))
    var rejects: String?

    @Option(help: ArgumentHelp("Go on until more rows than this are bad.", valueName: "n"))
    var maxRejects = 0

    @Option(help: ArgumentHelp("Names this load, so that repeating it writes nothing twice.", valueName: "key"))
    var idempotencyKey: String?

    @OptionGroup var store: StoreArguments

    func validate() throws {
        if !(1...Limits.batchRows).contains(batchRows) {
            throw ValidationError("'--batch-rows \(batchRows)' is out of range: 1 to \(Limits.batchRows)")
        }
        if maxRejects < 0 { throw ValidationError("'--max-rejects \(maxRejects)' is negative") }
        if let idempotencyKey, !(1...CommitKey.longest).contains(idempotencyKey.utf8.count) {
            throw ValidationError("an --idempotency-key has 1 to \(CommitKey.longest) bytes, not \(idempotencyKey.utf8.count)")
        }
    }

    func run() throws {
        let format = if let format { format } else { try InputFormat(of: file, option: "--format") }
        let renames = try OptionText.pairs(rename, "--rename")
        let rejectsPath = rejects ?? (file == "-" ? "whence.rejects.csv" : "\(file).rejects.csv")
        try OutputPath.check(rejectsPath, "--rejects", isNot: [(file, file == "-" ? "standard input" : "the table")])
        let place = try store.place(.write)
        if backfill, idempotencyKey != nil, case .server = place {
            throw UsageError(
                "ingest", "a backfill through a server takes no --idempotency-key",
                hint: "leave it out, and look with 'history' where it is not known whether the backfill was published")
        }
        let stored = try place.catalog.view(named: view)
        let target: any LoadTarget =
            switch place {
            case .here(let store): try backfill ? StoreBackfill(store, stored, idempotencyKey: idempotencyKey) : StoreWrites(store, stored)
            case .server(let store): backfill ? ServerBackfill(store, stored) : ServerWrites(store, stored)
            }
        var mapping = RowMapping.Choices(renames: renames, ignoreUnknown: ignoreUnknown, epoch: epoch, floorTimes: floorTimes)
        if case .here(let store) = place, idempotencyKey == nil {
            // Under a key a batch that was committed before is answered with that, whatever the horizon is by now.
            mapping.horizon = store.statistics().views.first { $0.name == view }?.horizon
        }
        let load = Load(
            target, stored,
            Load.Choices(
                path: file, format: format, nulls: null, absent: absent,
                mapping: mapping, batchRows: batchRows, rejectsPath: rejectsPath,
                maxRejects: maxRejects, idempotencyKey: idempotencyKey))
        let start = ContinuousClock.now
        try backfill ? load.backfill() : load.write()
        let seconds = (ContinuousClock.now - start).inSeconds
        switch place {
        case .here(let store): try answer(load, seconds: seconds, knownAt: store.statistics().lastCommit)
        // Others may have committed since; what this load wrote is known at its own last commit.
        case .server: try answer(load, seconds: seconds, knownAt: load.commits.last?.time)
        }
        if load.rejected > 0 { throw Run.doneWithRejects }
    }

    private func answer(_ load: Load, seconds: Double, knownAt: Timestamp?) throws {
        let rate = seconds > 0 ? Double(load.rows) / seconds : 0
        let repeated = load.commits.count { $0.wasRepeated }
        let rejectsFile = load.rejected > 0 ? load.rejectsPath : nil
        if store.json {
            return try Console.print(
                JSON.object([
                    ("view", .string(view)), ("rows", .int(load.rows)), ("rejected", .int(load.rejected)),
                    ("rejects_file", rejectsFile.map { .string($0) } ?? .null), ("backfill", .bool(backfill)),
                    ("commits", .int(load.commits.count)), ("repeated_commits", .int(repeated)),
                    ("first_commit", JSON(load.commits.first?.time)), ("last_commit", JSON(load.commits.last?.time)),
                    ("known_at", JSON(knownAt)), ("seconds", JSON(seconds)), ("rows_per_second", .int(Int(rate))),
                ]))
        }
        var text = "\(view): \(load.rows.counted("row")) in \(seconds.fixed(2)) s (\(rate.compact) rows/s)"
        text += backfill ? ", backfilled\n" : ", in \(load.commits.count.counted("commit"))\n"
        if repeated > 0 {
            text += "\(repeated.counted("commit")) had been made before, and \(repeated == 1 ? "was" : "were") not repeated\n"
        }
        if let rejectsFile { text += "\(load.rejected.counted("row")) rejected: see \(rejectsFile)\n" }
        if let first = load.commits.first, let last = load.commits.last, load.commits.count > 1 {
            text += "committed from \(first.time) to \(last.time)\n"
        }
        if let knownAt { text += "known_at: \(knownAt)" }
        try Console.print(text)
    }
}
