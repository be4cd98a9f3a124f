import NIOCore
public import WhenceCore

extension FrameWriter {
    /// Writes `rows` of a stream (`.rows`) or of an upload (`.uploadRows`): those of `batch` in `range`, which begins at a multiple of
    /// 8, or all of them. With a compressor the payload is compressed where that makes it shorter. Returns the frame's length in bytes:
    /// what it takes of the credit. Throws `limitExceeded`, and writes nothing, for rows that are too many for one frame.
    @discardableResult
    public mutating func writeRows(
        _ batch: ColumnBatch, _ range: Range<Int>? = nil, as kind: MessageKind, requestID: UInt32, compressor: RowsCompressor? = nil
    ) throws(WhenceError) -> Int {
        precondition(kind.mayBeCompressed)
        guard let compressor else {
            return try frame(kind, requestID: requestID) { writer throws(WhenceError) in try writer.columns(batch, range) }
        }
        var plain = FrameWriter(buffer: compressor.takeBuffer(), maximumPayloadBytes: maximumPayloadBytes)
        defer { compressor.putBack(plain.buffer) }
        try plain.columns(batch, range)
        let packed = try compressor.compress(plain.buffer)
        let isShorter = packed.readableBytes < plain.buffer.readableBytes
        return try frame(kind, isCompressed: isShorter, requestID: requestID) { writer throws(WhenceError) in
            writer.buffer.writeImmutableBuffer(isShorter ? packed : plain.buffer)
        }
    }

    /// Bytes of the payload of `rows` that hold the rows of `batch` in `range`: whether they fit a frame, before it is written.
    public static func payloadBytes(of batch: ColumnBatch, _ range: Range<Int>? = nil) -> Int {
        let (header, body) = ColumnExtent.byteCounts(batch, range ?? 0..<batch.count)
        return header + body
    }
}

extension Frame {
    /// The rows of a frame of kind `rows` or `uploadRows`, read by the schema that went before. Throws `protocolViolation`.
    public func rows(of schema: BatchSchema, maximumPayloadBytes: Int = WireLimits.payloadBytes) throws(WhenceError) -> ColumnBatch {
        let plain = try isCompressed ? RowsCompressor.decompress(payload, maximumBytes: maximumPayloadBytes) : payload
        var reader = PayloadReader(plain)
        let batch = try reader.columns(schema)
        try reader.finish()
        return batch
    }
}
