import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import WhenceCore
import WhenceProtocol

/// A client over TLS that waits for one frame at a time. Every wait ends after a minute.
final class SecureClient {
    struct Silence: Error {}

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    private let inbox: Inbox
    private var decoder = FrameDecoder(from: .server, maximumPayloadBytes: WireLimits.payloadBytes)

    /// Connects and shakes hands.
    ///
    /// - Parameters:
    ///   - hostname: what the server's certificate must say.
    ///   - identity: the client's own certificate and key in PEM.
    init(
        port: Int, trusting authority: String, hostname: String = "localhost", identity: (certificate: String, key: String)? = nil,
        maximumVersion: TLSVersion? = nil
    ) async throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8)))
        configuration.maximumTLSVersion = maximumVersion
        if maximumVersion != nil { configuration.minimumTLSVersion = .tlsv1 }
        if let identity {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificate.utf8)).map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.key.utf8), format: .pem))
        }
        let context = try NIOSSLContext(configuration: configuration)
        let inbox = Inbox()
        self.inbox = inbox
        do {
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(.seconds(60))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers([
                            try NIOSSLClientHandler(context: context, serverHostname: hostname), Collector(inbox),
                        ])
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    func close() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }

    func send<M: Message>(_ message: M, id: UInt32) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: try RawClient.bytes(message, id: id)))
    }

    /// The next frame; throws what ended the connection, where something did.
    func frame() async throws -> Frame {
        for _ in 0..<6_000 {
            if let frame = try decoder.next() { return frame }
            let (bytes, end) = inbox.take()
            if !bytes.isEmpty {
                decoder.feed(ByteBuffer(bytes: bytes))
                continue
            }
            if let end { throw end }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Silence()
    }

    func open() async throws -> Welcome {
        try await send(Hello(maximumPayloadBytes: UInt32(WireLimits.payloadBytes), client: "secure"), id: 0)
        return try Welcome(decoding: try RawClient.check(try await frame()))
    }

    /// What came in and was not taken, and why nothing more will come.
    private final class Inbox: @unchecked Sendable {
        private let lock = NSLock()
        private var bytes: [UInt8] = []
        private var end: (any Error)?

        func put(_ more: some Collection<UInt8>) { lock.withLock { bytes.append(contentsOf: more) } }

        func finish(_ error: any Error) { lock.withLock { end = end ?? error } }

        func take() -> ([UInt8], (any Error)?) {
            lock.withLock {
                defer { bytes = [] }
                return (bytes, end)
            }
        }
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let inbox: Inbox

        init(_ inbox: Inbox) { self.inbox = inbox }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { inbox.put(unwrapInboundIn(data).readableBytesView) }

        func channelInactive(context: ChannelHandlerContext) { inbox.finish(RawClient.Closed()) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            inbox.finish(error)
            context.close(promise: nil)
        }
    }
}
