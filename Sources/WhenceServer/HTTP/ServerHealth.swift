import Synchronization

/// How the server stands, for `/readyz` and the metrics.
public final class ServerHealth: Sendable {
    public enum Phase: String, Sendable {
        /// The store is being opened.
        case starting
        /// Requests are answered.
        case ready
        /// The server ends: open requests are answered, and no new ones taken.
        case draining
    }

    private struct State {
        var phase = Phase.starting
        var readOnlyReason: String?
    }

    private let state = Mutex(State())

    public init() {}

    public var phase: Phase { state.withLock { $0.phase } }

    /// Why nothing can be written at present; nil when it can.
    public var readOnlyReason: String? { state.withLock { $0.readOnlyReason } }

    /// What comes after `draining` is nothing: from then on the phase stays.
    public func set(_ phase: Phase) {
        state.withLock { state in
            if state.phase != .draining { state.phase = phase }
        }
    }

    /// Says that writes are refused, and why in a few words for operators; nil: they are taken again.
    public func setReadOnly(_ reason: String?) { state.withLock { $0.readOnlyReason = reason } }
}
