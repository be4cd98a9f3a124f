import NIOCore
public import WhenceCore
public import WhenceProtocol

extension WhenceClient {
    /// Commits all parts at once; returns when the commit is durable.
    ///
    /// `idempotencyKey` makes a repetition one write; nil takes a random one, so that this call may be repeated by itself. An empty one
    /// is none: then a write whose answer is lost is not repeated, and throws `connectionLost`.
    public func write(
        _ parts: [WritePart], idempotencyKey: [UInt8]? = nil, timeout: Duration? = nil
    ) async throws(WhenceError) -> Committed {
        let key = idempotencyKey ?? (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        return try await ask(timeout: timeout, isRepeatable: !key.isEmpty) {
            WriteRequest(timeout: $0, idempotencyKey: key, parts: parts)
        }
    }

    /// Loads rows by the bulk path: they are published together, when all are there. `batches` is asked for more as the server takes
    /// them, and all have the columns of `schema`. An error of `batches`, a cancelled task, or a lost connection leaves nothing behind.
    public func backfill<Batches: AsyncSequence & Sendable>(
        _ view: String, schema: BatchSchema, _ batches: Batches, eventTime: String, availabilityTime: String = "",
        missingIsNull: Bool = false, timeout: Duration? = nil
    ) async throws(WhenceError) -> Committed where Batches.Element == ColumnBatch {
        let timeLeft = TimeLeft(timeout ?? configuration.streamTimeout)
        return try await attempt(timeLeft, isRepeatable: false) { connection throws(CallFailure) in
            let id = connection.nextID()
            let frame: ByteBuffer
            do throws(WhenceError) {
                frame = try WhenceClient.frame(
                    BackfillRequest(
                        timeout: timeLeft.duration, view: view, missingIsNull: missingIsNull, eventTime: eventTime,
                        availabilityTime: availabilityTime, schema: schema), id, connection)
            } catch {
                throw CallFailure(error: error, wasSent: false)
            }
            let upload = RowUpload(connection, id, schema, configuration)
            let inbox = CallInbox()
            let mark = CancellationMark()
            let answer = await withTaskCancellationHandler {
                // The request goes before its rows: both through the same event loop, in order.
                connection.start(Call(id: id, frame: frame, deadline: timeLeft.deadline, cancellation: mark) { inbox.put($0) })
                await upload.send(batches)
                return await inbox.answer()
            } onCancel: {
                mark.set()
                connection.cancel(id)
            }
            // What the rows themselves ended with says more than that the request was cancelled for it.
            if let error = upload.error { throw CallFailure(error: error, wasSent: true) }
            let committed = try answer.get()
            do throws(WhenceError) {
                guard committed.kind == .committed else {
                    throw WhenceError(.protocolViolation, "the server answers a backfill by a message of kind \(committed.kindCode)")
                }
                return try Committed(decoding: committed)
            } catch {
                connection.close(error)
                throw CallFailure(error: error, wasSent: true)
            }
        }
    }
}
