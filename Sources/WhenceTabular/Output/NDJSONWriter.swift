import WhenceCore

/// Writes newline-delimited JSON: one object a line, every column in every object, null where there is no value.
public final class NDJSONWriter: RowWriter {
    public let columns: [TableColumn]
    private let sink: ByteSink
    /// For each column what stands before its value: `{"name":` or `,"name":`.
    private let heads: [[UInt8]]
    private var line: [UInt8] = []

    public init(_ sink: ByteSink, columns: [TableColumn]) {
        self.sink = sink
        self.columns = columns
        heads = columns.enumerated().map { index, column in
            var head: [UInt8] = [index == 0 ? 0x7B : 0x2C]
            let name = Array(column.name.utf8)
            unsafe ValueText.appendQuoted(name.span.bytes, to: &head)
            head.append(0x3A)
            return head
        }
    }

    public func write(_ batch: ColumnBatch) throws(WhenceError) {
        try check(batch)
        for row in 0..<batch.count {
            if columns.isEmpty { line.append(0x7B) }
            for index in batch.columns.indices {
                line.append(contentsOf: heads[index])
                let column = batch.columns[index]
                if column.isValid(row) {
                    ValueText.append(column, row, .json, to: &line)
                } else {
                    line.append(contentsOf: "null".utf8)
                }
            }
            line.append(0x7D)
            line.append(0x0A)
            if line.count >= 64 << 10 { try sink.take(&line) }
        }
        try sink.take(&line)
    }

    public func finish() throws(WhenceError) { try sink.finish() }
}
