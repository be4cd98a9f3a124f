import WhenceCore

/// Reads an Arrow IPC stream, or an Arrow file from its front to its end, batch by batch
/// (https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc).
///
/// Numbers, booleans, texts (also as views, as polars writes them), timestamps in microseconds and dictionaries of texts (as pandas writes its categories) become
/// columns; a column of another type is there with `type` nil and comes without values. Whole numbers of 8 and 16 bits, and
/// unsigned ones of less than 64, become those that hold them. Everything in the stream is checked against the bytes that
/// are there before it is used; memory is that of one record batch and the dictionaries.
public final class ArrowStreamReader {
    /// A column of the stream.
    public struct StreamColumn: Sendable {
        public let name: String
        /// Nil where the column's type cannot be read; `typeName` says it.
        public let type: FeatureType?
        public let typeName: String
    }

    static let metadataBytesMax = 16 << 20
    static let bodyBytesMax = 2 << 30

    /// The name of the source, as errors say it.
    public let name: String
    public private(set) var columns: [StreamColumn] = []
    /// Record batches read so far.
    public private(set) var batchCount = 0

    private let source: ByteSource
    private var fields: [ArrowField] = []
    private var dictionaries: [Int: [[UInt8]?]] = [:]
    private var isFinished = false

    /// Reads the schema. Throws `malformedInput` for what is no Arrow stream, and what the source throws.
    public init(_ source: ByteSource) throws(WhenceError) {
        self.source = source
        name = source.name
        var head = try take(8, "its first message")
        if head.starts(with: "ARROW1".utf8) {
            head = try take(8, "its first message")
            guard head.starts(with: [0xFF, 0xFF, 0xFF, 0xFF]) else {
                throw fault(
                    "this Arrow file can only be read from its end",
                    hint: "write it as a stream: polars' write_ipc_stream, pyarrow.ipc.new_stream",
                    code: .unknownFormat)
            }
        }
        guard let message = try message(head), message.kind == 1 else {
            throw fault("this is no Arrow stream", hint: "write it with pyarrow.ipc.new_stream, or give CSV or NDJSON")
        }
        guard let schema = message.header, try schema.int(0, width: 2) == 0 else {
            throw fault("the stream has no schema, or is big-endian, which is not supported")
        }
        do throws(WhenceError) {
            var budget = ArrowField.fieldsMax
            for (index, field) in try schema.tables(1).enumerated() {
                guard index < TabularLimits.columns else {
                    throw WhenceError(.limitExceeded, "there are more than \(TabularLimits.columns) columns")
                }
                fields.append(try ArrowField(field, depth: 0, budget: &budget))
            }
        } catch {
            throw error.at("\(name), schema")
        }
        columns = fields.map {
            StreamColumn(name: $0.name, type: $0.type, typeName: $0.dictionaryID == nil ? $0.typeName : "dictionary of \($0.typeName)")
        }
    }

    private func fault(_ message: String, hint: String = "", code: WhenceError.Code = .malformedInput) -> WhenceError {
        WhenceError(code, message, place: batchCount > 0 ? "\(name), record batch \(batchCount)" : name, hint: hint)
    }

    // MARK: Messages

    private struct Message {
        let kind: Int
        let header: FlatBufferTable?
        let bodyBytes: Int
    }

    /// The next `count` bytes.
    private func take(_ count: Int, _ what: String) throws(WhenceError) -> [UInt8] {
        // Memory comes with the bytes, so that a length that lies costs nothing.
        var bytes: [UInt8] = []
        while bytes.count < count {
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: min(count - start, 1 << 20)))
            var end = start
            while end < bytes.count {
                let got = try source.read(into: &bytes, at: end)
                guard got > 0 else { throw fault("the stream ends within \(what)", hint: "the file was cut short; write it again") }
                end += got
            }
        }
        return bytes
    }

    /// The message whose first 8 bytes are `head`, or nil at the end mark.
    private func message(_ head: [UInt8]) throws(WhenceError) -> Message? {
        func word(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(head[at + $1]) << (8 * $1) } }
        guard word(0) == 0xFFFF_FFFF else {
            throw fault("a message does not begin with its mark", hint: "this is no Arrow stream, or a damaged one")
        }
        let count = word(4)
        if count == 0 { return nil }
        guard count <= ArrowStreamReader.metadataBytesMax else {
            throw fault("a message announces \(count) bytes of metadata", code: .limitExceeded)
        }
        let metadata = try take(count, "the metadata of a message")
        do throws(WhenceError) {
            let table = try FlatBufferTable(root: metadata)
            let body = try table.int(3, width: 8)
            guard body >= 0, body <= ArrowStreamReader.bodyBytesMax else {
                throw fault("a message announces \(body) bytes", hint: "write smaller record batches", code: .limitExceeded)
            }
            return Message(kind: try table.int(1, width: 1), header: try table.table(2), bodyBytes: body)
        } catch {
            throw error.place.isEmpty ? error.at(name) : error
        }
    }

    /// The next record batch, or nil at the end.
    public func next() throws(WhenceError) -> ColumnBatch? {
        while !isFinished {
            // The end mark may be left out.
            var head = [UInt8](repeating: 0, count: 1)
            guard try source.read(into: &head) > 0 else { break }
            guard let message = try message(head + (try take(7, "a message"))) else { break }
            let body = try take(message.bodyBytes, "the body of a message")
            guard let header = message.header else { throw fault("a message has no header") }
            do throws(WhenceError) {
                switch message.kind {
                case 2: try readDictionary(header, body)
                case 3:
                    batchCount += 1
                    return try readBatch(header, body)
                default: throw fault("a message of a kind that cannot stand here is in the stream")
                }
            } catch {
                throw error.place.isEmpty ? error.at("\(name), record batch \(batchCount)") : error
            }
        }
        isFinished = true
        return nil
    }

    private func readDictionary(_ header: FlatBufferTable, _ body: [UInt8]) throws(WhenceError) {
        let id = try header.int(0, width: 8)
        guard try !header.bool(2) else { throw fault("a dictionary grows within the stream (delta dictionaries), which is not supported") }
        guard let field = fields.first(where: { $0.dictionaryID == id }), let batch = try header.table(1) else {
            throw fault("a dictionary belongs to no column")
        }
        guard field.type != nil else { return }
        var buffers = try ArrowBuffers(batch, body)
        let column = try buffers.column(field.values, dictionaries: [:])
        dictionaries[id] = (0..<column.count).map { row in
            guard column.isValid(row) else { return nil }
            let range = column.byteRange(row)
            return range.map { column.values.span[$0] }
        }
    }

    private func readBatch(_ header: FlatBufferTable, _ body: [UInt8]) throws(WhenceError) -> ColumnBatch {
        var buffers = try ArrowBuffers(header, body)
        var read: [Column] = []
        var names: [String] = []
        for field in fields {
            guard field.type != nil else {
                try buffers.skip(field)
                continue
            }
            let column: Column
            do throws(WhenceError) {
                column = try buffers.column(field, dictionaries: dictionaries)
            } catch {
                throw error.at("\(name), record batch \(batchCount), column \(field.name)")
            }
            guard column.count == buffers.rows else {
                throw fault("column \(field.name) has \(column.count) rows, and the batch \(buffers.rows)")
            }
            read.append(column)
            names.append(field.name)
        }
        return ColumnBatch(names: names, columns: read, count: buffers.rows)
    }
}
