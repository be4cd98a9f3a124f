import Dispatch
import Foundation
import Synchronization
import WhenceCore

/// A bounded pool of threads for what an event loop must not do. Work waits in a queue for each connection, and threads take from one
/// connection after the other, so that one that asks for much does not make the others wait.
///
/// Each kind of work has a pool of its own, which is what keeps a scan from delaying a read or a write.
final class WorkPool: Sendable {
    typealias Work = @Sendable () -> Void

    /// A connection's waiting work.
    private struct Lane {
        var waiting: [Work] = []
        /// Where `waiting` has been taken up to; the front is cut off now and then.
        var taken = 0

        var isEmpty: Bool { taken == waiting.count }

        mutating func take() -> Work? {
            guard taken < waiting.count else { return nil }
            let work = waiting[taken]
            taken += 1
            if taken == waiting.count {
                waiting.removeAll(keepingCapacity: true)
                taken = 0
            } else if taken > 64, taken * 2 > waiting.count {
                waiting.removeFirst(taken)
                taken = 0
            }
            return work
        }
    }

    private struct State {
        var lanes: [UInt64: Lane] = [:]
        /// The connections that have work waiting, in the order of their turns.
        var turns: [UInt64] = []
        var nextTurn = 0
        var waiting = 0
        var isClosed = false
    }

    let name: String
    private let threads: Int
    /// Work that may wait; more is refused.
    private let queueLimit: Int
    private let state = Mutex(State())
    /// Counts what waits, and the threads' call to end.
    private let available = DispatchSemaphore(value: 0)
    private let ended = DispatchGroup()
    private let running = Atomic<Int>(0)
    /// Microseconds that a piece of work has lately taken: what an overloaded server advises to wait comes from it.
    private let recentMicros = Atomic<Int>(0)

    /// - Parameter niceness: added to the threads' niceness, so that the processor goes to others first.
    init(_ name: String, threads: Int, queueLimit: Int, niceness: Int = 0) {
        self.name = name
        self.threads = threads
        self.queueLimit = queueLimit
        for index in 0..<threads {
            ended.enter()
            let thread = Thread { [self] in
                // From within: a name that a thread is given before it runs is not the system's on Linux.
                Thread.current.name = "\(name)-\(index)"
                // On Linux this is the calling thread's alone.
                if niceness > 0 { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Int32(niceness)) }
                work()
                ended.leave()
            }
            thread.stackSize = 2 << 20
            thread.start()
        }
    }

    /// What waits now.
    var waiting: Int { state.withLock { $0.waiting } }
    /// What is being done now.
    var inWork: Int { running.load(ordering: .relaxed) }

    /// Puts `work` behind what `connection` has waiting. Throws `overloaded` when too much waits, and `draining` when the pool has ended.
    ///
    /// - Parameter isAdmitted: the work goes on with something that was admitted, and is never refused for the queue's length.
    func submit(for connection: UInt64, isAdmitted: Bool = false, _ work: @escaping Work) throws(WhenceError) {
        let refusal: WhenceError? = state.withLock { state in
            if state.isClosed { return .draining() }
            if !isAdmitted, state.waiting >= queueLimit {
                return .overloaded("the queue of \(name) is full", retryAfter: expectedWait(state.waiting))
            }
            var lane = state.lanes.removeValue(forKey: connection) ?? Lane()
            if lane.isEmpty { state.turns.append(connection) }
            lane.waiting.append(work)
            state.lanes[connection] = lane
            state.waiting += 1
            return nil
        }
        if let refusal { throw refusal }
        available.signal()
    }

    /// Does `body` on a thread of the pool, behind what waits there, and waits for it. Throws `draining` when the pool has ended.
    func perform<Value>(_ body: () throws(WhenceError) -> Value) throws(WhenceError) -> Value {
        let outcome = try withoutActuallyEscaping(body) { body throws(WhenceError) in
            let errand = Errand(body)
            try submit(for: 0, isAdmitted: true) { errand.run() }
            return errand.wait()
        }
        return try outcome.get()
    }

    /// Work that another thread does while the one that has it done waits. The other thread holds on to this, and no longer to the work when that
    /// is done.
    private final class Errand<Value>: @unchecked Sendable {
        private let done = DispatchSemaphore(value: 0)
        // The other thread's until `done`.
        private var body: (() throws(WhenceError) -> Value)?
        private var outcome: Result<Value, WhenceError>?

        init(_ body: @escaping () throws(WhenceError) -> Value) { self.body = body }

        func run() {
            outcome = body.map { body in Result { () throws(WhenceError) in try body() } }
            body = nil
            done.signal()
        }

        func wait() -> Result<Value, WhenceError> {
            done.wait()
            guard let outcome else { preconditionFailure("an errand is run once") }
            return outcome
        }
    }

    /// How long what comes behind `waiting` pieces of work would wait.
    private func expectedWait(_ waiting: Int) -> Duration {
        let micros = recentMicros.load(ordering: .relaxed) * (waiting + 1) / threads
        return .microseconds(min(max(micros, 10_000), 5_000_000))
    }

    /// Ends the threads when what waits is done, and waits for that.
    func close() {
        state.withLock { $0.isClosed = true }
        for _ in 0..<threads { available.signal() }
        ended.wait()
    }

    private func work() {
        while true {
            available.wait()
            guard let next = take() else { return }
            running.add(1, ordering: .relaxed)
            let start = ContinuousClock.now
            next()
            let micros = Int(clamping: (ContinuousClock.now - start).microseconds)
            // A race of two threads loses one sample of many.
            let before = recentMicros.load(ordering: .relaxed)
            recentMicros.store(before + (micros - before) / 8, ordering: .relaxed)
            running.subtract(1, ordering: .relaxed)
        }
    }

    /// The next work, from the connection whose turn it is. Nil when the pool is closed and nothing waits.
    private func take() -> Work? {
        state.withLock { state in
            guard state.nextTurn < state.turns.count else { return nil }
            let connection = state.turns[state.nextTurn]
            state.nextTurn += 1
            var lane = state.lanes.removeValue(forKey: connection) ?? Lane()
            let work = lane.take()
            state.waiting -= 1
            if !lane.isEmpty {
                state.turns.append(connection)
                state.lanes[connection] = lane
            }
            if state.nextTurn == state.turns.count {
                state.turns.removeAll(keepingCapacity: true)
                state.nextTurn = 0
            } else if state.nextTurn > 1024 {
                state.turns.removeFirst(state.nextTurn)
                state.nextTurn = 0
            }
            return work
        }
    }
}

extension WhenceError {
    /// More was asked for than can be done now.
    static func overloaded(_ message: String, retryAfter: Duration) -> WhenceError {
        WhenceError(
            .overloaded, message, hint: "wait, then repeat the request; or ask for less at a time", isRetryable: true,
            retryAfter: retryAfter)
    }

    /// The server is about to end.
    static func draining() -> WhenceError {
        WhenceError(
            .draining, "the server is ending and takes no new requests", hint: "repeat the request on a new connection", isRetryable: true,
            retryAfter: .milliseconds(500))
    }
}
