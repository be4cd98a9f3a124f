import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceTabular

/// Where the rows of a join come from.
struct SpineArguments: ParsableArguments {
    @Option(help: ArgumentHelp("A file of entities and event times; '-' is standard input.", valueName: "file"))
    var spine: String?

    @Option(help: ArgumentHelp("Every row of a view, with its features, from --from until before --to.", valueName: "view"))
    var spineView: String?

    @Option(help: ArgumentHelp("The entities of a view at the instants that --at or --every name.", valueName: "view"))
    var entitiesOf: String?

    @Option(help: ArgumentHelp("An instant for --entities-of; may be repeated.", valueName: "time"))
    var at: [String] = []

    @Option(help: ArgumentHelp("Instants for --entities-of: from --from until before --to, so far apart.", valueName: "duration"))
    var every: String?

    @Option(help: ArgumentHelp("The start of the time range; with --at: leave out entities without a row since then.", valueName: "time"))
    var from: String?

    @Option(help: ArgumentHelp("The end of the time range, not in it.", valueName: "time"))
    var to: String?

    @Option(help: ArgumentHelp("The spine's column of event times.", valueName: "column"))
    var eventTime = "event_time"

    @Option(help: ArgumentHelp("The zone of times in the file that name none, as in America/New_York.", valueName: "zone"))
    var zone: String?

    @Option(help: ArgumentHelp("What whole numbers count where there are times: s, ms or us since 1970.", valueName: "unit"))
    var epoch: TimeParser.EpochUnit?

    @Flag(help: "Cut off what is finer than a microsecond in times of the file, instead of refusing it.")
    var floorTimes = false

    @Option(help: ArgumentHelp("The type of a column of the file; text in CSV unless stated; may be repeated.", valueName: "name=type"))
    var column: [String] = []

    @Option(help: ArgumentHelp("A CSV text that means null, besides the empty cell; may be repeated.", valueName: "text"))
    var null: [String] = []

    @Option(help: ArgumentHelp("Another name for a column of the spine; may be repeated.", valueName: "column=name"))
    var rename: [String] = []

    @Option(help: ArgumentHelp("With --spine-view: only these features, separated by commas; 'none' for none.", valueName: "list"))
    var spineFeatures: String?

    @Option(help: "csv or ndjson (default: by the file's name; csv for standard input).")
    var spineFormat: InputFormat?

    enum Choice { case file(String), view(String), entities(String) }

    private static let instantsMax = 1 << 20

    /// Which of the three spines is meant; exactly one of them.
    func choice() throws -> Choice {
        switch (spine, spineView, entitiesOf) {
        case (let path?, nil, nil):
            guard at.isEmpty, every == nil, from == nil, to == nil else {
                throw UsageError("--spine", "a file says its times itself", hint: "leave out --at, --every, --from and --to")
            }
            return .file(path)
        case (nil, let view?, nil):
            guard at.isEmpty, every == nil else {
                throw UsageError(
                    "--spine-view", "the rows of a view have their own times", hint: "leave out --at and --every, or use --entities-of")
            }
            return .view(view)
        case (nil, nil, let view?):
            guard at.isEmpty != (every == nil) else {
                throw UsageError(
                    "--entities-of", "nothing, or too much, says at which instants",
                    hint: "use --at TIME, or --every DURATION --from TIME --to TIME")
            }
            return .entities(view)
        case (nil, nil, nil):
            throw UsageError("arguments", "there is no spine", hint: "use --spine FILE, --spine-view VIEW, or --entities-of VIEW --at TIME")
        default: throw UsageError("arguments", "there is more than one spine", hint: "use one of --spine, --spine-view and --entities-of")
        }
    }

    var start: Timestamp? { get throws { try OptionText.time(from, "--from") } }
    var end: Timestamp? { get throws { try OptionText.time(to, "--to") } }

    func renames() throws -> [String: String] { try OptionText.pairs(rename, "--rename") }

    /// Nil for all features of the view.
    var viewFeatures: [String]? {
        spineFeatures.map { $0 == "none" ? [] : $0.split(separator: ",").map(String.init) }
    }

    func instants() throws -> [Timestamp] {
        guard let every else { return try at.map { try OptionText.time($0, "--at") } }
        let step = try OptionText.duration(every, "--every")
        guard let start = try start, let end = try end, start < end else {
            throw UsageError("--every", "there is no time range", hint: "add --from TIME --to TIME, the first before the second")
        }
        guard end.since(start).microseconds / step.microseconds < SpineArguments.instantsMax else {
            throw UsageError(
                "--every", "these are more than \(SpineArguments.instantsMax) instants", hint: "take a longer step, or a shorter range")
        }
        return Array(sequence(first: start) { $0.advanced(by: step) }.prefix { $0 < end })
    }

    /// A spine from a file, which moves `bar`, where there is one, as it is read.
    func fileSpine(_ path: String, _ service: ResolvedService, _ bar: ProgressBar?) throws -> FileSpine {
        let format = if let spineFormat { spineFormat } else { try InputFormat(of: path, option: "--spine-format") }
        let renames = try renames()
        let stated = try OptionText.types(column, "--column")
        let times = try parser()
        let plain = try format.reader(path, nulls: null, absent: nil)
        let reader: any RecordReader = if let bar, bar.isShown { WatchedReader(plain, bar) } else { plain }
        // The file's own names: those of the service, unless a column is renamed to one.
        func own(_ name: String) -> String { renames.first { $0.value == name }?.key ?? name }
        var types = Dictionary(service.joinColumns.map { (own($0.name), $0.type.columnType) }) { first, _ in first }
        types.merge(stated) { _, stated in stated }
        let rows = try SpineReader(reader, eventTimeColumn: own(eventTime), times: times, types: types)
        return try FileSpine(rows, discoversColumns: reader.discoversColumns)
    }

    private func parser() throws -> TimeParser {
        do throws(WhenceError) {
            return try TimeParser(epochUnit: epoch, zone: zone, floor: floorTimes)
        } catch {
            throw UsageError(error.at("--zone"))
        }
    }
}
