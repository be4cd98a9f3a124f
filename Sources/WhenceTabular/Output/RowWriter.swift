import WhenceCore

/// Writes batches of rows as one table: `CSVWriter`, `NDJSONWriter` and `ArrowStreamWriter`.
///
/// The same batches give the same bytes; how rows are cut into batches shows only in an Arrow stream.
public protocol RowWriter: AnyObject {
    /// The columns of every batch, by name and type, in order.
    var columns: [TableColumn] { get }
    /// Writes the rows of `batch`, whose columns must be those of the writer. Throws where they are not, and what the
    /// sink throws.
    func write(_ batch: ColumnBatch) throws(WhenceError)
    /// Ends the table and gives its file its name; to be called once. Without it nothing appears at the path.
    func finish() throws(WhenceError)
}

/// A column of a table that is written: its name and its type.
public struct TableColumn: Hashable, Sendable {
    public var name: String
    public var type: FeatureType

    public init(_ name: String, _ type: FeatureType) {
        self.name = name
        self.type = type
    }
}

extension RowWriter {
    func check(_ batch: ColumnBatch) throws(WhenceError) {
        guard batch.names == columns.map(\.name), batch.columns.map(\.type) == columns.map(\.type) else {
            throw WhenceError(.invalidArgument, "a batch does not have the columns of the table that is written")
        }
    }
}
