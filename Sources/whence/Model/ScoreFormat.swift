import ArgumentParser

/// A format of tables that rows to score are read from.
enum ScoreFormat: String, ExpressibleByArgument, CaseIterable {
    case csv, ndjson, arrow

    /// The format that a name ends in, packed or not; CSV for standard input.
    init(of path: String) throws {
        if path == "-" {
            self = .csv
            return
        }
        switch FileName.suffix(of: path) {
        case "csv": self = .csv
        case "ndjson", "jsonl", "json": self = .ndjson
        case "arrow", "arrows", "feather", "ipc": self = .arrow
        default:
            throw UsageError(
                path, "the name does not say what format the file has", hint: "say it with --input-format csv, ndjson or arrow")
        }
    }
}
