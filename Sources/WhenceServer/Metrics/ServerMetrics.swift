import Foundation
import Synchronization

/// What a server counts. Safe to use from many threads, and cheap enough for every request: threads that record at once mostly use different
/// parts, each behind a lock of its own that is hardly ever waited for.
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

    private static let parts = 16
    private let operations: [OperationCounters]
    private let shedReasons: [Counter]
    private let queues = Mutex<[(name: String, length: @Sendable () -> Int)]>([])

    public init() {
        operations = (0..<Operation.allCases.count * Self.parts).map { _ in OperationCounters() }
        shedReasons = ShedReason.allCases.map { _ in Counter() }
    }

    /// Counts one request that has ended.
    ///
    /// - Parameters:
    ///   - code: the code of its error; 0 where there was none.
    ///   - duration: from its arrival to its last answer.
    ///   - rows: rows read or written for it.
    ///   - bytes: bytes of its payloads, both ways.
    public func record(_ operation: Operation, code: Int, duration: Duration, rows: Int, bytes: Int) {
        let (seconds, attoseconds) = duration.components
        let micros = seconds < 1_000_000_000 ? max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000) : 1_000_000_000_000_000
        operations[operation.rawValue * Self.parts + Self.part].record(code: code, micros: micros, rows: rows, bytes: bytes)
    }

    /// The same for a duration that is at hand in nanoseconds.
    func record(_ operation: Operation, code: Int, nanoseconds: Int64, rows: Int, bytes: Int) {
        let micros = max(0, nanoseconds / 1000)
        operations[operation.rawValue * Self.parts + Self.part].record(code: code, micros: micros, rows: rows, bytes: bytes)
    }

    /// The part of this thread. Descriptors of threads lie at least a page apart, so a multiplication spreads them.
    private static var part: Int {
        let thread = UInt(pthread_self())
        return Int(((thread >> 12) &* 0x9E37_79B9_7F4A_7C15) >> 60)
    }

    /// Counts one request or connection that was turned away for lack of room.
    public func shed(_ reason: ShedReason) {
        if let index = ShedReason.allCases.firstIndex(of: reason) { shedReasons[index].add(1) }
    }

    /// Shows the queue named `name`, as a label of one metric; `length` is asked whenever the metrics are. Say it once, at the start.
    public func watchQueue(_ name: String, length: @escaping @Sendable () -> Int) {
        queues.withLock { $0.append((name, length)) }
    }

    // MARK: What was counted

    func counts(of operation: Operation) -> OperationCounters.Counts {
        var sum = OperationCounters.Counts()
        for part in 0..<Self.parts { sum.add(operations[operation.rawValue * Self.parts + part].current) }
        return sum
    }

    var queueLengths: [(name: String, length: Int)] { queues.withLock { $0 }.map { ($0.name, $0.length()) } }

    var shedCounts: [(reason: ShedReason, count: Int)] { zip(ShedReason.allCases, shedReasons).map { ($0, $1.value) } }
}

/// Why something was turned away.
public enum ShedReason: String, Sendable, CaseIterable {
    case connections
    case requests
    case requestsPerConnection = "requests_per_connection"
    case queue
    /// Too many wrong passwords came before this login.
    case loginFailures = "login_failures"
    /// An event loop had more to do than it can.
    case load
}
