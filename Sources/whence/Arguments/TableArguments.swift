import ArgumentParser
import WhenceCore
import WhenceTabular

/// A format of tables that are read.
enum InputFormat: String, ExpressibleByArgument, CaseIterable {
    case csv, ndjson

    /// The format that a name ends in, packed or not; CSV for standard input.
    init(of path: String, option: String) throws {
        if path == "-" {
            self = .csv
            return
        }
        switch FileName.suffix(of: path) {
        case "csv": self = .csv
        case "ndjson", "jsonl", "json": self = .ndjson
        default:
            throw UsageError(path, "the name does not say what format the file has", hint: "say it with \(option) csv or \(option) ndjson")
        }
    }

    /// A reader of `path`, or of standard input where it is `-`.
    func reader(_ path: String, nulls: [String], absent: String?) throws(WhenceError) -> any RecordReader {
        let source = try ByteSource(path: path)
        switch self {
        case .csv: return try CSVReader(source, options: CSVReader.Options(nullTexts: Set(nulls), absentText: absent))
        case .ndjson: return NDJSONReader(source)
        }
    }
}

/// A format of tables that are written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case csv, ndjson, arrow

    /// The format that a name ends in, packed or not; CSV for standard output.
    init(of path: String) throws {
        if path == "-" {
            self = .csv
            return
        }
        switch FileName.suffix(of: path) {
        case "csv": self = .csv
        case "ndjson", "jsonl": self = .ndjson
        case "arrow", "arrows": self = .arrow
        default:
            throw UsageError(path, "the name does not say what format to write", hint: "say it with --format csv, ndjson or arrow")
        }
    }

    /// A writer of a file that appears when it is whole, or of standard output where `path` is `-`.
    func writer(_ path: String, columns: [TableColumn]) throws(WhenceError) -> any RowWriter {
        let sink = try ByteSink(path: path)
        switch self {
        case .csv: return try CSVWriter(sink, columns: columns)
        case .ndjson: return NDJSONWriter(sink, columns: columns)
        case .arrow: return try ArrowStreamWriter(sink, columns: columns)
        }
    }
}

enum FileName {
    /// The last suffix in lower case, looking through that of packing.
    static func suffix(of path: String) -> String {
        var parts = path.split(separator: "/", omittingEmptySubsequences: true).last?.lowercased().split(separator: ".") ?? []
        if let last = parts.last, last == "gz" || last == "zst" { parts.removeLast() }
        return parts.count > 1 ? String(parts[parts.count - 1]) : ""
    }
}

extension TimeParser.EpochUnit: ExpressibleByArgument {}
