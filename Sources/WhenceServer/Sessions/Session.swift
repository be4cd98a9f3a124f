import Logging
import NIOCore
import WhenceCore
import WhenceProtocol

/// One connection. It lives on its event loop: every method is called there, and whoever works for it elsewhere comes back through
/// `onLoop`. Frames come in through the decoder, requests are taken by `dispatch`, and all answers of a burst of reads go out in one write.
final class Session: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How far the conversation has come.
    enum Phase {
        /// Nothing but `hello` is taken.
        case hello
        /// Nothing but `authenticate` is taken; the exchange that is under way, if one is.
        case authentication(AuthenticationExchange?)
        case open(Principal)
        /// No more is taken, and nothing is answered.
        case closed
    }

    let id: UInt64
    let core: ServerCore
    let loop: LoopState
    var phase = Phase.hello
    var decoder: FrameDecoder
    var writer = FrameWriter()
    /// Requests that are open, by their ids.
    var requests: [UInt32: OpenRequest] = [:]
    /// Streams that are open.
    var streams = 0
    /// Whether a stream wanted to do a step and was not let, because others have made enough that is not sent.
    var isStreamHeldBack = false
    /// The reader of the last online read: the next one nearly always asks the same.
    var lastReader: PreparedReader?
    let openedAt = NIODeadline.now()
    /// When a whole frame last came in.
    var lastFrameAt = NIODeadline.now()
    /// The time, as of the beginning of this burst or the end of its last read.
    var clock = NIODeadline.now()
    /// Since when the client has not read what is waiting for it; nil while it does.
    var congestedSince: NIODeadline?
    var peer = ""
    /// Where the client is, as wrong passwords are counted.
    var network: ClientNetwork { ClientNetwork(context?.remoteAddress) }
    /// The common name of the client's certificate, where TLS has verified one.
    var certificateName: String? { context.flatMap { ServerTLS.clientName(of: $0.channel) } }
    private(set) var context: ChannelHandlerContext?
    private var isInBurst = false
    private var isFlushScheduled = false
    private var hasPendingRead = false
    private var isClosing = false
    private var isTaking = false

    init(_ core: ServerCore, _ loop: LoopState) {
        self.core = core
        self.loop = loop
        id = core.nextSessionID()
        decoder = FrameDecoder(from: .client)
    }

    var principal: Principal? {
        if case .open(let principal) = phase { return principal }
        return nil
    }

    var isClosed: Bool {
        if case .closed = phase { return true }
        return false
    }

    /// Whether the client does not read what is waiting for it.
    var isCongested: Bool { congestedSince != nil }

    /// Runs `body` on the session's event loop, unless the connection is gone by then.
    func onLoop(_ body: @escaping @Sendable (Session) -> Void) {
        loop.eventLoop.execute { [self] in
            if !isClosed { body(self) }
        }
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        peer = ListenAddress.text(context.remoteAddress)
        if context.channel.isActive { begin() }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        begin()
        context.fireChannelActive()
    }

    private func begin() {
        guard !loop.sessions.keys.contains(id) else { return }
        peer = ListenAddress.text(context?.remoteAddress)
        loop.sessions[id] = self
        core.metrics.connections.add(1)
        core.metrics.accepted.add(1)
        if core.metrics.connections.value > core.limits.connections {
            core.metrics.shed(.connections)
            fail(.overloaded("the server has as many connections as it takes", retryAfter: .seconds(1)))
        } else if core.isDraining {
            fail(.draining())
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard !isClosed, !isClosing else { return }
        clock = .now()
        if !isInBurst { loop.enterTurn(clock) }
        isInBurst = true
        core.metrics.bytesReceived.add(bytes.readableBytes)
        decoder.feed(bytes)
        takeFrames()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isInBurst = false
        if writer.buffer.readableBytes == 0 {
            context.flush()
        } else {
            loop.flushLater(self, clock)
        }
        context.fireChannelReadComplete()
    }

    /// Reads no more from a client that does not read its answers: that is what keeps memory bounded.
    func read(context: ChannelHandlerContext) {
        if isCongested { hasPendingRead = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            congestedSince = nil
            clock = .now()
            takeFrames()
            for request in requests.values { if let stream = request.stream { pump(stream) } }
            flush()
            if hasPendingRead, !isCongested {
                hasPendingRead = false
                context.read()
            }
        } else if congestedSince == nil {
            congestedSince = .now()
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .hello = phase, ServerTLS.isRefusal(error) {
            // There is no session yet, and it ends here: the client was refused, or is none.
            core.access.refusedHandshake(peer: peer)
            core.metrics.record(.open, code: WhenceError.Code.notAuthenticated.rawValue, duration: .zero, rows: 0, bytes: 0)
            core.logger.notice("a TLS handshake was refused", metadata: log(["reason": "\(ServerTLS.reason(error))"]))
        } else {
            core.logger.debug("a connection failed", metadata: log(["error": "\(error)"]))
        }
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The client has sent all it will: nothing can be cancelled or uploaded any more, and nobody waits for answers.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Frames in

    private func takeFrames() {
        // A flush may make the channel writable again, which calls this: the loop that is under way goes on by itself.
        guard !isTaking else { return }
        isTaking = true
        defer { isTaking = false }
        if writer.buffer.storageCapacity == 0 { writer.buffer = loop.takeBuffer() }
        do throws(WhenceError) {
            while !isClosed, !isClosing, !isCongested, let frame = try decoder.next() {
                lastFrameAt = clock
                try dispatch(frame)
                // Before much has gathered, so that a client that does not read is noticed.
                if writer.buffer.readableBytes >= 256 << 10 { flush() }
            }
        } catch {
            fail(error)
        }
    }

    // MARK: Answers out

    /// Writes a message. What the client's limit has no room for becomes an error.
    func send<M: Message>(_ message: M, requestID: UInt32) {
        do throws(WhenceError) {
            try writer.write(message, requestID: requestID)
        } catch {
            sendError(error, requestID: requestID)
        }
        scheduleFlush()
    }

    func sendError(_ error: WhenceError, requestID: UInt32) {
        // An error is clipped to its limits and always fits.
        try? writer.write(Failure(error), requestID: requestID)
        scheduleFlush()
    }

    /// Writes frames that were made elsewhere.
    func send(frames: ByteBuffer) {
        if frames.readableBytes < 16 << 10 {
            writer.buffer.writeImmutableBuffer(frames)
        } else {
            handOver()
            core.metrics.bytesSent.add(frames.readableBytes)
            context?.write(wrapOutboundOut(frames), promise: nil)
        }
        scheduleFlush()
    }

    private func handOver() {
        guard writer.buffer.readableBytes > 0 else { return }
        core.metrics.bytesSent.add(writer.buffer.readableBytes)
        context?.write(wrapOutboundOut(writer.buffer), promise: nil)
        writer.buffer = ByteBuffer()
    }

    func flush() {
        guard let context else { return }
        guard writer.buffer.readableBytes > 0 else { return context.flush() }
        core.metrics.bytesSent.add(writer.buffer.readableBytes)
        context.write(wrapOutboundOut(writer.buffer), promise: nil)
        var sent = ByteBuffer()
        swap(&sent, &writer.buffer)
        context.flush()
        // Where the channel has sent it all, nobody else holds the memory, and a later burst is written there; an idle session keeps none.
        loop.takeBack(sent)
    }

    /// Answers of a burst go out together when it ends; others at the end of the event loop's turn.
    func scheduleFlush() {
        guard !isInBurst, !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.eventLoop.execute { [self] in
            isFlushScheduled = false
            if !isInBurst { flush() }
        }
    }

    // MARK: The end

    /// Ends the connection with an error that is the connection's own.
    func fail(_ error: WhenceError) {
        guard !isClosed, !isClosing else { return }
        // Whoever is not known yet must not be able to fill the log.
        core.logger.log(level: principal == nil ? .debug : .info, "a connection ends", metadata: log(["error": "\(error)"]))
        sendError(error, requestID: 0)
        close()
    }

    /// Closes the connection when what has been written is out.
    func close() {
        guard !isClosed, !isClosing, let context else { return }
        isClosing = true
        endRequests()
        handOver()
        let channel = context.channel
        let eventLoop = loop.eventLoop
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
            // What the client sends meanwhile is read and dropped, so that its system does not throw our last words away.
            eventLoop.scheduleTask(in: .milliseconds(500)) { channel.close(promise: nil) }
        }
    }

    /// Closes the connection, whatever has not been sent.
    func closeNow() {
        guard !isClosed else { return }
        isClosing = true
        endRequests()
        context?.close(promise: nil)
    }

    private func endRequests() {
        for request in Array(requests.values) { finish(request, error: WhenceError(.cancelled, "the connection has ended")) }
    }

    private func end() {
        guard !isClosed else { return }
        endRequests()
        phase = .closed
        lastReader = nil
        writer.buffer = ByteBuffer()
        if loop.sessions.removeValue(forKey: id) != nil { core.metrics.connections.add(-1) }
    }

    func log(_ more: Logger.Metadata = [:]) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["connection": "\(id)", "peer": "\(peer)"]
        if let principal { metadata["user"] = "\(principal.user)" }
        return metadata.merging(more) { _, new in new }
    }
}
