import NIOCore
import WhenceCore
import WhenceProtocol

/// Online reads: small ones on the event loop, where that is fastest; others, and those that may wait for the disk, on the pool.
extension Session {
    func onlineRead(_ frame: Frame, _ principal: Principal) throws(WhenceError) {
        guard isNewRequest(frame) else { return }
        let arrival = clock
        if loop.refuses(arrival) { return shed(frame) }
        var code = 0
        var rows = 0
        let before = writer.buffer.readableBytes
        do throws(WhenceError) {
            let reader: PreparedReader
            if let last = lastReader, last.question.isAsked(by: frame), !last.isOld {
                reader = last
            } else {
                let message = try OnlineRead(decoding: frame)
                // Before any name is looked up: who may read nothing learns no names from the errors.
                try principal.check(.read, view: nil)
                reader = try loop.readers.reader(core, message.question)
                lastReader = reader
            }
            reader.lastUsed = arrival
            try reader.check(principal)
            rows = try reader.take(frame)
            var isAnswered = false
            if rows <= core.limits.inlineEntities {
                isAnswered = try reader.answer(frame, into: &writer, mostStoreReads: core.storeReadCost.allowedReads)
            }
            guard isAnswered else { return try answer(frame, .onlineRead, principal, on: core.points, RequestWork.onlineRead) }
            scheduleFlush()
        } catch {
            guard error.code != .protocolViolation else { throw error }
            code = error.code.rawValue
            if error.code == .notAllowed || error.code == .notAuthenticated {
                core.access.recordEnd(of: .onlineRead, by: principal, peer: peer, error: error)
            }
            sendError(error, requestID: frame.requestID)
        }
        clock = .now()
        loop.record(
            .onlineRead, code: code, duration: clock - arrival, rows: rows, bytes: frame.byteCount + writer.buffer.readableBytes - before)
    }

    /// Turns a read away from its header alone.
    private func shed(_ frame: Frame) {
        core.metrics.shed(.load)
        loop.record(.onlineRead, code: WhenceError.Code.overloaded.rawValue, duration: .zero, rows: 0, bytes: frame.byteCount)
        send(Session.tooManyReads, requestID: frame.requestID)
    }

    /// Made once: it is sent where there is no time.
    private static let tooManyReads = Failure(
        WhenceError.overloaded("more reads are asked for than can be answered", retryAfter: .milliseconds(20)))
}

extension RequestWork {
    /// A read that an event loop does not answer itself.
    func onlineRead(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try OnlineRead(decoding: frame)
        let reader = try PreparedReader(core, message.question)
        try reader.check(principal)
        let rows = try reader.take(frame)
        return Answer(rows: rows) { writer, _ throws(WhenceError) in _ = try reader.answer(frame, into: &writer) }
    }
}
