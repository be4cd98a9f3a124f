import Foundation
import NIOCore
import WhenceCore
import WhenceProtocol

/// What the opening found out.
struct Opening: Sendable {
    var welcome: Welcome
    var user = ""
    var roles: [String] = []
}

/// The client's side of the opening: greeting, authentication.
struct OpeningConversation {
    private let session: NIOLoopBound<Session>
    private let eventLoop: any EventLoop
    private let configuration: ClientConfiguration

    init(_ session: NIOLoopBound<Session>, _ eventLoop: any EventLoop, _ configuration: ClientConfiguration) {
        self.session = session
        self.eventLoop = eventLoop
        self.configuration = configuration
    }

    mutating func run() async throws(WhenceError) -> Opening {
        try await send(Hello(maximumPayloadBytes: configuration.maximumPayloadBytes, client: configuration.name))
        let welcome = try await receive(Welcome.self)
        guard welcome.version == WireLimits.version else {
            throw WhenceError(
                .unsupportedVersion, "the server speaks version \(welcome.version) of the protocol, this client \(WireLimits.version)")
        }
        var opening = Opening(welcome: welcome)
        if !welcome.mechanisms.isEmpty {
            let authenticated = try await authenticate(welcome.mechanisms)
            opening.user = authenticated.user
            opening.roles = authenticated.roles
        }
        let (session, limit) = (session, configuration.maximumPayloadBytes)
        eventLoop.execute { session.value.begin(welcome, maximumPayloadBytes: limit) }
        return opening
    }

    private func authenticate(_ mechanisms: [String]) async throws(WhenceError) -> Authenticated {
        func check(_ mechanism: String) throws(WhenceError) {
            guard mechanisms.contains(mechanism) else {
                throw WhenceError(
                    .notAuthenticated, "the server does not take \(mechanism)", hint: "it takes \(mechanisms.joined(separator: ", "))")
            }
        }
        switch configuration.credentials {
        case .none:
            throw WhenceError(
                .notAuthenticated, "the server asks who this is", hint: "give credentials; it takes \(mechanisms.joined(separator: ", "))")
        case .token(let token):
            try check("BEARER")
            try await send(Authenticate(mechanism: "BEARER", data: Array(token.utf8)))
            return try await receive(Authenticated.self)
        case .certificate:
            try check("CERTIFICATE")
            try await send(Authenticate(mechanism: "CERTIFICATE", data: []))
            return try await receive(Authenticated.self)
        case .password(let user, let password):
            try check("SCRAM-SHA-256")
            let scram = ScramClient(user: user, password: password)
            try await send(Authenticate(mechanism: "SCRAM-SHA-256", data: scram.first))
            let challenge = try await receive(Challenge.self)
            let (final, proven) = try await prove(scram, challenge.data).get()
            try await send(Authenticate(mechanism: "SCRAM-SHA-256", data: final))
            let authenticated = try await receive(Authenticated.self)
            try proven.verify(serverFinal: authenticated.data)
            return authenticated
        }
    }

    /// Makes the proof on a thread of its own: it is meant to take long, and the threads that run tasks are few.
    private func prove(_ scram: ScramClient, _ challenge: [UInt8]) async -> Result<(final: [UInt8], proven: ScramClient), WhenceError> {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var scram = scram
                do throws(WhenceError) {
                    let final = try scram.final(serverFirst: challenge)
                    continuation.resume(returning: .success((final, scram)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
    }

    private func send<M: Message>(_ message: M) async throws(WhenceError) {
        var buffer = ByteBuffer()
        try message.append(to: &buffer, requestID: 0, maximumPayloadBytes: WireLimits.openingPayloadBytes)
        let (session, frame) = (session, buffer)
        eventLoop.execute { session.value.sendOpening(frame) }
    }

    private func receive<M: Message>(_: M.Type) async throws(WhenceError) -> M {
        let session = session
        let result: Result<Frame, WhenceError> = await withCheckedContinuation { continuation in
            eventLoop.execute { session.value.nextOpeningFrame { continuation.resume(returning: $0) } }
        }
        let frame = try result.get()
        if frame.kind == .error { throw try Failure(decoding: frame).error }
        guard frame.kind == M.kind else {
            throw WhenceError(.protocolViolation, "the server opens with a message of kind \(frame.kindCode)")
        }
        return try M(decoding: frame)
    }
}
