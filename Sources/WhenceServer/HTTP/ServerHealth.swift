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

    private struct Sources {
        var isDraining: @Sendable () -> Bool
        var readOnlyReason: @Sendable () -> String?
    }

    private let sources = Mutex<Sources?>(nil)

    public init() {}

    /// From now on the server is ready, as long as `isDraining` does not say otherwise.
    ///
    /// - Parameter readOnlyReason: why writes are refused at present, in a few words; nil while they are taken.
    public func begin(isDraining: @escaping @Sendable () -> Bool, readOnlyReason: @escaping @Sendable () -> String?) {
        sources.withLock { $0 = Sources(isDraining: isDraining, readOnlyReason: readOnlyReason) }
    }

    /// The server has ended: nothing of it is asked any more.
    public func end() { sources.withLock { $0 = Sources(isDraining: { true }, readOnlyReason: { nil }) } }

    public var phase: Phase {
        guard let sources = sources.withLock({ $0 }) else { return .starting }
        return sources.isDraining() ? .draining : .ready
    }

    /// Why nothing can be written at present; nil when it can.
    public var readOnlyReason: String? { sources.withLock { $0 }?.readOnlyReason() }
}
