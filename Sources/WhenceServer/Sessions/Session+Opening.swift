import Logging
import NIOCore
import WhenceCore
import WhenceProtocol

/// The opening of a session: versions, limits, and who the client is.
extension Session {
    /// The name that the server gives itself.
    static var serverName: String { "whence 0.1.0" }

    func opening(_ frame: Frame) throws(WhenceError) {
        guard frame.requestID == 0 else { throw .violation("the opening has a request id") }
        switch (phase, frame.kind) {
        case (.hello, .hello): try greet(try Hello(decoding: frame))
        case (.authentication(let exchange), .authenticate): try authenticate(try Authenticate(decoding: frame), exchange)
        case (.hello, _): throw .violation("a conversation begins with hello")
        default:
            throw WhenceError(.notAuthenticated, "the session is not authenticated", hint: "send authenticate first")
        }
    }

    private func greet(_ hello: Hello) throws(WhenceError) {
        guard (hello.lowestVersion...hello.highestVersion).contains(WireLimits.version) else {
            throw WhenceError(
                .unsupportedVersion,
                "the server speaks version \(WireLimits.version) of the protocol, the client \(hello.lowestVersion) to \(hello.highestVersion)",
                hint: "use a client for version \(WireLimits.version)")
        }
        writer.maximumPayloadBytes = min(Int(hello.maximumPayloadBytes), WireLimits.payloadBytes)
        let mechanisms = core.access.mechanisms
        send(
            Welcome(
                maximumPayloadBytes: UInt32(clamping: core.limits.frameBytes),
                openRequests: UInt32(clamping: core.limits.requestsPerConnection),
                uploadCredit: UInt32(clamping: core.limits.uploadCreditBytes), server: Session.serverName, mechanisms: mechanisms),
            requestID: 0)
        if mechanisms.isEmpty { open(.anyone) } else { phase = .authentication(nil) }
    }

    private func authenticate(_ message: Authenticate, _ exchange: AuthenticationExchange?) throws(WhenceError) {
        let step: AuthenticationStep
        do throws(WhenceError) {
            if let exchange {
                step = try exchange.proceed(message.data)
            } else {
                step = try core.access.begin(
                    mechanism: message.mechanism, data: message.data, certificateName: certificateName, peer: peer,
                    network: network)
            }
        } catch {
            if error.retryAfter != nil { core.metrics.shed(.loginFailures) }
            core.metrics.record(.open, code: error.code.rawValue, duration: (.now() - openedAt).duration, rows: 0, bytes: 0)
            throw error
        }
        switch step {
        case .challenge(let bytes, let next):
            phase = .authentication(next)
            send(Challenge(data: bytes), requestID: 0)
        case .authenticated(let principal, let bytes):
            send(Authenticated(user: principal.user, roles: principal.roles.map(\.rawValue), data: bytes), requestID: 0)
            open(principal)
        }
    }

    private func open(_ principal: Principal) {
        phase = .open(principal)
        decoder.maximumPayloadBytes = core.limits.frameBytes
        core.metrics.record(.open, code: 0, duration: (.now() - openedAt).duration, rows: 0, bytes: 0)
        core.logger.debug("a session is open", metadata: log())
    }
}
