import WhenceCore
import WhenceEngine
import WhenceTabular

/// A spine that is read from a file.
struct FileSpine: Spine {
    let columns: [SpineColumn]
    private let reader: SpineReader
    /// The first rows, where they were needed to find out the columns.
    private var first: ColumnBatch?
    private static let firstRowsMax = 65_536

    init(_ reader: SpineReader, discoversColumns: Bool) throws(WhenceError) {
        self.reader = reader
        if discoversColumns { first = try reader.next(maxRows: FileSpine.firstRowsMax) }
        columns = reader.tableColumns.map { SpineColumn(name: $0.name, type: $0.type) }
    }

    mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        if let batch = first {
            first = nil
            return batch
        }
        return try reader.next(maxRows: maxRows)
    }
}
