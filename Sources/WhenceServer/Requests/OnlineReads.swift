import NIOCore
import WhenceCore
import WhenceProtocol

/// Online reads: small ones on the event loop, where that is fastest; others on the pool.
extension Session {
    func onlineRead(_ frame: Frame, _ principal: Principal) throws(WhenceError) {
        guard isNewRequest(frame) else { return }
        let arrival = NIODeadline.now()
        if loop.isOverloaded(arrival) {
            core.metrics.shed(.load)
            core.metrics.record(.onlineRead, code: WhenceError.Code.overloaded.rawValue, duration: .zero, rows: 0, bytes: frame.byteCount)
            return sendError(
                .overloaded("more reads are asked for than can be answered", retryAfter: .milliseconds(20)), requestID: frame.requestID)
        }
        var code = 0
        var rows = 0
        do throws(WhenceError) {
            let message: OnlineRead
            let reader: PreparedReader
            if let last = lastReader, last.question.isAsked(by: frame), !last.isOld {
                message = try OnlineRead(decoding: frame, asking: last.question)
                reader = last
            } else {
                message = try OnlineRead(decoding: frame)
                // Before any name is looked up: who may read nothing learns no names from the errors.
                try principal.check(.read, view: nil)
                reader = try loop.readers.reader(core, message.question)
                lastReader = reader
            }
            reader.lastUsed = arrival
            try reader.check(principal)
            rows = message.entities.count
            if rows > core.limits.inlineEntities {
                return try answer(frame, .onlineRead, principal, on: core.points, RequestWork.onlineRead)
            }
            let before = writer.buffer.readableBytes
            try writer.write(try reader.answer(message), requestID: frame.requestID)
            core.metrics.record(
                .onlineRead, code: 0, duration: (.now() - arrival).duration, rows: rows,
                bytes: frame.byteCount + writer.buffer.readableBytes - before)
            return scheduleFlush()
        } catch {
            guard error.code != .protocolViolation else { throw error }
            code = error.code.rawValue
            if error.code == .notAllowed || error.code == .notAuthenticated {
                core.access.recordEnd(of: .onlineRead, by: principal, peer: peer, error: error)
            }
            sendError(error, requestID: frame.requestID)
        }
        core.metrics.record(.onlineRead, code: code, duration: (.now() - arrival).duration, rows: rows, bytes: frame.byteCount)
    }
}

extension RequestWork {
    /// A read of more entities than an event loop answers itself.
    func onlineRead(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try OnlineRead(decoding: frame)
        let reader = try PreparedReader(core, message.question, capacity: message.entities.count)
        try reader.check(principal)
        return Answer(try reader.answer(message), rows: message.entities.count)
    }
}
