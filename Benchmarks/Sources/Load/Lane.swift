import NIOCore

/// One connection under load: up to `depth` requests in flight. Used on its event loop alone.
final class Lane<Speech: Dialect>: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var speech: Speech
    private let run: Run<Speech>
    private var context: ChannelHandlerContext?
    private var received: ByteBuffer
    private var outgoing: ByteBuffer
    /// Free slots, and for each slot when its request was to start.
    private var free: [Int]
    private var started: [NIODeadline]
    private var isOpen = false

    init(_ speech: Speech, depth: Int, run: Run<Speech>) {
        self.speech = speech
        self.run = run
        received = ByteBuffer()
        outgoing = ByteBuffer()
        free = Array((0..<depth).reversed())
        started = Array(repeating: .now(), count: depth)
    }

    var hasRoom: Bool { isOpen && !free.isEmpty }

    /// Puts one request into the outgoing bytes; `flush` sends them.
    func ask(intended: NIODeadline) {
        guard let slot = free.popLast() else { return }
        started[slot] = intended
        do { try speech.ask(slot: slot, into: &outgoing) } catch { run.failed("\(error)") }
    }

    func flush() {
        guard let context, outgoing.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(outgoing), promise: nil)
        // Written again where the channel has sent it all.
        outgoing.clear()
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        do { if try !speech.open(into: &outgoing) { begin() } } catch { run.failed("\(error)") }
        flush()
    }

    private func begin() {
        isOpen = true
        run.opened(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if received.readableBytes == 0 { received = bytes } else { received.writeBuffer(&bytes) }
        do {
            var opened = false
            let now = NIODeadline.now()
            try speech.take(from: &received) { slot, outcome in
                if case .opened = outcome {
                    opened = true
                    return
                }
                free.append(slot)
                run.ended(outcome, started: started[slot], now: now)
            }
            if opened { begin() }
            run.refill(self)
        } catch {
            run.failed("\(error)")
        }
        if received.readableBytes == 0 { received.clear() } else { received.discardReadBytes() }
    }

    func channelReadComplete(context: ChannelHandlerContext) { flush() }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        isOpen = false
        run.closed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        run.failed("\(error)")
        context.close(promise: nil)
    }
}
