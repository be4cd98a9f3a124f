import WhenceCore

/// The rows of a spine in a file, in blocks: whole batches of the spine, together where several fit into one block.
struct SpilledSpine {
    /// Where in the file the parts of a column are.
    private struct PlacedColumn {
        let type: FeatureType
        let nullCount: Int
        let validity: Range<Int>?
        let offsets: Range<Int>?
        let values: Range<Int>
        let elementOffsets: Range<Int>?
    }

    private let file: SpillFile
    private let columns: [SpineColumn]
    private let blockRows: Int
    private var blocks: [(columns: [PlacedColumn], count: Int)] = []
    private var pending: [ColumnBatch] = []
    private var pendingRows = 0
    private var rows = 0
    /// The number of the first row of each block.
    private(set) var starts: [Int] = []

    init(_ file: SpillFile, _ columns: [SpineColumn], blockRows: Int) {
        self.file = file
        self.columns = columns
        self.blockRows = blockRows
    }

    var byteCount: Int { file.byteCount }

    /// Appends a batch. Throws where it does not have the spine's columns.
    mutating func append(_ batch: ColumnBatch) throws(WhenceError) {
        guard batch.columns.map(\.type) == columns.map(\.type) && batch.names == columns.map(\.name) else {
            throw WhenceError(
                .invalidArgument, "a batch of the spine does not have the spine's columns", place: "spine row \(rows + pendingRows + 1)",
                hint: "every batch must have \(columns.map { "\($0.name) (\($0.type.name))" }.joined(separator: ", "))")
        }
        if pendingRows + batch.count > blockRows { try write() }
        pending.append(batch)
        pendingRows += batch.count
    }

    /// Writes what is left.
    mutating func finish() throws(WhenceError) { try write() }

    private mutating func write() throws(WhenceError) {
        guard pendingRows > 0 else { return }
        let block = try ColumnBatch(concatenating: pending)
        var placed: [PlacedColumn] = []
        for column in block.columns {
            placed.append(
                PlacedColumn(
                    type: column.type, nullCount: column.nullCount, validity: try write(column.validity),
                    offsets: try write(column.offsets),
                    values: try write(column.values) ?? 0..<0, elementOffsets: try write(column.elementOffsets)))
        }
        blocks.append((placed, block.count))
        starts.append(rows)
        rows += block.count
        pending = []
        pendingRows = 0
    }

    private func write(_ buffer: ColumnBuffer?) throws(WhenceError) -> Range<Int>? {
        guard let buffer else { return nil }
        let start = try file.append(buffer.span)
        return start..<(start + buffer.byteCount)
    }

    /// The rows of block `index`.
    func read(_ index: Int) throws(WhenceError) -> ColumnBatch {
        let (placed, count) = blocks[index]
        var made: [Column] = []
        for column in placed {
            made.append(
                Column(
                    type: column.type, count: count, nullCount: column.nullCount, validity: try read(column.validity),
                    offsets: try read(column.offsets), values: try unsafe read(column.values) ?? ColumnBuffer(byteCount: 0) { _ in },
                    elementOffsets: try read(column.elementOffsets)))
        }
        return ColumnBatch(names: columns.map(\.name), columns: made, count: count)
    }

    private func read(_ range: Range<Int>?) throws(WhenceError) -> ColumnBuffer? {
        guard let range else { return nil }
        return try unsafe ColumnBuffer(byteCount: range.count) { target throws(WhenceError) in
            try unsafe file.read(into: target, at: range.lowerBound)
        }
    }
}
