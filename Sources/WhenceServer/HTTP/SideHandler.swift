import NIOCore
import NIOHTTP1
import NIOPosix

/// One connection of the side port: one request, one answer, and it is closed. A client has so long for its request and for taking the answer,
/// and what it sends beside the head of the request is not kept.
final class SideHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let pages: SidePages
    private let threads: NIOThreadPool
    private let timeLimit: TimeAmount
    private let opened: (Bool) -> Bool
    private var isAnswered = false
    private var isCounted = false
    private var end: Scheduled<Void>?

    /// - Parameter opened: counts connections up (true) and down; whether there is room for one more.
    init(_ pages: SidePages, _ threads: NIOThreadPool, timeLimit: TimeAmount, opened: @escaping (Bool) -> Bool) {
        self.pages = pages
        self.threads = threads
        self.timeLimit = timeLimit
        self.opened = opened
    }

    func channelActive(context: ChannelHandlerContext) {
        isCounted = opened(true)
        guard isCounted else {
            context.close(promise: nil)
            return
        }
        let channel = context.channel
        // For the whole connection, so that no trickle of bytes keeps it open.
        end = context.eventLoop.scheduleTask(in: timeLimit) { channel.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isCounted { _ = opened(false) }
        isCounted = false
        end?.cancel()
        end = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data), !isAnswered else { return }
        isAnswered = true
        let method = head.method
        let uri = head.uri
        let authorization = head.headers["authorization"]
        let peer = ListenAddress.text(context.remoteAddress)
        let pages = pages
        guard uri.utf8.count <= 1_024, authorization.count <= 1 else {
            write(HTTPResponse(status: .badRequest, body: "bad request\n"), isHead: false, context)
            return
        }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        threads.runIfActive(eventLoop: context.eventLoop) {
            pages.answer(method: method, uri: uri, authorization: authorization.first, peer: peer)
        }.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let response): write(response, isHead: method == .HEAD, bound.value)
            case .failure: bound.value.close(promise: nil)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func write(_ response: HTTPResponse, isHead: Bool, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        var headers = HTTPHeaders([
            ("Content-Type", response.contentType), ("Content-Length", "\(response.body.utf8.count)"), ("Connection", "close"),
            ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
        ])
        for (name, value) in response.headers { headers.add(name: name, value: value) }
        let head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead {
            context.write(wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(string: response.body)))), promise: nil)
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}
