import Dispatch
import WhenceCore

/// Batches on their way from the thread that reads a file to the client that uploads them: a few at a time, so that reading waits for
/// a slower network.
final class RowQueue: AsyncSequence, Sendable {
    typealias Element = ColumnBatch
    typealias Failure = Never

    private static let batches = 4
    private let room = DispatchSemaphore(value: RowQueue.batches)
    private let stream: AsyncStream<ColumnBatch>
    private let continuation: AsyncStream<ColumnBatch>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    /// Waits until there is room. Puts nothing in once the queue has been closed.
    func put(_ batch: ColumnBatch) {
        room.wait()
        continuation.yield(batch)
    }

    /// No more batches come, or nobody takes them: whoever waits for room goes on.
    func close() {
        continuation.finish()
        room.signal()
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var batches: AsyncStream<ColumnBatch>.AsyncIterator
        fileprivate let room: DispatchSemaphore

        mutating func next() async -> ColumnBatch? {
            let batch = await batches.next()
            if batch != nil { room.signal() }
            return batch
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(batches: stream.makeAsyncIterator(), room: room) }
}
