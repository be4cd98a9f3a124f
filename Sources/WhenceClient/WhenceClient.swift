import NIOCore
public import WhenceCore
import WhenceProtocol

/// A client of `whence serve`, for any number of tasks at once.
///
/// Requests of all tasks share a few connections and travel side by side. A task that is cancelled cancels its request on the server.
/// What fails is a `WhenceError`; reads, and writes with an idempotency key, are repeated where the error says that it may help
/// (`RetryPolicy`).
///
///     let client = try await WhenceClient.connect(ClientConfiguration(host: "localhost", port: 9462))
///     let eta = try client.prepare(.service("eta"), keys: BatchSchema(names: ["carrier"], types: [.string]))
///     let answer = try await eta.read(carriers)
///     await client.close()
public final class WhenceClient: Sendable {
    public let configuration: ClientConfiguration
    private let pool: ConnectionPool

    private init(_ configuration: ClientConfiguration, _ pool: ConnectionPool) {
        self.configuration = configuration
        self.pool = pool
    }

    deinit { pool.close() }

    /// Connects, and authenticates where the server asks for it. Throws `connectionLost`, `notAuthenticated`, `unsupportedVersion`, or
    /// `invalidArgument` for a configuration that cannot be.
    public static func connect(_ configuration: ClientConfiguration) async throws(WhenceError) -> WhenceClient {
        let pool = try ConnectionPool(configuration)
        do throws(WhenceError) {
            _ = try await pool.connection()
        } catch {
            pool.close()
            throw error
        }
        return WhenceClient(configuration, pool)
    }

    /// Ends the connections. Requests that are open fail with `cancelled`.
    public func close() async { pool.close() }

    /// The user that the server takes this client for, and its roles; empty where the server does not ask.
    public func identity() async throws(WhenceError) -> (user: String, roles: [String]) {
        let connection = try await pool.connection()
        return (connection.user, connection.roles)
    }

    // MARK: How requests are made

    /// What is left of the time that a call may take.
    struct TimeLeft: Sendable {
        let deadline: NIODeadline?

        init(_ timeout: Duration?) { deadline = timeout.map { .now() + TimeAmount($0) } }

        /// nil for no end.
        var duration: Duration? { deadline.map { .nanoseconds(max(0, ($0 - .now()).nanoseconds)) } }

        func check() throws(WhenceError) {
            if let deadline, deadline <= .now() { throw .deadlinePassed() }
        }
    }

    /// Makes a request until it is answered: `body` tries once, on the connection it is given. What may not be done twice is repeated
    /// only where it was never sent.
    func attempt<T>(
        _ timeLeft: TimeLeft, isRepeatable: Bool, _ body: (Connection) async throws(CallFailure) -> T
    ) async throws(WhenceError) -> T {
        var attempt = 1
        while true {
            try timeLeft.check()
            let failure: CallFailure
            do throws(CallFailure) {
                return try await body(try await connection())
            } catch {
                failure = error
            }
            let error = failure.error
            let wait = configuration.retries.wait(after: attempt, error)
            guard error.isRetryable, isRepeatable || !failure.wasSent, attempt < configuration.retries.attempts,
                timeLeft.duration.map({ $0 > wait }) ?? true
            else { throw error }
            do {
                try await Task.sleep(for: wait)
            } catch {
                throw .cancelledByCaller()
            }
            attempt += 1
        }
    }

    /// The longest payload that the server takes, in bytes.
    func longestPayload(_ timeLeft: TimeLeft) async throws(WhenceError) -> Int {
        try await attempt(timeLeft, isRepeatable: true) { Int($0.welcome.maximumPayloadBytes) }
    }

    private func connection() async throws(CallFailure) -> Connection {
        do throws(WhenceError) {
            return try await pool.connection()
        } catch {
            throw CallFailure(error: error, wasSent: false)
        }
    }

    /// Makes a request that is answered by one message. `make` is given the time left for it.
    func ask<M: Message, A>(
        timeout: Duration?, isRepeatable: Bool, progress: (@Sendable (WorkProgress) -> Void)? = nil, _ make: (Duration?) -> M,
        answer kind: MessageKind, _ decode: (Frame) throws(WhenceError) -> A
    ) async throws(WhenceError) -> A {
        let timeLeft = TimeLeft(timeout ?? configuration.timeout)
        return try await attempt(timeLeft, isRepeatable: isRepeatable) { connection throws(CallFailure) in
            let id = connection.nextID()
            let frame: ByteBuffer
            do throws(WhenceError) {
                frame = try WhenceClient.frame(make(timeLeft.duration), id, connection)
            } catch {
                throw CallFailure(error: error, wasSent: false)
            }
            let answer = try await connection.ask(frame, id: id, deadline: timeLeft.deadline, progress: progress).get()
            do throws(WhenceError) {
                guard answer.kind == kind else {
                    throw WhenceError(
                        .protocolViolation, "the server answers a request of kind \(M.kind) by a message of kind \(answer.kindCode)")
                }
                return try decode(answer)
            } catch {
                // An answer that cannot be read leaves nothing on this connection that can be relied on.
                if error.code == .protocolViolation { connection.close(error) }
                throw CallFailure(error: error, wasSent: true)
            }
        }
    }

    /// The same, for an answer that is a message of its own.
    func ask<M: Message, A: Message>(
        timeout: Duration?, isRepeatable: Bool, progress: (@Sendable (WorkProgress) -> Void)? = nil, _ make: (Duration?) -> M
    ) async throws(WhenceError) -> A {
        try await ask(timeout: timeout, isRepeatable: isRepeatable, progress: progress, make, answer: A.kind) { frame throws(WhenceError) in
            try A(decoding: frame)
        }
    }

    /// `message` as a frame for `connection`.
    static func frame<M: Message>(_ message: M, _ id: UInt32, _ connection: Connection) throws(WhenceError) -> ByteBuffer {
        var buffer = ByteBuffer()
        try message.append(to: &buffer, requestID: id, maximumPayloadBytes: Int(connection.welcome.maximumPayloadBytes))
        return buffer
    }
}
