import NIOCore
public import WhenceCore
public import WhenceProtocol

extension WhenceClient {
    /// Commits all parts at once; returns when the commit is durable. What is longer than the server takes in one message is refused
    /// (`limitExceeded`) and not taken apart, since one commit is all or nothing: see `writeInPieces`.
    ///
    /// `idempotencyKey` makes a repetition one write; nil takes a random one, so that this call may be repeated by itself. An empty one
    /// is none: then a write whose answer is lost is not repeated, and throws `connectionLost`.
    public func write(
        _ parts: [WritePart], idempotencyKey: [UInt8]? = nil, timeout: Duration? = nil
    ) async throws(WhenceError) -> Committed {
        let key = idempotencyKey ?? (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        do throws(WhenceError) {
            return try await ask(timeout: timeout, isRepeatable: !key.isEmpty) {
                WriteRequest(timeout: $0, idempotencyKey: key, parts: parts)
            }
        } catch {
            var error = error
            if error.code == .limitExceeded, error.place.isEmpty {
                error.hint = "one commit goes in one message: write fewer rows, or in several commits with writeInPieces"
            }
            throw error
        }
    }

    /// Writes the rows of a part in as many commits as they need, one after the other: each of at most `rowsPerCommit` rows (in multiples
    /// of 8), some megabytes, and what the server takes in one message. Each commit is atomic and durable; all of them together are not.
    ///
    /// Each has its own idempotency key, made of `idempotencyKey` (at most 88 bytes; nil takes a random one) and the rows that it holds. So
    /// what was interrupted may be called again with the same key and rows, and writes nothing twice.
    ///
    /// - Parameter timeout: of one commit.
    /// - Returns: the last commit, with the rows of all of them; a repetition where every one of them was.
    /// - Throws: as `write` does; the place says how many rows were committed before.
    public func writeInPieces(
        _ part: WritePart, rowsPerCommit: Int = 65_536, idempotencyKey: [UInt8]? = nil, timeout: Duration? = nil
    ) async throws(WhenceError) -> Committed {
        let key = idempotencyKey ?? (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        guard part.range == nil, part.rows.count > 0, rowsPerCommit > 0, (1...WhenceClient.pieceKeyBytes).contains(key.count) else {
            throw WhenceError(
                .invalidArgument,
                "writing in pieces takes rows, at least one a commit, and a key of 1 to \(WhenceClient.pieceKeyBytes) bytes")
        }
        var piece = part
        let limit = max(1, try await longestPayload(TimeLeft(timeout ?? configuration.timeout)) - WhenceClient.writeBytes(beside: part))
        var last: Committed?
        var done = 0
        var isRepeat = true
        for range in RowPieces(of: part.rows, rows: rowsPerCommit, bytes: min(limit, WhenceClient.pieceBytes), limit: limit) {
            piece.range = range
            let pieceKey = key + Array("/\(range.lowerBound)+\(range.count)".utf8)
            let committed: Committed
            do throws(WhenceError) {
                committed = try await write([piece], idempotencyKey: pieceKey, timeout: timeout)
            } catch {
                throw done == 0 ? error : error.at("after \(done) of \(part.rows.count) rows were committed")
            }
            done += range.count
            isRepeat = isRepeat && committed.isRepeat
            last = committed
        }
        guard let last else { throw WhenceError(.invalidArgument, "there are no rows to write") }
        return Committed(commitTime: last.commitTime, isRepeat: isRepeat, rows: UInt64(done))
    }

    /// What the rows' numbers leave of an idempotency key.
    private static var pieceKeyBytes: Int { WireLimits.idempotencyKeyBytes - 40 }

    /// About the bytes of one piece: large enough to cost little each, small enough to be on its way while the one before is synced.
    private static var pieceBytes: Int { 8 << 20 }

    /// At most what a write has beside the columns of its one part.
    private static func writeBytes(beside part: WritePart) -> Int {
        let names = part.rows.names.reduce(part.view.utf8.count + part.eventTime.utf8.count + part.availabilityTime.utf8.count) {
            $0 + $1.utf8.count + 12
        }
        return 64 + WireLimits.idempotencyKeyBytes + names
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
