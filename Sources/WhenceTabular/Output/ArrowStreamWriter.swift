import WhenceCore

/// Writes an Arrow IPC stream (`Formats/arrow-stream.md`;
/// https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc): a schema
/// message, one record batch for each batch, and the end mark. The buffers of a column go out as they are.
public final class ArrowStreamWriter: RowWriter {
    public let columns: [TableColumn]
    private let sink: ByteSink
    private static let padding: [UInt8] = Array(repeating: 0, count: 8)

    /// Writes the schema.
    public init(_ sink: ByteSink, columns: [TableColumn]) throws(WhenceError) {
        self.sink = sink
        self.columns = columns
        let fields = columns.map { ArrowMetadata.field($0.name, $0.type) }
        try writeMessage(ArrowMetadata.message(.schema, ArrowMetadata.schema(fields), bodyBytes: 0))
    }

    public func write(_ batch: ColumnBatch) throws(WhenceError) {
        try check(batch)
        var nodes: [Int64] = []
        var places: [Int64] = []
        var body: [(buffer: ColumnBuffer?, byteCount: Int)] = []
        var bodyBytes = 0
        func add(_ buffer: ColumnBuffer?, _ byteCount: Int) {
            places.append(contentsOf: [Int64(bodyBytes), Int64(byteCount)])
            body.append((buffer, byteCount))
            bodyBytes += (byteCount + 7) / 8 * 8
        }
        for column in batch.columns {
            nodes.append(contentsOf: [Int64(column.count), Int64(column.nullCount)])
            add(column.nullCount == 0 ? nil : column.validity, column.nullCount == 0 ? 0 : (column.count + 7) / 8)
            switch column.type {
            case .scalar(let scalar):
                if scalar.width == nil { add(column.offsets, (column.count + 1) * 4) }
                add(column.values, ArrowStreamWriter.valueBytes(scalar, column.count, column.offsets))
            case .vector(let dimension):
                nodes.append(contentsOf: [Int64(column.count * dimension), 0])
                add(nil, 0)
                add(column.values, column.count * dimension * 4)
            case .list(let scalar):
                let elements = column.count == 0 ? 0 : column.byteRange(column.count - 1).upperBound
                add(column.offsets, (column.count + 1) * 4)
                nodes.append(contentsOf: [Int64(elements), 0])
                add(nil, 0)
                if scalar.width == nil { add(column.elementOffsets, (elements + 1) * 4) }
                add(column.values, ArrowStreamWriter.valueBytes(scalar, elements, column.elementOffsets))
            }
        }
        let header = ArrowMetadata.recordBatch(rows: batch.count, nodes: nodes, buffers: places)
        try writeMessage(ArrowMetadata.message(.recordBatch, header, bodyBytes: bodyBytes))
        for (buffer, byteCount) in body {
            var left = (byteCount + 7) / 8 * 8
            if let buffer {
                let bytes = buffer.span
                let present = min(byteCount, bytes.byteCount)
                try sink.write(bytes.extracting(0..<present))
                left -= present
            }
            while left > 0 {
                let count = min(left, 8)
                try sink.write(Array(ArrowStreamWriter.padding[..<count]))
                left -= count
            }
        }
    }

    /// Writes the end mark.
    public func finish() throws(WhenceError) {
        try sink.write([0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
        try sink.finish()
    }

    /// A message: a mark, the length of its metadata, the metadata; all of it a multiple of 8 bytes long.
    private func writeMessage(_ metadata: [UInt8]) throws(WhenceError) {
        var head: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
        for shift in stride(from: 0, to: 32, by: 8) { head.append(UInt8(truncatingIfNeeded: metadata.count >> shift)) }
        try sink.write(head)
        try sink.write(metadata)
    }

    private static func valueBytes(_ scalar: ScalarType, _ count: Int, _ offsets: ColumnBuffer?) -> Int {
        if scalar == .bool { return (count + 7) / 8 }
        if let width = scalar.width { return count * width }
        guard let offsets else { return 0 }
        return Int(unsafe offsets.span.unsafeLoadUnaligned(fromByteOffset: count * 4, as: Int32.self))
    }
}
