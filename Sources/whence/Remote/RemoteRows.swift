import WhenceClient
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// The rows of a stream, taken batch by batch.
///
/// Unchecked, because only one thread at a time goes through it: the one that waits for each batch.
final class RemoteRows: Spine, @unchecked Sendable {
    let columns: [SpineColumn]
    /// The pin that reads the same again, where the request has one.
    let knownAt: Timestamp?
    private var iterator: RowStream.Iterator

    init(_ stream: RowStream) {
        columns = zip(stream.schema.names, stream.schema.types).map { SpineColumn(name: $0, type: $1) }
        knownAt = stream.knownAt
        iterator = stream.makeAsyncIterator()
    }

    func next() throws(WhenceError) -> ColumnBatch? {
        try Waiting.for { () async throws(WhenceError) in try await self.iterator.next(isolation: nil) }
    }

    func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? { try next() }
}

/// A spine as the client sends it: batches are read when the server is ready for more.
///
/// Unchecked, because only the upload goes through it.
struct SpineUpload: AsyncSequence, @unchecked Sendable {
    typealias Element = ColumnBatch
    typealias Failure = WhenceError

    static let batchRows = 65_536
    let spine: any Spine

    struct AsyncIterator: AsyncIteratorProtocol {
        var spine: any Spine

        mutating func next() async throws(WhenceError) -> ColumnBatch? { try spine.next(maxRows: SpineUpload.batchRows) }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(spine: spine) }
}
