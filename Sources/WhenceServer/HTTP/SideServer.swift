import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Synchronization
import WhenceCore

/// The HTTP port beside the protocol: metrics and health (`SidePages`). It has its own thread, so that it answers when the others are busy.
public final class SideServer: Service {
    /// Connections at once; scrapers and probes are few.
    static let connectionLimit = 64
    /// For a whole connection, from its opening to its end.
    static let timeLimit = TimeAmount.seconds(10)

    private let address: ListenAddress
    private let pages: SidePages
    private let tls: ServerTLS?
    private let logger: Logger
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let threads = NIOThreadPool(numberOfThreads: 1)
    private let timeLimit: TimeAmount
    private let channel = Mutex<(any Channel)?>(nil)

    /// - Parameter tls: nil: the port is not encrypted, as it need not be on loopback.
    public convenience init(address: ListenAddress, pages: SidePages, tls: ServerTLS?, logger: Logger) {
        self.init(address: address, pages: pages, tls: tls, logger: logger, timeLimit: Self.timeLimit)
    }

    init(address: ListenAddress, pages: SidePages, tls: ServerTLS?, logger: Logger, timeLimit: TimeAmount) {
        self.address = address
        self.pages = pages
        self.tls = tls
        self.logger = logger
        self.timeLimit = timeLimit
    }

    /// Begins to listen, and says where: the port that was chosen where none was.
    @discardableResult public func start() throws(WhenceError) -> ListenAddress {
        threads.start()
        let count = OpenConnections()
        do {
            let bound = try ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 64)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { [pages, threads, tls, timeLimit] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let tls { try pipeline.addHandler(tls.makeHandler()) }
                        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: true)
                        try pipeline.addHandler(SideHandler(pages, threads, timeLimit: timeLimit) { count.change($0) })
                    }
                }
                .bind(host: address.host, port: address.port).wait()
            channel.withLock { $0 = bound }
            return ListenAddress(host: address.host, port: bound.localAddress?.port ?? address.port)
        } catch {
            throw ListenAddress.bindingError(error, address)
        }
    }

    /// Answers until the service group ends: also while the server drains.
    public func run() async throws {
        try await gracefulShutdown()
        await stop()
    }

    /// Stops listening and lets go of the store.
    public func stop() async {
        let bound = channel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await bound?.close()
        pages.close()
        try? await threads.shutdownGracefully()
        try? await group.shutdownGracefully()
    }
}

/// How many connections are open.
private final class OpenConnections: Sendable {
    private let number = Atomic<Int>(0)

    /// Counts one more or one less; whether there was room.
    func change(_ isOpened: Bool) -> Bool {
        guard isOpened else {
            number.wrappingAdd(-1, ordering: .relaxed)
            return true
        }
        if number.wrappingAdd(1, ordering: .relaxed).newValue <= SideServer.connectionLimit { return true }
        number.wrappingAdd(-1, ordering: .relaxed)
        return false
    }
}
