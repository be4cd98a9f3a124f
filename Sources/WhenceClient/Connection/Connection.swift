import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import WhenceCore
import WhenceProtocol

/// One open connection, from any thread.
final class Connection: Sendable {
    private let channel: any Channel
    private let session: NIOLoopBound<Session>
    private let status: SessionStatus
    private let lastID = Atomic<UInt32>(0)
    /// What the server said in its greeting.
    let welcome: Welcome
    let user: String
    let roles: [String]

    private init(_ channel: any Channel, _ session: NIOLoopBound<Session>, _ status: SessionStatus, _ opening: Opening) {
        self.channel = channel
        self.session = session
        self.status = status
        welcome = opening.welcome
        user = opening.user
        roles = opening.roles
    }

    /// Connects, greets and authenticates. Throws `connectionLost`, `notAuthenticated`, `unsupportedVersion`, and what the server says.
    static func open(
        _ configuration: ClientConfiguration, _ tls: NIOSSLContext?, on group: any EventLoopGroup
    ) async throws(WhenceError) -> Connection {
        let status = SessionStatus()
        let eventLoop = group.next()
        let deadline = NIODeadline.now() + TimeAmount(configuration.openingTimeout)
        let channel: any Channel
        let session: NIOLoopBound<Session>
        do {
            (channel, session) = try await connect(configuration, tls, status, on: eventLoop)
        } catch {
            throw Session.failure(error)
        }
        let guardTask = eventLoop.scheduleTask(deadline: deadline) {
            session.value.end(
                .lost("the server did not open a session within \(configuration.openingTimeout.text)", hint: "is this a server of Whence?"))
        }
        defer { guardTask.cancel() }
        do throws(WhenceError) {
            var opening = OpeningConversation(session, eventLoop, configuration)
            let result = try await opening.run()
            let connection = Connection(channel, session, status, result)
            connection.watch(configuration)
            return connection
        } catch {
            channel.close(promise: nil)
            guard error.code == .protocolViolation else { throw error }
            throw WhenceError(error.code, error.message, place: error.place, hint: "is this a server of Whence, and does it ask for TLS?")
        }
    }

    private static func connect(
        _ configuration: ClientConfiguration, _ tls: NIOSSLContext?, _ status: SessionStatus, on eventLoop: any EventLoop
    ) async throws -> (any Channel, NIOLoopBound<Session>) {
        let made = eventLoop.makePromise(of: NIOLoopBound<Session>.self)
        let name = configuration.tls?.serverName ?? configuration.host
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.openingTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.writeBufferWaterMark, value: .init(low: 1 << 20, high: 4 << 20))
            .channelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65_536, maximum: 1 << 20))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: name.isAddress ? nil : name))
                    }
                    let session = Session(status: status)
                    try channel.pipeline.syncOperations.addHandler(session)
                    made.succeed(NIOLoopBound(session, eventLoop: channel.eventLoop))
                }
            }
        do {
            let channel = try await bootstrap.connect(host: configuration.host, port: configuration.port).get()
            return (channel, try await made.futureResult.get())
        } catch {
            // A name that is found at several addresses makes several channels, or none: the promise must not be left alone.
            made.fail(error)
            throw error
        }
    }

    // MARK: State

    /// Whether a new request may go here.
    var takesRequests: Bool {
        // Numbers are never used twice; long before they run out another connection takes over.
        status.takesRequests.load(ordering: .acquiring) && lastID.load(ordering: .relaxed) < 1 << 31
    }

    /// Requests that are open or wait to be.
    var calls: Int { status.calls.load(ordering: .relaxed) }

    func close(_ reason: WhenceError) {
        let session = session
        run { session.value.end(reason) }
    }

    // MARK: Requests

    func nextID() -> UInt32 { lastID.add(1, ordering: .relaxed).newValue }

    func start(_ call: Call) {
        // Counted here, so that whoever chooses a connection next sees it.
        status.calls.add(1, ordering: .relaxed)
        let session = session
        run { session.value.start(call) }
    }

    func cancel(_ id: UInt32) {
        let session = session
        run { session.value.cancel(id) }
    }

    /// Sends a request that is answered by one message, and waits for it. `progress` is told, on the event loop, how far it has come.
    func ask(
        _ frame: ByteBuffer, id: UInt32, deadline: NIODeadline?, progress: (@Sendable (WorkProgress) -> Void)? = nil
    ) async -> Result<Frame, CallFailure> {
        let mark = CancellationMark()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                start(
                    Call(id: id, frame: frame, deadline: deadline, cancellation: mark) { event in
                        switch event {
                        case .frame(let frame) where frame.kind == .progress:
                            guard let progress else { return }
                            do throws(WhenceError) {
                                progress(try WorkProgress(decoding: frame))
                            } catch {
                                self.close(error)
                            }
                        case .frame(let frame): continuation.resume(returning: .success(frame))
                        case .failed(let failure): continuation.resume(returning: .failure(failure))
                        }
                    })
            }
        } onCancel: {
            mark.set()
            cancel(id)
        }
    }

    /// Sends a frame of an upload as soon as there is credit for it.
    func upload(_ frame: ByteBuffer, for id: UInt32, takesCredit: Bool) async throws(CallFailure) {
        let session = session
        let failure: CallFailure? = await withCheckedContinuation { continuation in
            run { session.value.upload(frame, for: id, takesCredit: takesCredit) { continuation.resume(returning: $0) } }
        }
        if let failure { throw failure }
    }

    func give(_ credit: UInt32, for id: UInt32) {
        var buffer = ByteBuffer()
        do throws(WhenceError) {
            try CreditGrant(bytes: credit).append(to: &buffer, requestID: id, maximumPayloadBytes: WireLimits.openingPayloadBytes)
        } catch {
            return close(error)
        }
        let (session, frame) = (session, buffer)
        run { session.value.give(frame, for: id) }
    }

    private func run(_ body: @escaping @Sendable () -> Void) { channel.eventLoop.execute(body) }

    // MARK: Health

    /// Asks a silent server whether it lives, and ends the connection where it does not say so.
    private func watch(_ configuration: ClientConfiguration) {
        let (session, channel) = (session, channel)
        let patience = TimeAmount(configuration.idleBeforePing)
        let deadline = TimeAmount(configuration.openingTimeout)
        channel.eventLoop.execute { [weak self] in
            let repeated = channel.eventLoop.scheduleRepeatedTask(initialDelay: patience, delay: patience) { [weak self] _ in
                guard let self, session.value.silence >= patience else { return }
                var buffer = ByteBuffer()
                let id = nextID()
                try Ping(timeout: nil).append(to: &buffer, requestID: id, maximumPayloadBytes: WireLimits.openingPayloadBytes)
                status.calls.add(1, ordering: .relaxed)
                session.value.start(
                    Call(id: id, frame: buffer, deadline: .now() + deadline, cancellation: CancellationMark()) { event in
                        if case .failed(let failure) = event, failure.error.code == .deadlineExceeded {
                            session.value.end(.lost("the server has fallen silent"))
                        }
                    })
            }
            channel.closeFuture.whenComplete { _ in repeated.cancel() }
        }
    }
}

extension TimeAmount {
    init(_ duration: Duration) {
        // A century is for ever, and does not overflow in nanoseconds.
        self = .microseconds(max(0, min(duration.microseconds, 100 * 365 * 86_400_000_000)))
    }
}

extension String {
    /// Whether this is an IP address, and no name.
    fileprivate var isAddress: Bool { (try? SocketAddress(ipAddress: self, port: 0)) != nil }
}
