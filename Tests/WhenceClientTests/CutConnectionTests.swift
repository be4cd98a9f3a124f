import NIOCore
import NIOPosix
import Synchronization
import Testing
import WhenceClient
import WhenceCore
import WhenceProtocol

/// Passes bytes on between a client and a server, and cuts its first connection behind so many bytes of one direction.
private final class CuttingRelay: Sendable {
    enum Direction { case toServer, toClient }

    /// One half: what it reads goes to the other one.
    private final class Half: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        var other: (any Channel)?
        /// Bytes that may still pass; nil for any number.
        var left: Int?
        private var early: [ByteBuffer] = []

        init(left: Int?) { self.left = left }

        func join(_ channel: any Channel, _ own: any Channel) {
            other = channel
            for bytes in early { pass(bytes, own) }
            early = []
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { pass(unwrapInboundIn(data), context.channel) }

        private func pass(_ bytes: ByteBuffer, _ own: any Channel) {
            guard let other else { return early.append(bytes) }
            guard let left else { return other.writeAndFlush(bytes, promise: nil) }
            let piece = bytes.getSlice(at: bytes.readerIndex, length: min(left, bytes.readableBytes)) ?? ByteBuffer()
            self.left = left - piece.readableBytes
            other.writeAndFlush(piece).whenComplete { _ in
                guard left <= bytes.readableBytes else { return }
                own.close(promise: nil)
                other.close(promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) { other?.close(promise: nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    let port: Int
    private let channel: any Channel

    init(to target: Int, cutting direction: Direction, after byteCount: Int) async throws {
        let isFirst = Atomic<Bool>(true)
        let isFirstConnection: @Sendable () -> Bool = { isFirst.exchange(false, ordering: .relaxed) }
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                let limit = isFirstConnection() ? byteCount : nil
                let toServer = Half(left: direction == .toServer ? limit : nil)
                let bound = NIOLoopBound(toServer, eventLoop: channel.eventLoop)
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(toServer)
                }.flatMap {
                    ClientBootstrap(group: channel.eventLoop)
                        .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                        .channelInitializer { upstream in
                            upstream.eventLoop.makeCompletedFuture {
                                let toClient = Half(left: direction == .toClient ? limit : nil)
                                toClient.join(channel, upstream)
                                try upstream.pipeline.syncOperations.addHandler(toClient)
                            }
                        }
                        .connect(host: "127.0.0.1", port: target)
                }.map { upstream in bound.value.join(upstream, channel) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func close() async { try? await channel.close() }
}

@Suite(.timeLimit(.minutes(5))) struct CutConnectionTests {
    /// A conversation that opens and writes, cut behind each of its bytes in either direction: the write is there once, always.
    @Test(arguments: [true, false]) func aWriteThatIsCutAnywhereIsOneWrite(toServer: Bool) async throws {
        try await RunningServer.run { _, running in
            var driver: Int64 = 0
            // Longer than the conversation, whose last cuts never come.
            for byteCount in 0..<(toServer ? 330 : 150) {
                driver += 1
                let relay = try await CuttingRelay(to: running.port, cutting: toServer ? .toServer : .toClient, after: byteCount)
                var configuration = running.configuration
                configuration.port = relay.port
                configuration.connections = 1
                configuration.retries.firstWait = .milliseconds(1)
                // A cut within the opening fails `connect`, which is tried again here.
                var client: WhenceClient?
                for _ in 0..<3 where client == nil { client = try? await WhenceClient.connect(configuration) }
                let connected = try #require(client, "cut behind byte \(byteCount)")
                let committed = try await connected.write([Tables.part(Tables.trips(driver..<driver + 1))])
                #expect(committed.rows == 1)
                await connected.close()
                await relay.close()
            }
            let check = try await WhenceClient.connect(running.configuration)
            let drivers = try await check.scan("trips", features: ["count"]).collect().values("driver")
            let expected = (1...driver).map { Value.int64($0) }
            #expect(drivers == expected)
            await check.close()
        }
    }

    @Test func aBackfillWhoseConnectionIsCutLeavesNothing() async throws {
        try await RunningServer.run { _, running in
            let rows = try Tables.trips(0..<20_000)
            for byteCount in [200, 1_000, 50_000, 400_000] {
                let relay = try await CuttingRelay(to: running.port, cutting: .toServer, after: byteCount)
                var configuration = running.configuration
                configuration.port = relay.port
                configuration.uploadFrameBytes = 20_000
                let client = try await WhenceClient.connect(configuration)
                let batches = AsyncStream { continuation in
                    continuation.yield(rows)
                    continuation.finish()
                }
                let error = await #expect(throws: WhenceError.self) {
                    try await client.backfill("trips", schema: BatchSchema(of: rows), batches, eventTime: "event_time")
                }
                #expect(error?.code == .connectionLost, "cut behind byte \(byteCount)")
                await client.close()
                await relay.close()
            }
            let check = try await WhenceClient.connect(running.configuration)
            #expect(try await check.scan("trips").collect().isEmpty)
            await check.close()
        }
    }
}
