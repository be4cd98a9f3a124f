import NIOCore
import RandomFixtures
import Testing

@testable import WhenceCore
@testable import WhenceProtocol

@Suite struct ColumnsTests {
    /// The frame that the writer wrote, as the other side reads it.
    static func frame(_ writer: FrameWriter, from peer: FrameDecoder.Peer) throws -> Frame {
        var decoder = FrameDecoder(from: peer, maximumPayloadBytes: WireLimits.payloadBytes)
        decoder.feed(writer.buffer)
        let frame = try #require(try decoder.next())
        #expect(decoder.bufferedBytes == 0)
        return frame
    }

    @Test func rowsComeBackAsTheyWere() throws {
        let batch = try ColumnBatch([
            ("carrier", .string, [.string("UA"), .null, .string("é")]),
            ("delay", .float64, [.float64(2), .float64(-0.0), .null]),
            ("tags", .list(.string), [.list([.string("a"), .string("")]), .null, .list([])]),
            ("late", .bool, [.bool(true), .bool(false), .bool(true)]),
        ])
        var writer = FrameWriter()
        let byteCount = try writer.writeRows(batch, as: .rows, requestID: 7)
        #expect(byteCount == writer.buffer.readableBytes)
        #expect(byteCount == 16 + FrameWriter.payloadBytes(of: batch))
        let frame = try ColumnsTests.frame(writer, from: .server)
        #expect(frame.requestID == 7 && frame.kind == .rows && !frame.isCompressed)
        let read = try frame.rows(of: BatchSchema(of: batch))
        #expect(read.isIdentical(to: batch))
    }

    @Test func anyBatchComesBackWholeOrInPieces() throws {
        var random = SeededRandom.printed()
        let compressor = RowsCompressor()
        for _ in 0..<400 {
            let batch = try random.batch(rows: random.below(40))
            let schema = BatchSchema(of: batch)
            let from = random.below(batch.count / 8 + 1) * 8
            let range = from..<from + random.below(batch.count - from + 1)
            let compressed = random.below(2) == 0
            // Behind another frame, so that the payload begins anywhere in the buffer.
            var writer = FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes)
            try writer.write(Challenge(data: Array(repeating: 1, count: random.below(9))), requestID: 0)
            try writer.writeRows(batch, range, as: .rows, requestID: 1, compressor: compressed ? compressor : nil)
            var decoder = FrameDecoder(from: .server, maximumPayloadBytes: WireLimits.payloadBytes)
            decoder.feed(writer.buffer)
            _ = try decoder.next()
            let frame = try #require(try decoder.next())
            let read = try frame.rows(of: schema)
            #expect(read.count == range.count)
            for (column, original) in zip(read.columns, batch.columns) {
                for (row, old) in range.enumerated() {
                    #expect(column.value(row).isIdentical(to: original.value(old)), "\(column.type.name), row \(old) of \(range)")
                }
            }
        }
    }
}
