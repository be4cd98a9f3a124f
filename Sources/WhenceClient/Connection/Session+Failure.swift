import NIOCore
import NIOPosix
import NIOSSL
import WhenceCore

extension Session {
    /// What a failure of the network or of TLS means for a caller.
    static func failure(_ error: any Error) -> WhenceError {
        switch error {
        case let error as WhenceError: return error
        case let error as NIOSSLError:
            if case .uncleanShutdown = error { return .lost("the server ended the connection") }
            return refusedTLS("\(error)")
        case let error as BoringSSLError: return refusedTLS("\(error)")
        case let error as NIOSSLExtraError: return refusedTLS("\(error)")
        case let error as NIOConnectionError:
            let reasons = error.connectionErrors.map { "\($0.error)" }
            return .lost(
                "the server \(error.host):\(error.port) cannot be reached: \(reasons.first ?? "its name is not known")",
                hint: "is it running, and is this its address?")
        case let error as ChannelError:
            if case .connectTimeout = error { return .lost("the server does not answer", hint: "is this its address?") }
            return .lost("the connection to the server is lost: \(error)")
        default: return .lost("the connection to the server is lost: \(error)")
        }
    }

    /// Repeating does not mend a certificate.
    private static func refusedTLS(_ reason: String) -> WhenceError {
        WhenceError(
            .connectionLost, "the server and this client do not come to terms over TLS: \(reason)",
            hint: "check the trusted certificates, the server's name, and whether the server asks for TLS and a client's certificate")
    }
}
