import NIOCore
import WhenceCore

/// What the sessions of one event loop share. Touched on that loop only.
final class LoopState: @unchecked Sendable {
    let eventLoop: any EventLoop
    let core: ServerCore
    /// The sessions that are connected, by their ids.
    var sessions: [UInt64: Session] = [:]
    /// Readers that have lately been used, shared by the loop's sessions.
    var readers = ReaderCache()
    /// Memory for the answers of bursts, so that idle sessions need none.
    private var spareBuffers: [ByteBuffer] = []
    /// Sessions whose answers go out at the end of the turn.
    private var unflushed: [Session] = []
    private var sweep: RepeatedTask?
    /// How much is asked of the loop.
    private var gauge: LoadGauge
    /// Ends a turn; made once, so that a turn costs no memory.
    private var turnEnd: @Sendable () -> Void = {}

    /// How often sessions are looked at that do nothing themselves.
    private static let sweepEvery = TimeAmount.milliseconds(250)

    init(_ eventLoop: any EventLoop, _ core: ServerCore) {
        self.eventLoop = eventLoop
        self.core = core
        gauge = LoadGauge(turnLimit: core.limits.turnTime.timeAmount, overloadedTurn: core.limits.overloadedTurnTime.timeAmount)
        turnEnd = { [unowned self] in endTurn() }
    }

    // MARK: Load

    /// Says that a session has something to do in this turn of the loop: all sockets that are ready are served in a turn, and what comes
    /// meanwhile waits for the next one.
    func enterTurn(_ now: NIODeadline) {
        // Tasks run when the turn's sockets have been served.
        if gauge.beginConnection(now) { eventLoop.execute(turnEnd) }
    }

    /// Answers of a turn go out together when it ends, so that clients are woken once; in a turn that is longer than this, as they come.
    private static let flushDelay = TimeAmount.microseconds(100)

    /// Has what `session` has to say sent at the end of the turn.
    func flushLater(_ session: Session, _ now: NIODeadline) {
        guard let turnBegan = gauge.turnBegan else { return session.flush() }
        unflushed.append(session)
        if now - turnBegan > LoopState.flushDelay { flush() }
    }

    private func flush() {
        // A flush may have a session go on that was held up, which then has more to say.
        var index = 0
        while index < unflushed.count {
            unflushed[index].flush()
            index += 1
        }
        unflushed.removeAll(keepingCapacity: true)
    }

    private func endTurn() {
        flush()
        gauge.endTurn(.now())
    }

    /// Whether a read that is come to now is to be refused, as more has been asked for than is answered.
    func refuses(_ now: NIODeadline) -> Bool { gauge.refuses(now) }

    /// Counts a request that this loop has answered itself.
    func record(_ operation: Operation, code: Int, duration: TimeAmount, rows: Int, bytes: Int) {
        gauge.count(duration)
        core.metrics.record(operation, code: code, nanoseconds: duration.nanoseconds, rows: rows, bytes: bytes)
    }

    /// Memory for the answers of a burst.
    func takeBuffer() -> ByteBuffer { spareBuffers.popLast() ?? ByteBuffer() }

    /// Takes the memory of a burst that has been sent, unless it is more than most bursts need, or there is enough.
    func takeBack(_ buffer: consuming ByteBuffer) {
        guard spareBuffers.count < 32, buffer.storageCapacity <= 256 << 10 else { return }
        buffer.clear()
        spareBuffers.append(buffer)
    }

    // MARK: Upkeep

    func begin() {
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: LoopState.sweepEvery, delay: LoopState.sweepEvery) { [weak self] _ in
            self?.sweepSessions()
        }
    }

    func end() {
        sweep?.cancel()
        readers.removeAll()
        spareBuffers = []
    }

    /// Ends what has been silent for too long.
    private func sweepSessions() {
        let now = NIODeadline.now()
        for session in Array(sessions.values) { session.sweep(now) }
        readers.removeUnused(now)
    }
}
