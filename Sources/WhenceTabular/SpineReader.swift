import WhenceCore

/// Reads a spine, the rows that a point-in-time join starts from, as batches of columns.
///
/// The event time becomes a timestamp column. Columns of a stated type (the join keys, and whatever else is stated) are
/// read as that type. Every other column is passed through: from CSV as strings; from NDJSON as what the rows of the
/// first batch hold (all true or false: bool; all whole numbers: int64; numbers: float64; strings, or nothing but null:
/// string), and a value of another kind is an error from then on, with its line and column. Nulls stay nulls, also
/// in join keys; only the event time must be there. The order of rows and columns is that of the file.
public final class SpineReader {
    /// Bytes of text in one batch, after which it ends before it has all its rows.
    private static let batchTextBytesMax = 64 << 20

    private struct SpineColumn {
        let name: String
        /// Nil while its kind is still looked for.
        var builder: ColumnBuilder?
        var pending = PendingColumn()
        var isInferred = false
    }

    private let reader: any RecordReader
    private let eventTimeColumn: String
    private let times: TimeParser
    private let types: [String: FeatureType]
    private var columns: [SpineColumn] = []
    private var eventTimeIndex: Int?
    private var isFirstBatch = true
    /// The lines of the rows of the first batch, for errors that show only at its end.
    private var lines: [Int] = []

    /// - Parameters:
    ///   - eventTimeColumn: the column with each row's time.
    ///   - times: how times are written, in that column and in other timestamp columns.
    ///   - types: the types of the join key columns, and of others where they are to be more than text.
    /// - Throws: `invalidArgument` where a CSV header lacks one of these columns; for NDJSON the first batch shows it.
    public init(
        _ reader: any RecordReader, eventTimeColumn: String, times: TimeParser, types: [String: FeatureType] = [:]
    ) throws(WhenceError) {
        self.reader = reader
        self.eventTimeColumn = eventTimeColumn
        self.times = times
        self.types = types
        try addColumns(rows: 0)
        if !reader.discoversColumns { try checkColumns() }
    }

    /// The columns and their types: for CSV at once, for NDJSON from the first batch on.
    public var tableColumns: [TableColumn] { columns.map { TableColumn($0.name, $0.builder?.type ?? .string) } }

    /// The next rows, at most `maxRows` and fewer where the text is long; nil at the end. Throws for the first row that
    /// is wrong, with its place: a spine is used whole or not at all.
    public func next(maxRows: Int = 65_536) throws(WhenceError) -> ColumnBatch? {
        precondition(maxRows > 0)
        let reader = reader
        var rows = 0
        var textBytes = 0
        while rows < maxRows, textBytes < SpineReader.batchTextBytesMax, try reader.next() {
            if reader.columns.count > columns.count { try addColumns(rows: rows) }
            guard let eventTimeIndex else { throw missing(eventTimeColumn).at(reader.place()) }
            for index in columns.indices {
                let field = reader.field(index)
                textBytes += field.bytes.byteCount + 8
                do throws(WhenceError) {
                    if let builder = columns[index].builder {
                        if index == eventTimeIndex {
                            builder.append(fixed: try times.parse(field).microseconds)
                        } else {
                            try TextValue.append(field, times: times, to: builder)
                        }
                    } else {
                        columns[index].pending.append(field)
                    }
                } catch {
                    throw explained(error, index).at(reader.place(column: index))
                }
            }
            if isFirstBatch, reader.discoversColumns { lines.append(reader.lineNumber) }
            rows += 1
        }
        guard rows > 0 else {
            if isFirstBatch, reader.discoversColumns { addStatedColumns() }
            return nil
        }
        if isFirstBatch {
            if reader.discoversColumns { try checkColumns() }
            for index in columns.indices where columns[index].builder == nil { try settle(index) }
            isFirstBatch = false
            lines = []
        }
        var built: [Column] = []
        for column in columns {
            guard let builder = column.builder else { preconditionFailure("a column without a type") }
            built.append(try builder.finish())
        }
        return ColumnBatch(names: columns.map(\.name), columns: built, count: rows)
    }

    /// Takes up columns that the reader has met; those of earlier rows have no value there.
    private func addColumns(rows: Int) throws(WhenceError) {
        let names = reader.columns
        for name in names[columns.count...] {
            guard isFirstBatch else {
                throw WhenceError(
                    .malformedInput, "the key '\(name)' appears here for the first time, after the columns were settled",
                    place: reader.place(), hint: "write every key in every object, with null where there is no value")
            }
            if name == eventTimeColumn { eventTimeIndex = columns.count }
            let type = name == eventTimeColumn ? .timestamp : types[name] ?? (reader.discoversColumns ? nil : .string)
            columns.append(
                SpineColumn(name: name, builder: type.map { ColumnBuilder($0, count: rows) }, pending: PendingColumn(nulls: rows)))
        }
    }

    /// A table without rows names no columns where rows do: it has those that it must have.
    private func addStatedColumns() {
        for name in types.keys.sorted() + [eventTimeColumn] where !columns.contains(where: { $0.name == name }) {
            columns.append(SpineColumn(name: name, builder: ColumnBuilder(name == eventTimeColumn ? .timestamp : types[name] ?? .string)))
        }
    }

    private func checkColumns() throws(WhenceError) {
        for name in [eventTimeColumn] + types.keys.sorted() where reader.index(of: name) == nil { throw missing(name).at(reader.name) }
    }

    private func missing(_ name: String) -> WhenceError {
        let kind = name == eventTimeColumn ? "event time" : "join key"
        let names = columns.map(\.name)
        let shown = names.prefix(50).joined(separator: ", ") + (names.count > 50 ? ", …" : "")
        return WhenceError(
            .invalidArgument, "the spine has no \(kind) column '\(name)'", hint: "its columns are: \(shown.isEmpty ? "none" : shown)")
    }

    /// The error with the way out: the hints of values are for features, which a spine has none of.
    private func explained(_ error: WhenceError, _ index: Int) -> WhenceError {
        var error = error
        if columns[index].isInferred {
            error.hint = "the type of this column was taken from the first rows; state it, as float64 or string"
        } else if let type = types[columns[index].name], error.hint.contains("feature") {
            error.hint =
                "this column is read as \(type.name), as a join key is by its own type; where there is no value leave the cell empty, or name "
                + "the text that says so with --null"
        }
        return error
    }

    /// Gives a column the type that its values so far have, and takes these over.
    private func settle(_ index: Int) throws(WhenceError) {
        let pending = columns[index].pending
        let name = columns[index].name
        columns[index].pending = PendingColumn()
        func place(_ row: Int) -> String { "\(reader.name):\(lines[row]), column \(name)" }
        var kind: RecordField.State?
        var isWhole = true
        for row in pending.states.indices {
            let state = pending.states[row]
            guard state != .null, state != .absent else { continue }
            guard state != .structure else {
                throw WhenceError(.invalidValue, "this column holds arrays", place: place(row), hint: "state its type, as list<float64>")
            }
            guard kind == nil || kind == state else {
                throw WhenceError(
                    .invalidValue, "this column holds values of two kinds, a \(state) after a \(kind ?? state)", place: place(row),
                    hint: "state the column's type")
            }
            kind = state
            if state == .number, isWhole { isWhole = pending.isWholeNumber(row) }
        }
        let type: FeatureType =
            switch kind {
            case .bool: .bool
            case .number: isWhole ? .int64 : .float64
            default: .string
            }
        let builder = ColumnBuilder(type)
        for row in pending.states.indices {
            do throws(WhenceError) {
                try pending.append(row, to: builder, times)
            } catch {
                throw error.at(place(row))
            }
        }
        columns[index].builder = builder
        columns[index].isInferred = true
    }
}
