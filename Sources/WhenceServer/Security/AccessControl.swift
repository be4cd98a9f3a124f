import WhenceCore

/// Decides who may open a session. Safe to use from many threads; the users may be replaced while sessions are open.
public final class AccessControl: Sendable {
    /// A server without users: nothing is asked, everything is allowed.
    public init() {}

    /// What a client may choose from, for `welcome`; none when sessions are open at once, as `Principal.anyone`.
    public var mechanisms: [String] { [] }

    /// Takes the first `authenticate` of a session. Every failure is the same `notAuthenticated`, which says nothing about its cause.
    ///
    /// - Parameters:
    ///   - certificateName: the common name of the client's certificate, where TLS verified one (`ServerTLS.clientName(of:)`).
    ///   - peer: where the client is, for the audit log.
    public func begin(
        mechanism: String, data: [UInt8], certificateName: String?, peer: String
    ) throws(WhenceError) -> AuthenticationStep {
        throw AccessControl.refusal
    }

    static var refusal: WhenceError {
        WhenceError(.notAuthenticated, "authentication failed", hint: "check the user, the password or token, and the mechanism")
    }
}

/// How an authentication goes on.
public enum AuthenticationStep: Sendable {
    /// Send `challenge` with these bytes and hand the data of the next `authenticate` to the exchange.
    case challenge([UInt8], next: AuthenticationExchange)
    /// The session is open; send `authenticated` with these bytes.
    case authenticated(Principal, [UInt8])
}

/// What waits for the client's next word.
public struct AuthenticationExchange: Sendable {
    private let step: @Sendable ([UInt8]) throws(WhenceError) -> AuthenticationStep

    init(_ step: @escaping @Sendable ([UInt8]) throws(WhenceError) -> AuthenticationStep) { self.step = step }

    /// Takes the data of the next `authenticate`. Throws as `AccessControl.begin` does.
    public func proceed(_ data: [UInt8]) throws(WhenceError) -> AuthenticationStep { try step(data) }
}
