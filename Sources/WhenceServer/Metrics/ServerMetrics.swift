import Synchronization

/// What a server counts. Safe to use from many threads, and cheap enough for every request.
public final class ServerMetrics: Sendable {
    /// Connections that are open.
    public let connections = Gauge()
    /// Requests that have arrived and are not answered.
    public let inFlight = Gauge()
    /// Connections taken since the start.
    public let accepted = Counter()
    /// Bytes that came in over the protocol.
    public let bytesReceived = Counter()
    /// Bytes that went out over the protocol.
    public let bytesSent = Counter()

    public init() {}

    /// Counts one request that has ended.
    ///
    /// - Parameters:
    ///   - code: the code of its error; 0 where there was none.
    ///   - duration: from its arrival to its last answer.
    ///   - rows: rows read or written for it.
    ///   - bytes: bytes of its payloads, both ways.
    public func record(_ operation: Operation, code: Int, duration: Duration, rows: Int, bytes: Int) {}

    /// Counts one request or connection that was turned away for lack of room.
    public func shed(_ reason: ShedReason) {}

    /// A gauge for the queue named `name`, shown as a label of one metric. Ask once, at the start.
    public func queue(_ name: String) -> Gauge { Gauge() }
}

/// Why something was turned away.
public enum ShedReason: String, Sendable, CaseIterable {
    case connections
    case requests
    case requestsPerConnection = "requests_per_connection"
    case queue
}

/// A number that goes up and down.
public final class Gauge: Sendable {
    private let number = Atomic<Int>(0)

    public init() {}

    public var value: Int { number.load(ordering: .relaxed) }

    public func add(_ amount: Int) { number.wrappingAdd(amount, ordering: .relaxed) }

    public func set(_ value: Int) { number.store(value, ordering: .relaxed) }
}

/// A number that only grows.
public final class Counter: Sendable {
    private let number = Atomic<Int>(0)

    public init() {}

    public var value: Int { number.load(ordering: .relaxed) }

    public func add(_ amount: Int) { number.wrappingAdd(amount, ordering: .relaxed) }
}
