import WhenceCore
import WhenceModels
import WhenceTabular

/// Rows to score, batch by batch: `TextScoreSource` and `ArrowScoreSource`.
protocol ScoreSource: AnyObject {
    /// The next rows, at most `maxRows` where the source can choose; nil at the end. Columns may come to those of earlier batches.
    func next(maxRows: Int) throws(WhenceError) -> ColumnBatch?
    /// Of the columns that are to go through: what stands in the input, for the rows of the last batch; empty where the batch itself has it.
    var texts: [String: Column] { get }
    /// All columns that the source has shown so far, also those that are passed over.
    var columns: [String] { get }
    var bytesRead: Int { get }
    var totalBytes: Int? { get }
}

/// Rows of an Arrow stream.
final class ArrowScoreSource: ScoreSource {
    private let bytes: ByteSource
    private let reader: ArrowStreamReader

    /// Throws where a column that is needed has a type that cannot be read.
    init(_ path: String, needed: (Int, String) -> Bool) throws(WhenceError) {
        bytes = try ByteSource(path: path)
        reader = try ArrowStreamReader(bytes)
        for (index, column) in reader.columns.enumerated() where column.type == nil && needed(index, column.name) {
            throw WhenceError(
                .invalidValue, "a column of the type \(column.typeName) cannot be read", place: "\(reader.name), column \(column.name)",
                hint: "write it as a number or a text")
        }
    }

    func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? { try reader.next() }
    var texts: [String: Column] { [:] }
    var columns: [String] { reader.columns.map(\.name) }
    var bytesRead: Int { bytes.compressedBytesRead }
    var totalBytes: Int? { bytes.totalBytes }
}

/// Rows of CSV or NDJSON, each column read as what the model needs.
final class TextScoreSource: ScoreSource {
    private let reader: any RecordReader
    private let type: (Int, String) -> FeatureType?
    private let keep: Set<String>
    /// What false and true are called where the model wants a text.
    private let truths: [[UInt8]]
    private var builders: [ColumnBuilder?] = []
    /// Columns that go through, as they stand.
    private var kept: [(place: Int, builder: ColumnBuilder)] = []
    private(set) var texts: [String: Column] = [:]

    /// - Parameters:
    ///   - type: what to read a column as, by its place and name; nil for one that is passed over.
    ///   - keep: columns that are to go through.
    ///   - truths: what false and true are called where the model wants a text.
    init(_ reader: any RecordReader, keep: [String], truths: [String], type: @escaping (Int, String) -> FeatureType?) {
        self.reader = reader
        self.keep = Set(keep)
        self.truths = truths.map { Array($0.utf8) }
        self.type = type
    }

    var columns: [String] { reader.columns }
    var bytesRead: Int { reader.bytesRead }
    var totalBytes: Int? { reader.totalBytes }

    func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        let reader = reader
        let times = TimeParser()
        var rows = 0
        while rows < maxRows, try reader.next() {
            let names = reader.columns
            while builders.count < names.count {
                let place = builders.count
                builders.append(type(place, names[place]).map { ColumnBuilder($0, count: rows) })
                if keep.contains(names[place]) { kept.append((place, ColumnBuilder(.string, count: rows))) }
            }
            for index in 0..<(builders.count + kept.count) {
                let isKept = index >= builders.count
                let place = isKept ? kept[index - builders.count].place : index
                guard let builder = isKept ? kept[index - builders.count].builder : builders[index] else { continue }
                guard place < reader.fieldCount else {
                    builder.appendNull()
                    continue
                }
                do throws(WhenceError) {
                    try TextScoreSource.append(reader.field(place), times, isKept ? nil : truths, to: builder)
                } catch {
                    throw error.at(reader.place(column: place))
                }
            }
            rows += 1
        }
        if rows == 0 { return nil }
        var names: [String] = []
        var columns: [Column] = []
        for index in builders.indices {
            guard let builder = builders[index] else { continue }
            names.append(reader.columns[index])
            columns.append(try builder.finish())
        }
        texts = [:]
        for (place, builder) in kept { texts[reader.columns[place]] = try builder.finish() }
        return ColumnBatch(names: names, columns: columns, count: rows)
    }

    /// A number for a text, and true or false for a number, are taken as the model would have them; `truths` are what false and true are called as
    /// texts, nil where they stay as they are.
    private static func append(
        _ field: RecordField, _ times: TimeParser, _ truths: [[UInt8]]?, to builder: ColumnBuilder
    ) throws(WhenceError) {
        switch (builder.type, field.state) {
        case (.scalar(.string), .bool):
            guard let truths else { return builder.append(raw: field.bytes) }
            let truth = truths[field.bytes[0] == 0x74 ? 1 : 0]
            unsafe builder.append(raw: truth.span.bytes)
        case (.scalar(.string), .number): builder.append(raw: field.bytes)
        case (.scalar(.float64), .bool): builder.append(fixed: field.bytes[0] == 0x74 ? 1.0 : 0.0)
        default: try TextValue.append(field, times: times, to: builder)
        }
    }
}
