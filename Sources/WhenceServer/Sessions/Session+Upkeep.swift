import Logging
import NIOCore
import WhenceCore
import WhenceProtocol

/// What a session does by itself as time goes by, and at the end of the server.
extension Session {
    /// Ends the connection, or streams of it, that have been silent for too long: opened by halves, stuck within a frame, never reading.
    func sweep(_ now: NIODeadline) {
        let idle = core.limits.idleTime.timeAmount
        switch phase {
        case .closed: return
        case .hello, .authentication:
            if now - openedAt > core.limits.openingTime.timeAmount { drop("it did not open within the time for that") }
            return
        case .open: break
        }
        if let reader = lastReader, now - reader.lastUsed > ReaderCache.keptTime { lastReader = nil }
        if let since = congestedSince, now - since > idle { return drop("its client does not read") }
        // Long frames have longer, at the least rate of a line that is worth its connection: 16 KiB a second.
        let frameTime = idle + .milliseconds(Int64(decoder.bufferedBytes / 16))
        if decoder.bufferedBytes > 0, !isCongested, now - lastFrameAt > frameTime { return drop("a frame did not end") }
        if requests.isEmpty, !isCongested, now - lastFrameAt > core.limits.idleConnectionTime.timeAmount { return drop("it was idle") }
        for request in Array(requests.values) {
            guard let stream = request.stream, stream.isWaitingForClient(isCongested: isCongested), now - stream.heardAt > idle else {
                continue
            }
            end(request, with: request.deadlineExceeded("the client gave neither credit nor rows for \(core.limits.idleTime)"))
        }
    }

    private func drop(_ reason: String) {
        core.logger.log(level: principal == nil ? .debug : .info, "a connection is closed: \(reason)", metadata: log())
        closeNow()
    }

    /// Tells the client that the server ends. Open requests are answered; the connection is closed when there are none.
    func drain(within time: Duration) {
        guard !isClosed else { return }
        if case .open = phase {
            send(Draining(milliseconds: UInt32(clamping: time.microseconds / 1000)), requestID: 0)
            closeIfDrained()
        } else {
            fail(.draining())
        }
    }

    /// Closes a connection of an ending server that has no requests left.
    func closeIfDrained() {
        if core.isDraining, requests.isEmpty { close() }
    }
}

extension Duration {
    /// The same for SwiftNIO.
    var timeAmount: TimeAmount { .microseconds(microseconds) }
}
