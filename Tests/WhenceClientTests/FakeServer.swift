import NIOCore
import NIOPosix
import Synchronization
import WhenceClient
import WhenceCore
import WhenceProtocol

/// A server that says what a test wants it to say, over a real socket: for what a good server never does.
final class FakeServer: Sendable {
    /// One connection to it, on its event loop.
    final class Peer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        /// Connections are counted from 1.
        let number: Int
        private let server: FakeServer
        private var decoder = FrameDecoder(from: .client)
        private(set) var context: ChannelHandlerContext?

        fileprivate init(_ server: FakeServer, _ number: Int) {
            self.server = server
            self.number = number
            decoder.maximumPayloadBytes = WireLimits.payloadBytes
        }

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }
        func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            decoder.feed(unwrapInboundIn(data))
            do {
                while let frame = try decoder.next() {
                    if frame.kind == .hello, let welcome = server.welcome {
                        try send(welcome, 0)
                    } else {
                        try server.handle(frame, self)
                    }
                }
            } catch {
                server.errors.withLock { $0.append("\(error)") }
                context.close(promise: nil)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func send<M: Message>(_ message: M, _ id: UInt32) throws {
            var buffer = ByteBuffer()
            try message.append(to: &buffer, requestID: id, maximumPayloadBytes: WireLimits.payloadBytes)
            send(buffer)
        }

        @discardableResult
        func sendRows(_ batch: ColumnBatch, _ id: UInt32) throws -> Int {
            var writer = FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes)
            let byteCount = try writer.writeRows(batch, as: .rows, requestID: id)
            send(writer.buffer)
            return byteCount
        }

        func send(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

        func close() { context?.close(promise: nil) }

        /// Does something a little later.
        func later(_ milliseconds: Int64, _ body: @escaping (Peer) -> Void) {
            context?.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) { body(self) }
        }
    }

    /// What it greets with; nil leaves `hello` to the test.
    private let welcome: Welcome?
    private let handle: @Sendable (Frame, Peer) throws -> Void
    private let connections = Atomic<Int>(0)
    let errors = Mutex<[String]>([])
    private let channel = Mutex<(any Channel)?>(nil)

    var port: Int { channel.withLock { $0?.localAddress?.port } ?? 0 }
    /// Connections so far.
    var connectionCount: Int { connections.load(ordering: .relaxed) }

    static func plainWelcome(openRequests: UInt32 = 100, uploadCredit: UInt32 = 1 << 20, mechanisms: [String] = []) -> Welcome {
        Welcome(
            maximumPayloadBytes: 1 << 20, openRequests: openRequests, uploadCredit: uploadCredit, server: "fake", mechanisms: mechanisms)
    }

    init(_ welcome: Welcome? = FakeServer.plainWelcome(), _ handle: @escaping @Sendable (Frame, Peer) throws -> Void) async throws {
        self.welcome = welcome
        self.handle = handle
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let number = self.connections.add(1, ordering: .relaxed).newValue
                    try channel.pipeline.syncOperations.addHandler(Peer(self, number))
                }
            }
        let listening = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        channel.withLock { $0 = listening }
    }

    func close() async { try? await channel.withLock { $0 }?.close() }

    /// A configuration for this server, in which nothing takes long.
    var configuration: ClientConfiguration {
        var configuration = ClientConfiguration(host: "127.0.0.1", port: port)
        configuration.connections = 1
        configuration.timeout = .seconds(20)
        configuration.openingTimeout = .seconds(10)
        configuration.retries.firstWait = .milliseconds(1)
        return configuration
    }
}

/// What happened, in order, from any thread; and a way to wait for it.
final class Journal: Sendable {
    private let entries = Mutex<[String]>([])

    func add(_ entry: String) { entries.withLock { $0.append(entry) } }

    var all: [String] { entries.withLock { $0 } }

    /// Waits until `entry` is there; false after ten seconds.
    func waits(for entry: String) async -> Bool {
        for _ in 0..<10_000 {
            if all.contains(entry) { return true }
            try? await Task.sleep(for: .milliseconds(1))
        }
        return false
    }
}

extension ColumnBatch {
    /// One column of int64.
    static func numbers(_ values: some Sequence<Int64>, name: String = "n") throws -> ColumnBatch {
        let builder = ColumnBuilder(.int64)
        for value in values { builder.append(fixed: value) }
        let column = try builder.finish()
        return ColumnBatch(names: [name], columns: [column], count: column.count)
    }

    /// The values of a column of int64.
    func int64(_ name: String) -> [Int64] {
        guard let column = column(named: name) else { return [] }
        return (0..<column.count).map { column.load($0, as: Int64.self) }
    }
}
