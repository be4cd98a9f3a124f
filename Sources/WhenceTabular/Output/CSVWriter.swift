import WhenceCore

/// Writes CSV (RFC 4180, but with a line feed alone at the end of a line) that `CSVReader` reads back to the same values.
public final class CSVWriter: RowWriter {
    public let columns: [TableColumn]
    private let sink: ByteSink
    private var line: [UInt8] = []

    /// Writes the header.
    public init(_ sink: ByteSink, columns: [TableColumn]) throws(WhenceError) {
        self.sink = sink
        self.columns = columns
        for (index, column) in columns.enumerated() {
            if index > 0 { line.append(0x2C) }
            let start = line.count
            line.append(contentsOf: column.name.utf8)
            quote(from: start)
        }
        line.append(0x0A)
        try sink.take(&line)
    }

    public func write(_ batch: ColumnBatch) throws(WhenceError) {
        try check(batch)
        for row in 0..<batch.count {
            for index in batch.columns.indices {
                if index > 0 { line.append(0x2C) }
                let column = batch.columns[index]
                guard column.isValid(row) else { continue }
                let start = line.count
                ValueText.append(column, row, .csv, to: &line)
                switch column.type {
                case .scalar(.string), .vector, .list: quote(from: start)
                default: break
                }
            }
            line.append(0x0A)
            if line.count >= 64 << 10 { try sink.take(&line) }
        }
        try sink.take(&line)
    }

    public func finish() throws(WhenceError) { try sink.finish() }

    /// Whether the cell that begins at `start` spells what stands for a missing value in many tables. An unquoted NaN is no join key, and
    /// whoever reads the table may take the others for null; in quotes each is a text.
    private func readsAsMissing(from start: Int) -> Bool {
        guard (2...4).contains(line.count - start) else { return false }
        let line = line
        let bytes = unsafe line.span.bytes
        let cell = bytes.extracting(start..<line.count)
        switch cell.byteCount {
        case 2: return UTF8Text.isEqual(cell, ignoringCase: "na")
        case 3: return UTF8Text.isEqual(cell, ignoringCase: "nan") || UTF8Text.isEqual(cell, ignoringCase: "n/a")
        default: return UTF8Text.isEqual(cell, ignoringCase: "null") || UTF8Text.isEqual(cell, ignoringCase: "none")
        }
    }

    /// Puts the cell that begins at `start` in quotes where it needs them.
    private func quote(from start: Int) {
        var needed = line.count == start || readsAsMissing(from: start)
        var quotes = 0
        for index in start..<line.count {
            switch line[index] {
            case 0x22: quotes += 1
            case 0x2C, 0x0A, 0x0D: needed = true
            default: break
            }
        }
        guard needed || quotes > 0 else { return }
        let cell = Array(line[start...])
        line.removeSubrange(start...)
        line.append(0x22)
        for byte in cell {
            line.append(byte)
            if byte == 0x22 { line.append(0x22) }
        }
        line.append(0x22)
    }
}
