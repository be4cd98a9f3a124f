public import NIOCore
public import WhenceCore
import WhenceProtocol

/// How a client finds its server and behaves towards it.
public struct ClientConfiguration: Sendable {
    /// The server's name or address.
    public var host: String
    public var port: Int
    /// TLS; nil for a connection that anyone on the way can read.
    public var tls: ClientTLS?
    /// Who the client is.
    public var credentials: Credentials
    /// Connections that are held at most; the first is opened by `connect`, others when there is work for them.
    public var connections: Int = 2
    /// What opening a connection may take, the greeting and authentication with it.
    public var openingTimeout: Duration = .seconds(10)
    /// What a request may take, retries with it, where the call does not say otherwise.
    public var timeout: Duration = .seconds(30)
    /// The same for streams (history, scans, joins, backfills); nil leaves it to the server.
    public var streamTimeout: Duration? = .seconds(3600)
    /// When requests that failed are repeated.
    public var retries = RetryPolicy()
    /// A connection on which nothing came for so long is asked whether it lives.
    public var idleBeforePing: Duration = .seconds(30)
    /// Bytes of a stream that the server may send ahead of its consumer.
    public var downloadWindowBytes: UInt32 = 8 << 20
    /// The length that uploaded frames aim at, in bytes: long enough to carry well, short enough to let others pass.
    public var uploadFrameBytes: Int = 1 << 20
    /// The longest payload that is taken, in bytes.
    public var maximumPayloadBytes: UInt32 = 64 << 20
    /// Whether uploads and streams are compressed: for slow networks.
    public var compress = false
    /// What the server's log calls this program.
    public var name = "whence-swift"
    /// The event loops; nil for those that all of the process share.
    public var eventLoopGroup: (any EventLoopGroup)?

    public init(host: String, port: Int, tls: ClientTLS? = nil, credentials: Credentials = .none) {
        self.host = host
        self.port = port
        self.tls = tls
        self.credentials = credentials
    }

    /// Reads `HOST:PORT`; an IPv6 address stands in brackets. Throws `invalidArgument`.
    public init(address: String, tls: ClientTLS? = nil, credentials: Credentials = .none) throws(WhenceError) {
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]), (1...65_535).contains(port)
        else {
            throw WhenceError(
                .invalidArgument, "'\(address)' is not the address of a server", hint: "write HOST:PORT, as in localhost:9462")
        }
        var host = address[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw WhenceError(
                .invalidArgument, "'\(address)' is not the address of a server", hint: "write an IPv6 address in brackets: [::1]:9462")
        }
        guard !host.isEmpty else {
            throw WhenceError(.invalidArgument, "'\(address)' names no host", hint: "write HOST:PORT, as in localhost:9462")
        }
        self.init(host: String(host), port: port, tls: tls, credentials: credentials)
    }
}

/// How a client proves who it is. What a server that asks for nothing does not want is not sent.
public enum Credentials: Sendable {
    case none
    /// A token that the server's administrator gave out. Send it over TLS only: who reads it has it.
    case token(String)
    /// A user and a password, by SCRAM-SHA-256: the password is never sent. Printable ASCII, as the server asks for.
    case password(user: String, password: String)
    /// The certificate of `ClientTLS`.
    case certificate
}

/// When a request that failed is repeated: only where the error says that it may help, and the request may be done twice.
public struct RetryPolicy: Sendable {
    /// How often a request is tried in all.
    public var attempts = 4
    /// The wait before the second attempt; it doubles from one to the next, and each is shortened at random by up to a half.
    public var firstWait: Duration = .milliseconds(20)
    /// The longest wait, unless the server asks for a longer one.
    public var longestWait: Duration = .seconds(2)

    public init() {}

    /// No request is ever repeated.
    public static var never: RetryPolicy {
        var policy = RetryPolicy()
        policy.attempts = 1
        return policy
    }

    /// The wait behind attempt number `attempt` (from 1), which failed with `error`.
    func wait(after attempt: Int, _ error: WhenceError) -> Duration {
        var wait = firstWait
        for _ in 1..<max(1, min(attempt, 30)) where wait < longestWait { wait *= 2 }
        wait = min(wait, longestWait)
        wait = .microseconds(Int64(Double(wait.microseconds) * Double.random(in: 0.5...1)))
        return max(wait, error.retryAfter ?? .zero)
    }
}
