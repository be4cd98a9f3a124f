import Logging
import NIOCore
import Synchronization
import WhenceCore
import WhenceProtocol

/// How requests are admitted, kept and ended.
extension Session {
    /// Whether `frame` begins a request that may be answered: a fresh id, and a server that does not end. Answers itself where not.
    func isNewRequest(_ frame: Frame) -> Bool {
        guard frame.requestID != 0 else {
            fail(.violation("a request has id 0"))
            return false
        }
        guard requests.isEmpty || requests[frame.requestID] == nil else {
            fail(.violation("request \(frame.requestID) is open already"))
            return false
        }
        guard !core.isDraining else {
            sendError(.draining(), requestID: frame.requestID)
            return false
        }
        return true
    }

    /// Admits the request that `frame` begins, or refuses it before any work is done.
    func admit(_ frame: Frame, _ operation: Operation) throws(WhenceError) -> OpenRequest? {
        guard let micros: UInt64 = frame.payload.getInteger(at: frame.payload.readerIndex, endianness: .little) else {
            throw .violation("a request ends within its timeout")
        }
        guard isNewRequest(frame) else { return nil }
        guard requests.count < core.limits.requestsPerConnection else {
            return refuse(frame, operation, .requestsPerConnection, "the connection has as many open requests as it may have")
        }
        guard core.admission.beginRequest(frameBytes: frame.byteCount) else {
            return refuse(frame, operation, .requests, "the server has as many open requests as it takes")
        }
        let arrival = NIODeadline.now()
        let standard = operation.isLong ? core.limits.defaultLongTimeout : core.limits.defaultTimeout
        let timeout = micros == 0 ? standard.timeAmount : .microseconds(Int64(clamping: min(micros, 1 << 52)))
        let request = OpenRequest(
            id: frame.requestID, operation: operation, arrival: arrival, deadline: arrival + timeout, bytes: frame.byteCount)
        requests[frame.requestID] = request
        core.metrics.inFlight.add(1)
        // A day is as good as never, and needs no timer.
        if timeout < .hours(24) {
            request.timer = loop.eventLoop.scheduleTask(deadline: request.deadline) { [weak self, weak request] in
                guard let self, let request else { return }
                end(request, with: request.deadlineExceeded())
            }
        }
        return request
    }

    private func refuse(_ frame: Frame, _ operation: Operation, _ reason: ShedReason, _ message: String) -> OpenRequest? {
        let error = WhenceError.overloaded(message, retryAfter: .milliseconds(50))
        core.metrics.shed(reason)
        core.metrics.record(operation, code: error.code.rawValue, duration: .zero, rows: 0, bytes: frame.byteCount)
        sendError(error, requestID: frame.requestID)
        return nil
    }

    /// Ends a request with an error that it is answered with.
    func end(_ request: OpenRequest, with error: WhenceError) {
        guard requests[request.id] === request else { return }
        sendError(error, requestID: request.id)
        finish(request, error: error)
    }

    /// Forgets a request whose last answer has been written, and counts it.
    func finish(_ request: OpenRequest, error: WhenceError? = nil) {
        guard requests[request.id] === request else { return }
        requests[request.id] = nil
        request.isEnded.store(true, ordering: .relaxed)
        request.timer?.cancel()
        request.timer = nil
        if let stream = request.stream {
            request.stream = nil
            abandon(stream)
        }
        core.admission.endRequest(frameBytes: request.frameBytes)
        core.metrics.inFlight.add(-1)
        let now = NIODeadline.now()
        let took = (now - request.arrival).duration
        core.metrics.record(request.operation, code: error?.code.rawValue ?? 0, duration: took, rows: request.rows, bytes: request.bytes)
        if let principal {
            core.access.recordEnd(
                of: request.operation, by: principal, peer: peer, view: request.subject.withLock { $0 }, error: error)
        }
        if let slow = core.configuration.slowRequest, took >= slow {
            let waited = ((request.workBegan ?? now) - request.arrival).duration
            core.logger.warning(
                "a slow request",
                metadata: log([
                    "request": "\(request.id)", "operation": "\(request.operation.label)", "code": "\(error?.code.rawValue ?? 0)",
                    "milliseconds": "\(took.microseconds / 1000)", "milliseconds_waited": "\(waited.microseconds / 1000)",
                    "rows": "\(request.rows)", "bytes": "\(request.bytes)",
                ]))
        }
        closeIfDrained()
    }

    // MARK: Requests with one answer

    /// Has a request answered by a thread of `pool`: `body` reads the frame and makes the answer there.
    func answer(
        _ frame: Frame, _ operation: Operation, _ principal: Principal, on pool: WorkPool,
        _ body: @escaping @Sendable (RequestWork) -> (Frame, Principal) throws(WhenceError) -> Answer
    ) throws(WhenceError) {
        guard let request = try admit(frame, operation) else { return }
        let work = RequestWork(core: core, request: request, session: self, maximumPayloadBytes: writer.maximumPayloadBytes)
        do throws(WhenceError) {
            try pool.submit(for: id) { work.run(frame, principal, body) }
        } catch {
            if error.code == .overloaded { core.metrics.shed(.queue) }
            end(request, with: error)
        }
    }

    /// Sends an answer that was made on a pool, unless the request has ended meanwhile.
    func deliver(_ result: Result<(frames: ByteBuffer, rows: Int), WhenceError>, for request: OpenRequest, began: NIODeadline) {
        guard requests[request.id] === request else { return }
        request.workBegan = began
        switch result {
        case .success(let answer):
            request.rows = answer.rows
            request.bytes += answer.frames.readableBytes
            send(frames: answer.frames)
            finish(request)
        case .failure(let error) where error.code == .protocolViolation: fail(error)
        case .failure(let error): end(request, with: error)
        }
    }
}

extension Operation {
    /// Whether a request of this kind may well take minutes.
    fileprivate var isLong: Bool {
        switch self {
        case .scan, .join, .backfill, .compact, .retain, .erase: true
        default: false
        }
    }
}
