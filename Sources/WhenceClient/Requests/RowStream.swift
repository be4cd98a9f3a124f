import NIOCore
import Synchronization
public import WhenceCore
public import WhenceProtocol

/// Rows as the server sends them, batch by batch. The server sends only so far ahead of the consumer as `downloadWindowBytes` says.
///
/// May be gone through once. Leaving the loop early, cancelling the task or letting go of the stream ends the request on the server.
///
///     for try await batch in try await client.scan("flights", from: start, to: end) {
///         print(batch.count)
///     }
public struct RowStream: AsyncSequence, Sendable {
    public typealias Element = ColumnBatch
    public typealias Failure = WhenceError

    private let reading: Reading
    /// The columns of all batches.
    public let schema: BatchSchema
    /// What to pass as `knownAt` to read the same again; nil where the request has no such time.
    public let knownAt: Timestamp?

    fileprivate init(_ reading: Reading, _ first: StreamSchema) {
        self.reading = reading
        schema = first.schema
        knownAt = first.knownAt
    }

    public func makeAsyncIterator() -> Iterator { Iterator(reading: reading, schema: schema) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let reading: Reading
        fileprivate let schema: BatchSchema

        /// The next batch, or nil at the end. Throws what the server says, `connectionLost`, `deadlineExceeded`, `cancelled`.
        public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async throws(WhenceError) -> ColumnBatch? {
            try await reading.next(schema)
        }

        public mutating func next() async throws(WhenceError) -> ColumnBatch? { try await reading.next(schema) }
    }

    /// All rows that are left, in one list of batches: for results that are known to be small.
    public func collect() async throws(WhenceError) -> [ColumnBatch] {
        var batches: [ColumnBatch] = []
        var iterator = makeAsyncIterator()
        while let batch = try await iterator.next(isolation: nil) { batches.append(batch) }
        return batches
    }

    /// One stream under way.
    fileprivate final class Reading: Sendable {
        private struct Progress {
            var rows: UInt64 = 0
            /// Set at the end; what it ended with, where that was an error.
            var isOver = false
            var error: WhenceError?
        }

        /// Held so that the connections stay open while rows come.
        private let client: WhenceClient
        private let connection: Connection
        private let id: UInt32
        private let inbox = CallInbox()
        private let ledger: Mutex<CreditLedger>
        private let progress = Mutex(Progress())
        private let upload: RowUpload?
        private let sending = Mutex<Task<Void, Never>?>(nil)

        init(_ client: WhenceClient, _ connection: Connection, _ id: UInt32, window: UInt32, upload: RowUpload?) {
            self.client = client
            self.connection = connection
            self.id = id
            self.upload = upload
            ledger = Mutex(CreditLedger(window: window))
        }

        deinit {
            sending.withLock { $0 }?.cancel()
            if !progress.withLock({ $0.isOver }) { connection.cancel(id) }
        }

        /// Sends the request, and begins to send its rows.
        func start(_ frame: ByteBuffer, deadline: NIODeadline?, send: (@Sendable (RowUpload) async -> Void)?) {
            let (inbox, connection) = (inbox, connection)
            let call = Call(id: id, frame: frame, deadline: deadline, isStream: true, cancellation: CancellationMark()) {
                [weak self] event in
                if case .frame(let frame) = event, frame.kind == .rows, let self {
                    do throws(WhenceError) {
                        try self.ledger.withLock { ledger throws(WhenceError) in try ledger.receive(frame.byteCount) }
                    } catch {
                        return connection.close(error)
                    }
                }
                inbox.put(event)
            }
            connection.start(call)
            if let upload, let send { sending.withLock { $0 = Task { await send(upload) } } }
        }

        /// The first message.
        func schema() async throws(CallFailure) -> StreamSchema {
            let frame = try await frame()
            do throws(WhenceError) {
                guard frame.kind == .schema else { throw unexpected(frame) }
                return try StreamSchema(decoding: frame)
            } catch {
                connection.close(error)
                throw CallFailure(error: error, wasSent: true)
            }
        }

        func next(_ schema: BatchSchema) async throws(WhenceError) -> ColumnBatch? {
            let (isOver, error) = progress.withLock { ($0.isOver, $0.error) }
            if let error { throw error }
            if isOver { return nil }
            let frame: Frame
            do throws(CallFailure) {
                frame = try await self.frame()
            } catch {
                throw error.error
            }
            do throws(WhenceError) {
                switch frame.kind {
                case .rows?:
                    let batch = try frame.rows(of: schema)
                    progress.withLock { $0.rows += UInt64(batch.count) }
                    if let credit = ledger.withLock({ $0.consume(frame.byteCount) }) { connection.give(credit, for: id) }
                    return batch
                case .end?:
                    let stated = try StreamEnd(decoding: frame).rows
                    let came = progress.withLock { progress in
                        progress.isOver = true
                        return progress.rows
                    }
                    guard stated == came else {
                        throw WhenceError(.protocolViolation, "the server states \(stated) rows, \(came) came")
                    }
                    return nil
                default: throw unexpected(frame)
                }
            } catch {
                end(error)
                connection.close(error)
                throw error
            }
        }

        private func unexpected(_ frame: Frame) -> WhenceError {
            WhenceError(.protocolViolation, "the server continues a stream by a message of kind \(frame.kindCode)")
        }

        private func end(_ error: WhenceError) {
            progress.withLock { progress in
                progress.isOver = true
                progress.error = error
            }
        }

        private func frame() async throws(CallFailure) -> Frame {
            let (connection, id, inbox) = (connection, id, inbox)
            let event = await withTaskCancellationHandler {
                await inbox.next()
            } onCancel: {
                connection.cancel(id)
            }
            switch event {
            case .frame(let frame): return frame
            case .failed(var failure):
                // What the rows themselves ended with says more than that the request was cancelled for it; and once they are
                // asked for, they cannot be sent again.
                if let upload {
                    failure.error = upload.error ?? failure.error
                    failure.wasSent = true
                }
                end(failure.error)
                throw failure
            }
        }
    }
}

extension WhenceClient {
    /// Starts a stream and waits for its first message.
    func stream<M: Message>(
        timeout: Duration?, schema: BatchSchema? = nil, send: (@Sendable (RowUpload) async -> Void)? = nil,
        _ make: (Duration?, StreamOptions) -> M
    ) async throws(WhenceError) -> RowStream {
        let timeLeft = TimeLeft(timeout ?? configuration.streamTimeout)
        let window = max(1, configuration.downloadWindowBytes)
        return try await attempt(timeLeft, isRepeatable: send == nil) { connection throws(CallFailure) in
            let id = connection.nextID()
            let frame: ByteBuffer
            do throws(WhenceError) {
                let options = StreamOptions(credit: window, compress: configuration.compress)
                frame = try WhenceClient.frame(make(timeLeft.duration, options), id, connection)
            } catch {
                throw CallFailure(error: error, wasSent: false)
            }
            let upload = schema.map { RowUpload(connection, id, $0, configuration) }
            let reading = RowStream.Reading(self, connection, id, window: window, upload: upload)
            reading.start(frame, deadline: timeLeft.deadline, send: send)
            return RowStream(reading, try await reading.schema())
        }
    }
}
