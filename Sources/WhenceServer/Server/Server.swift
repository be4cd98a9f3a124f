import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import WhenceCore
import WhenceEngine

/// A server of the wire protocol (`Formats/wire-protocol.md`) over one store.
///
/// `start` listens and returns; `shutDown` drains and returns when everything has ended. As a service, `run` does both: it ends when the
/// service group shuts down gracefully. The store stays the caller's, and must not be closed before.
public final class Server: Service, Sendable {
    private struct State {
        var listeners: [any Channel] = []
        var isEnded = false
    }

    /// Connections that the system may hold before they are accepted.
    private static let backlog: ChannelOptions.Types.SocketOption.Value = 1024

    let core: ServerCore
    private let tls: ServerTLS?
    private let group: MultiThreadedEventLoopGroup
    private let loops: [LoopState]
    private let state = Mutex(State())

    /// - Parameters:
    ///   - access: who may open a session; without one everybody may do everything.
    ///   - tls: certificates; nil for connections that are not encrypted.
    public init(
        _ store: Store, _ configuration: ServerConfiguration = ServerConfiguration(), access: AccessControl = AccessControl(),
        tls: ServerTLS? = nil, metrics: ServerMetrics = ServerMetrics(), logger: Logger = Logger(label: "whence")
    ) {
        core = ServerCore(store, configuration, access, metrics, logger)
        self.tls = tls
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.limits.eventLoops))
        let core = core
        loops = group.makeIterator().map { LoopState($0, core) }
    }

    // MARK: State

    /// Whether the server is about to end, and refuses new requests.
    public var isDraining: Bool { core.isDraining }

    /// Why writes are refused at present, while reads go on; nil while they are taken.
    public var readOnlyCause: WhenceError? { core.gate.cause }

    // MARK: The beginning

    /// Begins to listen. Returns the address, with the port that the system has chosen where 0 was asked for.
    @discardableResult public func start() async throws(WhenceError) -> ListenAddress {
        Server.raiseFileLimit()
        if core.configuration.realtimeLoops {
            for loop in loops {
                guard (try? await loop.eventLoop.submit { EventLoopPriority.raise() }.get()) == true else {
                    throw EventLoopPriority.refusal
                }
            }
        }
        let loops = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
        let (core, tls, outboxBytes) = (core, tls, core.limits.outboxBytes)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Half-open connections are found within two minutes.
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 60)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 15)
            .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 4)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: outboxBytes / 4, high: outboxBytes))
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 256 << 10)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else { throw ChannelError.ioOnClosedChannel }
                    if let tls { try channel.pipeline.syncOperations.addHandler(tls.makeHandler()) }
                    try channel.pipeline.syncOperations.addHandler(Session(core, loop))
                }
            }
        let listen = core.configuration.listen
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(host: listen.host, port: listen.port).get()
        } catch {
            throw ListenAddress.bindingError(error, listen)
        }
        state.withLock { $0.listeners.append(channel) }
        for loop in self.loops { loop.eventLoop.execute { loop.begin() } }
        scheduleProbe()
        let address = ListenAddress(host: listen.host, port: channel.localAddress?.port ?? listen.port)
        core.logger.info("listening", metadata: ["address": "\(address)"])
        return address
    }

    /// Idle connections are cheap, and the system's usual limit of files is not made for them.
    private static func raiseFileLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
            return
        }
        limit.rlim_cur = limit.rlim_max
        unsafe setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }

    /// Has a storage that refuses writes asked every second whether it can go on.
    private func scheduleProbe() {
        let core = core
        loops[0].eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { task in
            if core.isDraining { return task.cancel() }
            guard core.gate.cause != nil else { return }
            try? core.upkeep.submit(for: 0) { core.gate.probe() }
        }
    }

    // MARK: The end

    /// Takes no more connections and requests, answers those that are open for as long as the drain time allows, and ends. Returns when all is
    /// over; a second call returns at once.
    public func shutDown() async {
        let listeners: [any Channel]? = state.withLock { state in
            guard !state.isEnded else { return nil }
            state.isEnded = true
            defer { state.listeners = [] }
            return state.listeners
        }
        guard let listeners else { return }
        let time = core.limits.drainTime
        let deadline = NIODeadline.now() + time.timeAmount
        core.logger.info("draining", metadata: ["milliseconds": "\(time.microseconds / 1000)"])
        core.beginDraining()
        for listener in listeners { try? await listener.close() }
        for loop in loops {
            try? await loop.eventLoop.submit { for session in Array(loop.sessions.values) { session.drain(within: time) } }.get()
        }
        while NIODeadline.now() < deadline, await hasSessions() { try? await Task.sleep(for: .milliseconds(20)) }
        for loop in loops {
            try? await loop.eventLoop.submit {
                for session in Array(loop.sessions.values) { session.closeNow() }
                loop.end()
            }.get()
        }
        let core = core
        await withCheckedContinuation { continuation in
            // Threads of the pools end when their last work has: no write is cut off.
            Thread.detachNewThread {
                // Nobody waits for a compaction any more.
                core.store.setCompactionsPaused(true)
                for pool in core.pools { pool.close() }
                core.store.setCompactionsPaused(false)
                continuation.resume()
            }
        }
        try? await group.shutdownGracefully()
        core.logger.info("ended")
    }

    private func hasSessions() async -> Bool {
        for loop in loops {
            let isEmpty = try? await loop.eventLoop.submit { loop.sessions.isEmpty }.get()
            if isEmpty == false { return true }
        }
        return false
    }

    /// Serves until the service group shuts down gracefully, or the task is cancelled.
    public func run() async throws {
        if state.withLock({ $0.listeners.isEmpty && !$0.isEnded }) { try await start() }
        try? await gracefulShutdown()
        await shutDown()
    }
}
