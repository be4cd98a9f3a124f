import Histogram
import NIOCore

/// One run of load over several connections, all on one event loop.
///
/// With a rate it is an open loop: request n is to start at n / rate whatever the server does, and its latency counts from then, so that a
/// server that stalls is charged for every request that had to wait. Without a rate each connection keeps its depth in flight.
/// Used on its event loop alone, which is what makes it safe to pass along.
final class Run<Speech: Dialect>: @unchecked Sendable {
    private let plan: Options.Plan
    private let loop: any EventLoop
    private let done: EventLoopPromise<Void>
    private var lanes: [Lane<Speech>] = []
    private let expected: Int
    private var begun: NIODeadline?
    /// Requests that were due while every connection had its depth in flight.
    private var backlog = CircularBuffer<NIODeadline>()
    private var issued = 0
    private var next = 0
    private(set) var latency = Histogram<UInt64>(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
    private(set) var answered = 0
    private(set) var shed = 0
    private var isOver = false

    init(_ plan: Options.Plan, lanes: Int, loop: any EventLoop) {
        self.plan = plan
        self.loop = loop
        expected = lanes
        done = loop.makePromise()
    }

    var finished: EventLoopFuture<Void> { done.futureResult }
    /// Seconds that were measured.
    var seconds: Double { Double(plan.length.nanoseconds) / 1e9 }

    /// Load begins when all connections are open.
    func opened(_ lane: Lane<Speech>) {
        lanes.append(lane)
        guard lanes.count == expected else { return }
        let now = NIODeadline.now()
        begun = now
        loop.scheduleTask(deadline: now + plan.warmUp + plan.length) { self.end() }
        if plan.rate != nil {
            loop.scheduleRepeatedTask(initialDelay: .zero, delay: .microseconds(100)) { task in
                if self.isOver { task.cancel() } else { self.issueDue() }
            }
        } else {
            for lane in lanes {
                refill(lane)
                lane.flush()
            }
        }
    }

    private func issueDue() {
        guard let begun, let rate = plan.rate else { return }
        let due = Int(Double((NIODeadline.now() - begun).nanoseconds) / 1e9 * rate)
        while issued < due {
            backlog.append(begun + .nanoseconds(Int64(Double(issued) / rate * 1e9)))
            issued += 1
        }
        for _ in lanes.indices where !backlog.isEmpty {
            next = (next + 1) % lanes.count
            let lane = lanes[next]
            // One each in turn, so that connections share the load.
            if lane.hasRoom { lane.ask(intended: backlog.removeFirst()) }
        }
        for lane in lanes {
            refill(lane)
            lane.flush()
        }
    }

    /// Gives a connection that has room what is due.
    func refill(_ lane: Lane<Speech>) {
        guard begun != nil, !isOver else { return }
        if plan.rate == nil {
            let now = NIODeadline.now()
            while lane.hasRoom { lane.ask(intended: now) }
        } else {
            while lane.hasRoom, !backlog.isEmpty { lane.ask(intended: backlog.removeFirst()) }
        }
    }

    func ended(_ outcome: Outcome, started: NIODeadline, now: NIODeadline) {
        guard let begun, !isOver, now - begun >= plan.warmUp else { return }
        switch outcome {
        case .opened: break
        case .shed: shed += 1
        case .answered:
            answered += 1
            latency.record(UInt64(max(1, (now - started).nanoseconds)))
        }
    }

    func failed(_ reason: String) {
        guard !isOver else { return }
        isOver = true
        done.fail(WrongAnswer(description: reason))
    }

    func closed() { failed("a connection was closed by the server") }

    private func end() {
        guard !isOver else { return }
        isOver = true
        done.succeed()
    }
}
