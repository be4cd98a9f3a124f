import WhenceCore
import WhenceProtocol

/// The rows of a batch in pieces that fit into messages: ranges one behind the other, each beginning at a multiple of 8, where bitmaps begin
/// on a byte.
///
/// A piece has no more than 8 rows where more do not fit; that these fit is for whoever writes them to see.
struct RowPieces: Sequence, IteratorProtocol {
    private let batch: ColumnBatch
    private let rows: Int
    private let limit: Int
    private var start = 0

    /// - Parameters:
    ///   - rows: the most rows of a piece.
    ///   - bytes: about how long a piece is to be in a payload.
    ///   - limit: how long it may be.
    init(of batch: ColumnBatch, rows: Int, bytes: Int, limit: Int) {
        self.batch = batch
        self.limit = limit
        let rowBytes = Swift.max(1, FrameWriter.payloadBytes(of: batch) / Swift.max(1, batch.count))
        self.rows = Swift.max(8, Swift.min(rows, bytes / rowBytes) & ~7)
    }

    mutating func next() -> Range<Int>? {
        guard start < batch.count else { return nil }
        var end = Swift.min(batch.count, start + rows)
        // Rows of very different lengths: fewer, until they fit.
        while end - start > 8, FrameWriter.payloadBytes(of: batch, start..<end) > limit {
            end = start + Swift.max(8, ((end - start) / 2) & ~7)
        }
        defer { start = end }
        return start..<end
    }
}
