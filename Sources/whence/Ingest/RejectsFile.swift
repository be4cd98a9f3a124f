import Foundation
import WhenceCore
import WhenceTabular

/// The file of input rows that were not taken: line, column, reason, record. It is only made when there are any.
final class RejectsFile {
    let path: String
    private(set) var count = 0
    private var writer: CSVWriter?
    private static let columns = [
        TableColumn("line", .int64), TableColumn("column", .string), TableColumn("reason", .string), TableColumn("record", .string),
    ]

    init(_ path: String) { self.path = path }

    func append(line: Int, _ error: WhenceError, record: String) throws(WhenceError) {
        let writer = if let writer { writer } else { try CSVWriter(try ByteSink(path: path), columns: RejectsFile.columns) }
        self.writer = writer
        let column = error.place.range(of: ", column ").map { String(error.place[$0.upperBound...]) }
        let reason = error.hint.isEmpty ? error.message : "\(error.message) (\(error.hint))"
        let values: [Value] = [.int64(Int64(line)), column.map { .string($0) } ?? .null, .string(reason), .string(record)]
        var columns: [Column] = []
        for (column, value) in zip(RejectsFile.columns, values) {
            let builder = ColumnBuilder(column.type)
            try builder.append(value)
            columns.append(try builder.finish())
        }
        try writer.write(ColumnBatch(names: RejectsFile.columns.map(\.name), columns: columns, count: 1))
        count += 1
    }

    /// Gives the file its name, where there is one.
    func finish() throws(WhenceError) {
        try writer?.finish()
        writer = nil
    }
}
