import WhenceCore

/// A table in text, read record by record with bounded memory: `CSVReader` and `NDJSONReader`.
///
/// After `next()` threw for one record it may be called again while `canContinue` says so, and goes on with the
/// record after it; until then `lineNumber` and `rawRecord` are those of the record that was refused. When the source
/// itself has failed (damaged compressed data, a broken disk) there is nothing to go on with.
///
/// Take the reader into a local `let` before calling `field`: what that returns is borrowed from the variable.
public protocol RecordReader: AnyObject {
    /// The name of the source, as errors say it.
    var name: String { get }
    /// The columns: for CSV the header; for NDJSON those met so far, in the order of their first appearance.
    var columns: [String] { get }
    /// Whether new columns may appear as records are read.
    var discoversColumns: Bool { get }
    /// Whether `next` may be called again after it threw: false once the source itself has failed.
    var canContinue: Bool { get }
    /// Moves to the next record. False at the end of the input.
    func next() throws(WhenceError) -> Bool
    /// The current record's first line, counted from 1.
    var lineNumber: Int { get }
    /// The current record as it stands in the file without its line break, cut to 64 KiB and repaired where it is no UTF-8.
    var rawRecord: String { get }
    /// Fields of the current record: the number of `columns`.
    var fieldCount: Int { get }
    /// The field of column `index`.
    @_lifetime(borrow self)
    func field(_ index: Int) -> RecordField
    /// Bytes of the source that were read so far, as stored.
    var bytesRead: Int { get }
    /// Bytes of the source as stored, where that is known.
    var totalBytes: Int? { get }
}

extension RecordReader {
    /// The place of the current record, and of column `index` in it: `flights.csv:12, column dep_delay`.
    public func place(column index: Int? = nil) -> String {
        let line = "\(name):\(lineNumber)"
        guard let index else { return line }
        return index < columns.count ? "\(line), column \(columns[index])" : "\(line), column \(index + 1)"
    }

    /// The index of the column named `name`, or nil.
    public func index(of column: String) -> Int? { columns.firstIndex(of: column) }
}

/// Limits on text tables, on top of `Limits`.
public enum TabularLimits {
    /// Columns of a table.
    public static let columns = 8192
    /// Bytes of one record.
    public static let recordBytes = 16 << 20
    /// Bytes of one field as it is written: a value of the longest kind, spelt at its longest, has room.
    public static let fieldBytes = 4 * Limits.valueBytes
    /// Bytes of a column's name.
    public static let columnNameBytes = 1024
    /// Bytes of `rawRecord`.
    public static let rawRecordBytes = 64 << 10
    /// Arrays within arrays in NDJSON.
    public static let nesting = 16
}
