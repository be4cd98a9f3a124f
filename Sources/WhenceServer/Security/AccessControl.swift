import Foundation
import Synchronization
import WhenceCore
import WhenceEngine

/// Decides who may open a session and what a session may do, and keeps the record of what was refused. Safe to use from many threads;
/// the users may be replaced while sessions are open.
public final class AccessControl: Sendable {
    /// A credential that sessions were opened with. Two sessions of one credential share what it allows.
    private enum Credential: Hashable {
        case password(user: String, storedKey: [UInt8])
        case token(user: String, id: String)
        case certificate(user: String)
    }

    private struct State {
        var directory: UserDirectory
        /// One for each credential that was ever used since the start: no more than there are passwords and tokens, and those that were
        /// replaced since.
        var standings: [Credential: Principal.Standing] = [:]
    }

    private let state: Mutex<State>
    /// Nil: a server without users.
    private let usersFile: UsersFile?
    private let acceptsCertificates: Bool
    private let throttle: LoginThrottle
    private let clock: @Sendable () -> Timestamp
    public let audit: AuditLog

    /// A server without users: nothing is asked, everything is allowed.
    public init(audit: AuditLog = AuditLog()) {
        state = Mutex(State(directory: UserDirectory()))
        usersFile = nil
        acceptsCertificates = false
        throttle = LoginThrottle()
        clock = Timestamp.wallClock
        self.audit = audit
    }

    /// The users in the file at `users`; nil: none are asked for.
    ///
    /// - Parameters:
    ///   - acceptsCertificates: whether clients may show certificates, whose common names are users.
    ///   - throttle: slows down the guessing of passwords.
    public init(
        users: String?, acceptsCertificates: Bool, audit: AuditLog, throttle: LoginThrottle = LoginThrottle(),
        clock: @escaping @Sendable () -> Timestamp = Timestamp.wallClock
    ) throws(WhenceError) {
        usersFile = users.map { UsersFile(path: $0) }
        state = Mutex(State(directory: try usersFile.map { file throws(WhenceError) in try file.read() } ?? UserDirectory()))
        self.acceptsCertificates = acceptsCertificates
        self.throttle = throttle
        self.audit = audit
        self.clock = clock
    }

    /// Whether sessions have to say who they are.
    public var isRequired: Bool { usersFile != nil }

    /// What a client may choose from, for `welcome`; none when sessions are open at once, as `Principal.anyone`.
    public var mechanisms: [String] {
        guard isRequired else { return [] }
        return ["SCRAM-SHA-256", "BEARER"] + (acceptsCertificates ? ["CERTIFICATE"] : [])
    }

    // MARK: Opening a session

    /// Takes the first `authenticate` of a session. Every failure is the same `notAuthenticated`, which says nothing about its cause, and
    /// is recorded. One that was not tried, because of those before it (`LoginThrottle`), says when it may be, and is retryable.
    ///
    /// - Parameters:
    ///   - certificateName: the common name of the client's certificate, where TLS verified one (`ServerTLS.clientName(of:)`).
    ///   - peer: where the client is, for the record.
    ///   - network: the same, for counting wrong passwords.
    func begin(
        mechanism: String, data: [UInt8], certificateName: String?, peer: String, network: ClientNetwork = .unknown
    ) throws(WhenceError) -> AuthenticationStep {
        switch mechanism {
        case "BEARER": return .authenticated(try bearer(data, peer: peer), [])
        case "SCRAM-SHA-256":
            return try scram(data, peer: peer, network: network, serverNonce: Data(RandomBytes.make(18)).base64EncodedString())
        case "CERTIFICATE" where acceptsCertificates:
            guard data.isEmpty, let name = certificateName else { throw refuse(mechanism, user: nil, peer) }
            let principal = state.withLock { state -> Principal? in
                state.directory.users[name].map { Self.principal($0, .certificate(user: name), &state) }
            }
            guard let principal else { throw refuse(mechanism, user: name, peer) }
            return .authenticated(principal, [])
        default: throw refuse("unknown", user: nil, peer)
        }
    }

    /// Whose token `data` is. Throws as `begin` does.
    func bearer(_ data: [UInt8], peer: String) throws(WhenceError) -> Principal {
        guard let token = BearerToken(data: data) else { throw refuse("BEARER", user: nil, peer) }
        let now = clock()
        let (found, principal) = state.withLock { state -> (String?, Principal?) in
            // A token that does not exist costs as much as one that does.
            guard let (user, stored) = state.directory.token(token.id) else {
                _ = StoredToken(token, label: "", created: now, expires: nil).accepts(token, at: now)
                return (nil, nil)
            }
            guard stored.accepts(token, at: now) else { return (user.name, nil) }
            return (user.name, Self.principal(user, .token(user: user.name, id: token.id), &state))
        }
        guard let principal else { throw refuse("BEARER", user: found, peer) }
        return principal
    }

    /// The first half of SCRAM; the other one is in the exchange that it returns.
    func scram(
        _ data: [UInt8], peer: String, network: ClientNetwork = .unknown, serverNonce: String
    ) throws(WhenceError) -> AuthenticationStep {
        let mechanism = "SCRAM-SHA-256"
        guard let conversation = ScramConversation(clientFirst: data) else { throw refuse(mechanism, user: nil, peer) }
        let claimed = conversation.user
        try throttle(mechanism, user: claimed, peer, network)
        // One who does not exist, or has no password, is answered like one who does, and is refused at the end whatever the proof.
        let (credential, isReal) = state.withLock { state -> (ScramCredential, Bool) in
            let standIn = ScramCredential(
                standingInFor: conversation.user, key: state.directory.standInKey, iterations: state.directory.iterations)
            let real = state.directory.users[conversation.user]?.password
            return (real ?? standIn, real != nil)
        }
        let challenge = conversation.challenge(credential, serverNonce: serverNonce)
        let next = AuthenticationExchange { [self] data throws(WhenceError) in
            // Again: many exchanges may have been begun before the first of them failed.
            try throttle(mechanism, user: claimed, peer, network)
            let final = conversation.conclude(clientFinal: data, credential, serverNonce: serverNonce)
            let principal = state.withLock { state -> Principal? in
                // The password may have been changed in between.
                guard let user = state.directory.users[conversation.user], let current = user.password, current == credential else {
                    return nil
                }
                return Self.principal(user, .password(user: user.name, storedKey: current.storedKey), &state)
            }
            guard let final, isReal, let principal else {
                throttle.fail(user: claimed, network: network)
                throw refuse(mechanism, user: claimed, peer)
            }
            return .authenticated(principal, Array(final.utf8))
        }
        return .challenge(Array(challenge.utf8), next: next)
    }

    private static func principal(_ user: User, _ credential: Credential, _ state: inout State) -> Principal {
        if let standing = state.standings[credential] { return Principal(user: user.name, standing: standing) }
        let standing = Principal.Standing(user.grants)
        state.standings[credential] = standing
        return Principal(user: user.name, standing: standing)
    }

    /// Refuses a login before its time.
    private func throttle(_ mechanism: String, user: String, _ peer: String, _ network: ClientNetwork) throws(WhenceError) {
        guard let wait = throttle.wait(user: user, network: network) else { return }
        recordRefusal(mechanism, user: user, peer, detail: "not tried: too many wrong passwords before")
        throw WhenceError(
            .notAuthenticated, "too many logins have failed; this one was not tried", hint: "wait, and check the user and the password",
            isRetryable: true, retryAfter: wait)
    }

    private func recordRefusal(_ mechanism: String, user: String?, _ peer: String, detail: String? = nil) {
        // What does not look like a name may be a password in the wrong place.
        let name = user.map { User.isName($0) ? $0 : "(not a name)" }
        audit.record(.init(.loginRefused, user: name, peer: peer, operation: mechanism, result: "notAuthenticated", detail: detail))
    }

    /// Records that a client did not get through the handshake of TLS: its certificate is missing, expired or of another authority, or it does not speak TLS.
    func refusedHandshake(peer: String) { recordRefusal("TLS", user: nil, peer, detail: "the handshake failed") }

    private func refuse(_ mechanism: String, user: String?, _ peer: String) -> WhenceError {
        recordRefusal(mechanism, user: user, peer)
        return WhenceError(.notAuthenticated, "authentication failed", hint: "check the user, the password or token, and the mechanism")
    }

    // MARK: Within a session

    /// Records how a request ended, where that belongs into the audit log: when it was refused for want of a grant, and when it was an
    /// administrative act, well ended or not. Call it once for each request that has ended; it is cheap for all others.
    ///
    /// - Parameters:
    ///   - view: the view that it was about, where there is one.
    ///   - detail: what was done, in a few words; never values.
    public func recordEnd(
        of operation: Operation, by principal: Principal, peer: String, view: String? = nil, detail: String? = nil,
        error: WhenceError? = nil
    ) {
        if let error, error.code == .notAllowed || error.code == .notAuthenticated {
            audit.record(
                .init(
                    .grantRefused, user: principal.user, peer: peer, operation: operation.label, view: view, result: "\(error.code)",
                    detail: error.message))
        } else if operation.isAdministrative {
            audit.record(
                .init(
                    .administration, user: principal.user, peer: peer, operation: operation.label, view: view,
                    result: error.map { "\($0.code)" } ?? "ok", detail: detail))
        }
    }

    // MARK: Reading the users again

    /// Reads the users file again. Sessions that are open keep their connection and get what their users are granted now: nothing, where
    /// the user, the token or the password they were opened with is gone. On an error everything stays as it is.
    public func reload() throws(WhenceError) {
        guard let usersFile else { return }
        let directory = try usersFile.read()
        state.withLock { state in
            state.directory = directory
            for (credential, standing) in state.standings {
                let grants = Self.grants(of: credential, in: directory)
                standing.grants = grants
                if grants == nil { state.standings[credential] = nil }
            }
        }
    }

    private static func grants(of credential: Credential, in directory: UserDirectory) -> [Grant]? {
        switch credential {
        case .password(let name, let storedKey):
            guard let user = directory.users[name], user.password?.storedKey == storedKey else { return nil }
            return user.grants
        case .token(let name, let id):
            guard let found = directory.token(id), found.user.name == name else { return nil }
            return found.user.grants
        case .certificate(let name): return directory.users[name]?.grants
        }
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
