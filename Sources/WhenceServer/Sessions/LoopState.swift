import NIOCore

/// What the sessions of one event loop share. Touched on that loop only.
final class LoopState: @unchecked Sendable {
    let eventLoop: any EventLoop
    let core: ServerCore
    /// The sessions that are connected, by their ids.
    var sessions: [UInt64: Session] = [:]
    /// Readers that have lately been used, shared by the loop's sessions.
    var readers = ReaderCache()
    private var sweep: RepeatedTask?

    /// How often sessions are looked at that do nothing themselves.
    private static let sweepEvery = TimeAmount.milliseconds(250)

    init(_ eventLoop: any EventLoop, _ core: ServerCore) {
        self.eventLoop = eventLoop
        self.core = core
    }

    func begin() {
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: LoopState.sweepEvery, delay: LoopState.sweepEvery) { [weak self] _ in
            self?.sweepSessions()
        }
    }

    func end() {
        sweep?.cancel()
        readers.removeAll()
    }

    /// Ends what has been silent for too long.
    private func sweepSessions() {
        let now = NIODeadline.now()
        for session in Array(sessions.values) { session.sweep(now) }
        readers.removeUnused(since: now - .seconds(30))
    }
}
