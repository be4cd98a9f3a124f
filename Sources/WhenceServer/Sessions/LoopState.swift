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
    /// Memory for the answers of a burst. One session at a time writes into it, so that idle ones need none.
    var spareBuffer = ByteBuffer()
    private var sweep: RepeatedTask?
    /// When the loop began to serve its sockets in this turn; nil between turns.
    private var turnBegan: NIODeadline?
    /// When the first of an unbroken row of turns began that took longer than they should.
    private var busySince: NIODeadline?
    private let turnLimit: TimeAmount
    /// Ends a turn; made once, so that a turn costs no memory.
    private var turnEnd: @Sendable () -> Void = {}

    /// How often sessions are looked at that do nothing themselves.
    private static let sweepEvery = TimeAmount.milliseconds(250)

    init(_ eventLoop: any EventLoop, _ core: ServerCore) {
        self.eventLoop = eventLoop
        self.core = core
        turnLimit = core.limits.turnTime.timeAmount
        turnEnd = { [unowned self] in endTurn() }
    }

    // MARK: Load

    /// Long turns for so long are no burst any more.
    private static let patience = TimeAmount.milliseconds(100)

    /// Says that a session has something to do in this turn of the loop: all sockets that are ready are served in a turn, and what comes
    /// meanwhile waits for the next one.
    func enterTurn(_ now: NIODeadline) {
        guard turnBegan == nil else { return }
        turnBegan = now
        // Tasks run when the turn's sockets have been served.
        eventLoop.execute(turnEnd)
    }

    private func endTurn() {
        guard let began = turnBegan else { return }
        turnBegan = nil
        if NIODeadline.now() - began > turnLimit {
            if busySince == nil { busySince = began }
        } else {
            busySince = nil
        }
    }

    /// Whether a read that is come to now is to be refused: more has been asked for than is answered, for a while, and this turn has had its
    /// time. Refusing costs a hundredth of answering, so that those who are answered do not wait for the rest.
    func isOverloaded(_ now: NIODeadline) -> Bool {
        guard let busySince, let turnBegan else { return false }
        return now - turnBegan > turnLimit && now - busySince > LoopState.patience
    }

    /// Counts a request that this loop has answered itself.
    func record(_ operation: Operation, code: Int, duration: TimeAmount, rows: Int, bytes: Int) {
        core.metrics.record(operation, code: code, nanoseconds: duration.nanoseconds, rows: rows, bytes: bytes)
    }

    /// Takes the memory of a burst that has been sent, unless it is more than most bursts need.
    func takeBack(_ buffer: inout ByteBuffer) {
        guard buffer.storageCapacity <= 1 << 20 else { return }
        buffer.clear()
        swap(&buffer, &spareBuffer)
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
        spareBuffer = ByteBuffer()
    }

    /// Ends what has been silent for too long.
    private func sweepSessions() {
        let now = NIODeadline.now()
        for session in Array(sessions.values) { session.sweep(now) }
        readers.removeUnused(now)
    }
}
