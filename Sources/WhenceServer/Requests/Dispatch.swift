import NIOCore
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// The one place where it is decided what happens to a frame: by the phase of the session, then by its kind.
extension Session {
    /// Takes a frame. What it throws is an error of the connection, which ends it.
    func dispatch(_ frame: Frame) throws(WhenceError) {
        switch phase {
        case .closed: return
        case .hello, .authentication: return try opening(frame)
        case .open(let principal): return try request(frame, principal)
        }
    }

    private func request(_ frame: Frame, _ principal: Principal) throws(WhenceError) {
        guard let kind = frame.kind else {
            guard frame.requestID != 0 else { throw .violation("a request has id 0") }
            // Of a range that is kept for later versions: said, and gone on.
            return sendError(
                WhenceError(.invalidArgument, "this server knows no request of kind \(frame.kindCode)", hint: "use a newer server"),
                requestID: frame.requestID)
        }
        switch kind {
        case .onlineRead: try onlineRead(frame, principal)
        case .ping: try ping(frame)
        case .cancel: try cancel(frame)
        case .credit: try grant(frame)
        case .uploadRows, .uploadEnd: try upload(frame)

        case .write: try answer(frame, .write, principal, on: core.writes, RequestWork.write)
        case .plan: try answer(frame, .plan, principal, on: core.points, RequestWork.plan)
        case .apply: try answer(frame, .apply, principal, on: core.writes, RequestWork.apply)
        case .catalogList: try answer(frame, .catalogList, principal, on: core.points, RequestWork.catalogList)
        case .catalogShow: try answer(frame, .catalogShow, principal, on: core.points, RequestWork.catalogShow)
        case .definitions: try answer(frame, .catalogList, principal, on: core.points, RequestWork.definitions)
        case .describe: try answer(frame, .describe, principal, on: core.points, RequestWork.describe)
        case .stats: try answer(frame, .stats, principal, on: core.points, RequestWork.stats)
        case .compact: try answer(frame, .compact, principal, on: core.upkeep, RequestWork.compact)
        case .retain: try answer(frame, .retain, principal, on: core.upkeep, RequestWork.retain)
        case .erase: try answer(frame, .erase, principal, on: core.upkeep, RequestWork.erase)

        case .history: try stream(frame, .history, principal, HistoryJob.init)
        case .scan: try stream(frame, .scan, principal, ScanJob.init)
        case .join: try stream(frame, .join, principal, JoinJob.init)
        case .backfill: try stream(frame, .backfill, principal, BackfillJob.init)

        case .hello, .authenticate: throw .violation("the session is open already")
        case .welcome, .challenge, .authenticated, .pong, .draining, .error, .document, .committed, .onlineAnswer, .schema, .rows, .end,
            .uploadCredit, .progress:
            throw .violation("a client does not send messages of kind \(frame.kindCode)")
        }
    }

    // MARK: Messages of the session

    private func ping(_ frame: Frame) throws(WhenceError) {
        _ = try Ping(decoding: frame)
        let arrival = NIODeadline.now()
        guard isNewRequest(frame) else { return }
        send(Pong(time: core.store.now), requestID: frame.requestID)
        core.metrics.record(.ping, code: 0, duration: (NIODeadline.now() - arrival).duration, rows: 0, bytes: frame.byteCount)
    }

    private func cancel(_ frame: Frame) throws(WhenceError) {
        _ = try Cancel(decoding: frame)
        // Where there is none, its last answer and this have crossed.
        if let request = requests[frame.requestID] { end(request, with: .cancelled) }
    }

    private func grant(_ frame: Frame) throws(WhenceError) {
        let grant = try CreditGrant(decoding: frame)
        guard let stream = requests[frame.requestID]?.stream else { return }
        try stream.take(credit: grant.bytes)
        pump(stream)
    }

    private func upload(_ frame: Frame) throws(WhenceError) {
        guard let stream = requests[frame.requestID]?.stream else {
            // For a request that takes no rows this is an error; for one that is over, the two have crossed.
            guard requests[frame.requestID] == nil else { throw .violation("request \(frame.requestID) takes no rows") }
            return
        }
        try stream.take(upload: frame)
        pump(stream)
    }
}

extension WhenceError {
    /// The other side broke the protocol; the connection ends with it.
    static func violation(_ message: String) -> WhenceError {
        WhenceError(.protocolViolation, message, hint: "the connection is closed")
    }
}

extension TimeAmount {
    var duration: Duration { .nanoseconds(nanoseconds) }
}
