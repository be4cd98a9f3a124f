import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import WhenceCore
import WhenceProtocol

/// The connections of a client: opened when there is work, replaced when they are lost, left alone for a while when they cannot be opened.
final class ConnectionPool: Sendable {
    private struct Slot {
        var connection: Connection?
        /// The attempt to open one that is under way.
        var opening: Task<Result<Connection, WhenceError>, Never>?
        /// Attempts that failed, one after the other.
        var failures = 0
        /// No attempt before this.
        var notBefore = ContinuousClock.now
        var lastError: WhenceError?
    }

    private struct State {
        var slots: [Slot]
        var turn = 0
        var isClosed = false
    }

    private let configuration: ClientConfiguration
    private let tls: NIOSSLContext?
    private let group: any EventLoopGroup
    private let state: Mutex<State>

    init(_ configuration: ClientConfiguration) throws(WhenceError) {
        guard configuration.connections >= 1 else { throw WhenceError(.invalidArgument, "a client has at least one connection") }
        guard (WireLimits.openingPayloadBytes...WireLimits.payloadBytes).contains(Int(configuration.maximumPayloadBytes)) else {
            throw WhenceError(
                .invalidArgument, "a client takes payloads of \(WireLimits.openingPayloadBytes) to \(WireLimits.payloadBytes) bytes")
        }
        self.configuration = configuration
        tls = try configuration.tls?.makeContext()
        group = configuration.eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
        state = Mutex(State(slots: Array(repeating: Slot(), count: configuration.connections)))
    }

    private enum Choice {
        case ready(Connection)
        case wait(slot: Int, Task<Result<Connection, WhenceError>, Never>)
        case refuse(WhenceError)
    }

    /// A connection that takes requests. Takes turns; a turn whose connection is busy being opened goes to an open one if there is any.
    func connection() async throws(WhenceError) -> Connection {
        switch choose() {
        case .ready(let connection): return connection
        case .refuse(let error): throw error
        case .wait(_, let task):
            switch await task.value {
            case .success(let connection): return connection
            case .failure(let error):
                // Another one may be open by now.
                guard let other = state.withLock({ state in state.slots.lazy.compactMap(\.connection).first(where: \.takesRequests) })
                else { throw error }
                return other
            }
        }
    }

    private func choose() -> Choice {
        state.withLock { state in
            guard !state.isClosed else { return .refuse(WhenceError(.invalidArgument, "the client is closed")) }
            let count = state.slots.count
            state.turn = (state.turn + 1) % count
            let turn = state.turn
            if let connection = state.slots[turn].connection, connection.takesRequests { return .ready(connection) }
            var open: Connection?
            for offset in 1..<max(1, count) where open == nil {
                if let other = state.slots[(turn + offset) % count].connection, other.takesRequests { open = other }
            }
            // A second connection is worth its opening where the first has work already.
            if let open, open.calls == 0 || state.slots[turn].opening != nil || state.slots[turn].notBefore > .now { return .ready(open) }
            if let task = state.slots[turn].opening { return .wait(slot: turn, task) }
            let remaining = ContinuousClock.now.duration(to: state.slots[turn].notBefore)
            if remaining > .zero {
                var error = state.slots[turn].lastError ?? .lost("the server cannot be reached")
                error.retryAfter = max(error.retryAfter ?? .zero, remaining)
                return .refuse(error)
            }
            state.slots[turn].connection = nil
            let task = Task { await self.open(turn) }
            state.slots[turn].opening = task
            if let open { return .ready(open) }
            return .wait(slot: turn, task)
        }
    }

    private func open(_ slot: Int) async -> Result<Connection, WhenceError> {
        let result: Result<Connection, WhenceError>
        do throws(WhenceError) {
            result = .success(try await Connection.open(configuration, tls, on: group))
        } catch {
            result = .failure(error)
        }
        let isClosed = state.withLock { state in
            state.slots[slot].opening = nil
            switch result {
            case .success(let connection):
                state.slots[slot].failures = 0
                state.slots[slot].lastError = nil
                state.slots[slot].connection = connection
            case .failure(let error):
                state.slots[slot].failures += 1
                state.slots[slot].lastError = error
                state.slots[slot].notBefore = .now + configuration.retries.wait(after: state.slots[slot].failures, error)
            }
            return state.isClosed
        }
        if isClosed, case .success(let connection) = result { connection.close(ConnectionPool.closed()) }
        return result
    }

    private static func closed() -> WhenceError { WhenceError(.cancelled, "the client was closed") }

    /// Ends all connections; requests that are open fail.
    func close() {
        let connections = state.withLock { state in
            state.isClosed = true
            return state.slots.compactMap(\.connection)
        }
        for connection in connections { connection.close(ConnectionPool.closed()) }
    }
}
