import NIOCore
import Synchronization
import WhenceCore
import WhenceProtocol

/// What other threads may know of a session.
final class SessionStatus: Sendable {
    /// Whether new requests may go here: false once the server drains or the connection is lost.
    let takesRequests = Atomic<Bool>(true)
    /// Requests that are open or wait to be.
    let calls = Atomic<Int>(0)
}

/// One connection's conversation, on its event loop: frames out, frames in, each to the request that it answers.
final class Session: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private final class OpenCall {
        let call: Call
        var credit: Credit
        /// Rows that wait for credit: at most one frame, as its sender waits for it.
        var upload: Upload?

        init(_ call: Call, credit: UInt32) {
            self.call = call
            self.credit = Credit(credit)
        }
    }

    private struct Upload {
        var frame: ByteBuffer
        /// Whether it is rows, which take credit.
        var takesCredit: Bool
        var done: @Sendable (CallFailure?) -> Void
    }

    let status: SessionStatus
    private var decoder = FrameDecoder(from: .server)
    private var context: ChannelHandlerContext?
    private var isFlushScheduled = false
    private var failure: WhenceError?

    /// Frames of the opening that have come, or who waits for one.
    private var openingFrames: CircularBuffer<Frame> = []
    private var openingWaiter: (@Sendable (Result<Frame, WhenceError>) -> Void)?

    private var open: [UInt32: OpenCall] = [:]
    private var queued: CircularBuffer<Call> = []
    private var highestID: UInt32 = 0
    private var openLimit = Int.max
    private var uploadCredit: UInt32 = 0

    private var sweep: Scheduled<Void>?
    private var sweepAt = NIODeadline.distantFuture
    private var lastRead = NIODeadline.now()

    init(status: SessionStatus) { self.status = status }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard failure == nil else { return }
        decoder.feed(unwrapInboundIn(data))
        lastRead = .now()
        do throws(WhenceError) {
            while failure == nil, let frame = try decoder.next() { try take(frame) }
        } catch {
            end(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.lost("the connection to the server is lost"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(Session.failure(error)) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { for call in open.values { sendUpload(call) } }
        context.fireChannelWritabilityChanged()
    }

    /// Ends the session: whoever waits is told `error`.
    func end(_ error: WhenceError) {
        guard failure == nil else { return }
        failure = error
        status.takesRequests.store(false, ordering: .releasing)
        sweep?.cancel()
        let (opened, waiting) = (open, queued)
        open = [:]
        queued = []
        openingWaiter?(.failure(error))
        openingWaiter = nil
        for entry in opened.values { fail(entry, error) }
        for call in waiting { finish(call, .failed(CallFailure(error: error, wasSent: false))) }
        context?.close(promise: nil)
    }

    // MARK: Opening

    /// From here on requests may be sent.
    func begin(_ welcome: Welcome, maximumPayloadBytes: UInt32) {
        openLimit = max(1, Int(welcome.openRequests))
        uploadCredit = welcome.uploadCredit
        decoder.maximumPayloadBytes = Int(maximumPayloadBytes)
    }

    func sendOpening(_ frame: ByteBuffer) { write(frame) }

    func nextOpeningFrame(_ receive: @escaping @Sendable (Result<Frame, WhenceError>) -> Void) {
        if let frame = openingFrames.popFirst() { return receive(.success(frame)) }
        if let failure { return receive(.failure(failure)) }
        openingWaiter = receive
    }

    // MARK: Requests

    /// Precondition: the call is counted in `status`.
    func start(_ call: Call) {
        if call.isCancelled { return finish(call, .failed(CallFailure(error: .cancelledByCaller(), wasSent: false))) }
        if let failure { return finish(call, .failed(CallFailure(error: failure, wasSent: false))) }
        if let deadline = call.deadline { expect(deadline) }
        if open.count < openLimit { send(call) } else { queued.append(call) }
    }

    /// The caller of request `id` has given up.
    func cancel(_ id: UInt32) {
        if let entry = open.removeValue(forKey: id) {
            abandon(entry, .cancelledByCaller())
        } else if let index = queued.firstIndex(where: { $0.id == id }) {
            finish(queued.remove(at: index), .failed(CallFailure(error: .cancelledByCaller(), wasSent: false)))
        }
    }

    /// Gives credit for a download that is still open.
    func give(_ credit: ByteBuffer, for id: UInt32) { if open[id] != nil { write(credit) } }

    /// Sends a frame of an upload when there is credit for it. One at a time for each request.
    func upload(_ frame: ByteBuffer, for id: UInt32, takesCredit: Bool, done: @escaping @Sendable (CallFailure?) -> Void) {
        guard let entry = open[id] else {
            if let call = queued.first(where: { $0.id == id }) {
                // Its turn comes when another request ends; its rows with it.
                waitingUploads[call.id] = Upload(frame: frame, takesCredit: takesCredit, done: done)
                return
            }
            return done(CallFailure(error: failure ?? WhenceError(.cancelled, "the request has ended"), wasSent: true))
        }
        entry.upload = Upload(frame: frame, takesCredit: takesCredit, done: done)
        sendUpload(entry)
    }

    private var waitingUploads: [UInt32: Upload] = [:]

    private func send(_ call: Call) {
        let entry = OpenCall(call, credit: uploadCredit)
        open[call.id] = entry
        highestID = max(highestID, call.id)
        write(call.frame)
        if let upload = waitingUploads.removeValue(forKey: call.id) {
            entry.upload = upload
            sendUpload(entry)
        }
    }

    private func sendUpload(_ entry: OpenCall) {
        guard let upload = entry.upload, let context, context.channel.isWritable, !upload.takesCredit || entry.credit.isOpen else { return }
        entry.upload = nil
        if upload.takesCredit { entry.credit.spend(upload.frame.readableBytes) }
        write(upload.frame)
        upload.done(nil)
    }

    private func take(_ frame: Frame) throws(WhenceError) {
        guard frame.requestID != 0 else { return try takeOwn(frame) }
        guard let entry = open[frame.requestID] else {
            // What crossed with a cancellation or a deadline is late; what was never asked is an error.
            guard frame.requestID <= highestID else {
                throw WhenceError(.protocolViolation, "the server answers a request that was never sent")
            }
            return
        }
        switch frame.kind {
        case .uploadCredit?:
            try entry.credit.add(UploadCreditGrant(decoding: frame).bytes)
            sendUpload(entry)
        case .error?:
            let error = try Failure(decoding: frame).error
            open.removeValue(forKey: frame.requestID)
            fail(entry, error)
            startQueued()
        case .schema?, .rows?, .progress?:
            // Whoever waits for one message is told of one.
            guard frame.kind == .progress || entry.call.isStream else {
                throw WhenceError(.protocolViolation, "the server answers by a stream what is answered by one message")
            }
            entry.call.receive(.frame(frame))
        default:
            open.removeValue(forKey: frame.requestID)
            if let upload = entry.upload {
                upload.done(CallFailure(error: WhenceError(.cancelled, "the request was answered before all was sent"), wasSent: true))
            }
            finish(entry.call, .frame(frame))
            startQueued()
        }
    }

    /// A frame of the connection's own.
    private func takeOwn(_ frame: Frame) throws(WhenceError) {
        switch frame.kind {
        case .draining?: status.takesRequests.store(false, ordering: .releasing)
        case .error? where openingWaiter == nil: end(try Failure(decoding: frame).error)
        default:
            if let waiter = openingWaiter {
                openingWaiter = nil
                waiter(.success(frame))
            } else if openingFrames.count < 4 {
                openingFrames.append(frame)
            } else {
                throw WhenceError(.protocolViolation, "the server sends what nobody asked for")
            }
        }
    }

    // MARK: Ends of requests

    private func finish(_ call: Call, _ event: CallEvent) {
        status.calls.subtract(1, ordering: .relaxed)
        waitingUploads.removeValue(forKey: call.id)?.done(CallFailure(error: .cancelledByCaller(), wasSent: false))
        call.receive(event)
    }

    private func fail(_ entry: OpenCall, _ error: WhenceError) {
        let failure = CallFailure(error: error, wasSent: true)
        entry.upload?.done(failure)
        entry.upload = nil
        finish(entry.call, .failed(failure))
    }

    /// Ends a request that the server still works on.
    private func abandon(_ entry: OpenCall, _ error: WhenceError) {
        var buffer = ByteBuffer()
        do throws(WhenceError) {
            try Cancel().append(to: &buffer, requestID: entry.call.id, maximumPayloadBytes: WireLimits.openingPayloadBytes)
            write(buffer)
        } catch {
            // A cancellation has no payload that could be too long.
            end(error)
        }
        fail(entry, error)
        startQueued()
    }

    private func startQueued() {
        while failure == nil, open.count < openLimit, let call = queued.popFirst() {
            if call.isCancelled {
                finish(call, .failed(CallFailure(error: .cancelledByCaller(), wasSent: false)))
            } else {
                send(call)
            }
        }
    }

    // MARK: Deadlines

    /// Makes sure that deadlines are looked at by `deadline`: one timer serves all requests.
    private func expect(_ deadline: NIODeadline) {
        guard deadline < sweepAt, let context else { return }
        sweep?.cancel()
        sweepAt = deadline
        sweep = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.endOverdue() }
    }

    private func endOverdue() {
        sweepAt = .distantFuture
        let now = NIODeadline.now()
        var next = NIODeadline.distantFuture
        for (id, entry) in open {
            guard let deadline = entry.call.deadline else { continue }
            if deadline <= now {
                // Who is told of one deadline may end the session, and with it the others.
                guard open.removeValue(forKey: id) != nil else { continue }
                abandon(entry, .deadlinePassed())
            } else {
                next = min(next, deadline)
            }
        }
        let waiting = queued
        queued = []
        for call in waiting {
            if let deadline = call.deadline, deadline <= now {
                finish(call, .failed(CallFailure(error: .deadlinePassed(), wasSent: false)))
            } else {
                if let deadline = call.deadline { next = min(next, deadline) }
                queued.append(call)
            }
        }
        if next < .distantFuture { expect(next) }
    }

    // MARK: Health

    /// How long nothing has come.
    var silence: TimeAmount { .now() - lastRead }

    // MARK: Writing

    /// Writes now and flushes when the event loop has done what it is at, so that requests made at once travel together.
    private func write(_ frame: ByteBuffer) {
        guard let context, failure == nil else { return }
        context.write(wrapOutboundOut(frame), promise: nil)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.context?.flush()
        }
    }
}
