import ArgumentParser
import Foundation
import WhenceCore
import WhenceModels
import WhenceServer
import WhenceTabular

struct ModelScore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Predict with a model file for every row of a table.",
        discussion: """
            Columns are found by the names of the model's features; what is missing is an error, what the model has no use for is named. The \
            predictions are the library's own. The file of the answer appears when it is whole.

            Example:
              whence model score --file model.txt --input rows.csv --keep id --out scores.csv
            """)

    @Option(help: ArgumentHelp("The model's file.", valueName: "file"))
    var file: String

    @Option(help: ArgumentHelp("The rows: CSV, NDJSON or an Arrow stream, also packed; '-' is standard input.", valueName: "file"))
    var input: String

    @Option(help: "csv, ndjson or arrow (default: by the file's name; csv for standard input).")
    var inputFormat: ScoreFormat?

    @Option(help: ArgumentHelp("The file to write, packed if it ends in .gz or .zst; '-' is standard output.", valueName: "file"))
    var out: String

    @Option(help: "csv, ndjson or arrow, for the answer (default: by the file's name).")
    var format: OutputFormat?

    @Flag(help: "Raw scores (margins), before the objective's transform.")
    var raw = false

    @Flag(help: "What each feature adds to the raw score (TreeSHAP), a column for each.")
    var contrib = false

    @Flag(help: "The leaf of each tree, as the library counts leaves: a list in the column 'leaves'.")
    var leaf = false

    @Option(help: ArgumentHelp("A column of the input that goes through to the answer; may be repeated.", valueName: "column"))
    var keep: [String] = []

    @Option(help: ArgumentHelp("Only these iterations: N for the first N, or FROM:TO, counted from 0, without TO.", valueName: "range"))
    var iterations: String?

    @Flag(help: "Take the columns in order, not by name.")
    var byPosition = false

    @Flag(help: "Score features without a column as missing.")
    var allowMissing = false

    @Option(
        help: ArgumentHelp("Threads that predict (default: as many as there are processors); the answers are the same.", valueName: "n"))
    var threads: Int?

    @Option(help: ArgumentHelp("A CSV text that means null, besides the empty cell; may be repeated.", valueName: "text"))
    var null: [String] = []

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let start = ContinuousClock.now
        let format = if let format { format } else { try OutputFormat(of: out) }
        let inputFormat = if let inputFormat { inputFormat } else { try ScoreFormat(of: input) }
        try OutputPath.check(out, "--out", isNot: [(input, input == "-" ? "standard input" : "--input"), (file, "--file")])
        let choices = Score.Choices(
            isRaw: raw, leaves: leaf, contributions: contrib, keep: keep, byPosition: byPosition, allowsMissing: allowMissing,
            iterations: try range(), threads: try threadCount())
        let model = try Model.read(.file(file))
        if contrib, let lack = model.contributionsLack {
            throw UsageError(
                "--contrib", "this model has no contributions: \(lack)", hint: "'whence model inspect' says what a model can do")
        }
        if leaf, model.treeCount == 0 || model.format == .onnx { throw UsageError("--leaf", "this model has no leaves that can be told") }
        if byPosition, inputFormat == .ndjson {
            throw UsageError("--by-position", "the columns of NDJSON have no order", hint: "use CSV or Arrow")
        }
        let source = try source(model, choices, inputFormat)
        let score = Score(
            model, choices, place: input == "-" ? "standard input" : input, columnsMayCome: inputFormat == .ndjson)
        let bar = ProgressBar("score")
        var writer: (any RowWriter)?
        while let batch = try source.next(maxRows: Score.batchRows) {
            let answer = try score.score(batch, texts: source.texts, all: source.columns) { warning in
                bar.clear()
                Console.warn(warning, asJSON: json)
            }
            if writer == nil {
                writer = try format.writer(out, columns: zip(answer.names, answer.columns).map { TableColumn($0, $1.type) })
            }
            try writer?.write(answer)
            bar.update(done: source.bytesRead, of: source.totalBytes, count: score.rows)
        }
        bar.clear()
        try score.checkEmpty(source.columns) { Console.warn($0, asJSON: json) }
        if writer == nil { writer = try format.writer(out, columns: try score.outputColumns(kept: keep.map { TableColumn($0, .string) })) }
        try writer?.finish()
        try answer(score.rows, model, seconds: (ContinuousClock.now - start).inSeconds)
    }

    private func source(_ model: Model, _ choices: Score.Choices, _ format: ScoreFormat) throws(WhenceError) -> any ScoreSource {
        let type = Score.columnType(model, choices)
        let truths = [model.text(of: false), model.text(of: true)]
        switch format {
        case .csv:
            return TextScoreSource(
                try CSVReader(try ByteSource(path: input), options: CSVReader.Options(nullTexts: Set(null), absentText: nil)), keep: keep,
                truths: truths, type: type)
        case .ndjson: return TextScoreSource(NDJSONReader(try ByteSource(path: input)), keep: keep, truths: truths, type: type)
        case .arrow: return try ArrowScoreSource(input) { keep.contains($1) || type($0, $1) != nil }
        }
    }

    private func threadCount() throws -> Int {
        guard let threads else { return ProcessInfo.processInfo.activeProcessorCount }
        guard (1...1024).contains(threads) else {
            throw UsageError("--threads", "\(threads) is no number of threads", hint: "1 to 1024 can be given")
        }
        return threads
    }

    private func range() throws -> Range<Int>? {
        guard let iterations else { return nil }
        let parts = iterations.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count <= 2, let first = parts.first ?? nil, let last = parts.last ?? nil, first >= 0, parts.count == 1 || first <= last
        else {
            throw UsageError("--iterations", "'\(iterations)' is neither N nor FROM:TO", hint: "write 100 for the first hundred, or 50:100")
        }
        return parts.count == 1 ? 0..<last : first..<last
    }

    /// Says what was done; beside the answer where that is on standard output.
    private func answer(_ rows: Int, _ model: Model, seconds: Double) throws {
        let rate = seconds > 0 ? Double(rows) / seconds : 0
        let text: String
        if json {
            text =
                JSON.object([
                    ("rows", .int(rows)), ("out", .string(out)), ("format", .string(model.format.rawValue)), ("seconds", JSON(seconds)),
                    ("rows_per_second", .int(Int(rate))),
                ]).text
        } else {
            text =
                "\(out == "-" ? "standard output" : out): \(rows.counted("row")) scored in \(seconds.fixed(2)) s (\(rate.compact) rows/s)"
        }
        if out == "-" { Console.note(text) } else { try Console.print(text) }
    }
}
