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
    private static func refusedTLS(_ error: String) -> WhenceError {
        // What BoringSSL calls the reason, without the places of its source.
        let reason = error.matches(of: /[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+/).map { String($0.output) }.first
        let (message, hint) =
            switch reason {
            case "CERTIFICATE_VERIFY_FAILED":
                (
                    "the server's certificate is not trusted",
                    "check that it is signed by an authority that this client trusts, has not expired, and is for this name"
                )
            case "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "BAD_PACKET_LENGTH":
                ("the server does not speak TLS", "connect without TLS, or to the server's port")
            case .some(let reason) where reason.contains("ALERT") && reason.contains("CERTIFICATE") || reason.contains("UNKNOWN_CA"):
                (
                    "the server does not take this client's certificate (\(reason))",
                    "show one that its authority has signed, and that has not expired"
                )
            case .some(let reason):
                (
                    "the server and this client do not come to terms over TLS (\(reason))",
                    "check the trusted certificates, the server's name, and whether the server asks for TLS and a client's certificate"
                )
            case nil:
                (
                    "the server and this client do not come to terms over TLS: \(error)",
                    "check the trusted certificates, the server's name, and whether the server asks for TLS and a client's certificate"
                )
            }
        return WhenceError(.connectionLost, message, hint: hint)
    }
}
