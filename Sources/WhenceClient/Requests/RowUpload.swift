import NIOCore
import Synchronization
import WhenceCore
import WhenceProtocol

/// Sends the rows of a request under the server's credit.
final class RowUpload: Sendable {
    private let connection: Connection
    private let id: UInt32
    private let schema: BatchSchema
    private let frameBytes: Int
    private let compress: Bool
    private let failure = Mutex<WhenceError?>(nil)

    init(_ connection: Connection, _ id: UInt32, _ schema: BatchSchema, _ configuration: ClientConfiguration) {
        self.connection = connection
        self.id = id
        self.schema = schema
        frameBytes = min(configuration.uploadFrameBytes, Int(connection.welcome.maximumPayloadBytes))
        compress = configuration.compress
    }

    /// What was wrong with the rows: an error of their source, or rows that cannot be sent. Nil where the request ended otherwise.
    var error: WhenceError? { failure.withLock { $0 } }

    /// Sends all batches and the end. Where that fails for a reason of this side, the request is cancelled.
    func send<Batches: AsyncSequence & Sendable>(_ batches: Batches) async where Batches.Element == ColumnBatch {
        let compressor = compress ? RowsCompressor() : nil
        var rows: UInt64 = 0
        do {
            for try await batch in batches {
                try await send(batch, compressor)
                rows += UInt64(batch.count)
            }
            var end = ByteBuffer()
            try UploadEnd(rows: rows).append(to: &end, requestID: id, maximumPayloadBytes: WireLimits.openingPayloadBytes)
            try await connection.upload(end, for: id, takesCredit: false)
        } catch is CallFailure {
            // The request has ended, and its answer says why.
        } catch {
            let reason =
                error as? WhenceError
                ?? (error is CancellationError
                    ? .cancelledByCaller() : WhenceError(.invalidArgument, "the rows to send ended with an error: \(error)"))
            failure.withLock { $0 = reason }
            connection.cancel(id)
        }
    }

    private func send(_ batch: ColumnBatch, _ compressor: RowsCompressor?) async throws {
        guard BatchSchema(of: batch) == schema else {
            throw WhenceError(.invalidArgument, "the rows to send do not have the columns that were announced")
        }
        let limit = Int(connection.welcome.maximumPayloadBytes)
        for range in RowPieces(of: batch, rows: WireLimits.rows, bytes: frameBytes, limit: limit) {
            var writer = FrameWriter(maximumPayloadBytes: limit)
            try writer.writeRows(batch, range, as: .uploadRows, requestID: id, compressor: compressor)
            try await connection.upload(writer.buffer, for: id, takesCredit: true)
        }
    }
}
