import Logging
import Synchronization
import WhenceCore
import WhenceEngine

/// Read-only degradation: after a write has failed because the disk is full or the storage engine has stopped, writes are refused at once
/// while reads go on, and the storage engine is asked now and then whether it can go on.
final class WriteGate: Sendable {
    private enum State {
        case open
        case closed(cause: WhenceError)
    }

    private let state = Mutex(State.open)
    private let store: Store
    private let logger: Logger

    init(_ store: Store, _ logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Why writes are refused; nil while they are taken.
    var cause: WhenceError? {
        state.withLock { state in
            if case .closed(let cause) = state { return cause }
            return nil
        }
    }

    /// Throws `readOnly`, with advice when to try again, while writes are refused.
    func check() throws(WhenceError) {
        guard let cause else { return }
        throw WhenceError(
            .readOnly, "writes are refused for now: \(cause.message)", place: cause.place,
            hint: "reads go on; "
                + (cause.code == .diskFull ? "free some space on the server's disk" : "look at the server's log and disk"),
            isRetryable: true, retryAfter: .seconds(1))
    }

    /// Runs a write; closes the gate where it fails for the storage's sake.
    func run<Result>(_ write: () throws(WhenceError) -> Result) throws(WhenceError) -> Result {
        try check()
        do throws(WhenceError) {
            return try write()
        } catch {
            guard error.code == .diskFull || error.code == .inputOutput else { throw error }
            state.withLock { $0 = .closed(cause: error) }
            logger.error("writes are refused until the storage recovers", metadata: ["error": "\(error)"])
            throw error
        }
    }

    /// Asks the storage engine whether it can go on, where writes are refused. Blocks for as long as a flush takes.
    func probe() {
        guard cause != nil else { return }
        do throws(WhenceError) {
            try store.resume()
            state.withLock { $0 = .open }
            logger.notice("the storage has recovered; writes are taken again")
        } catch {
            logger.debug("the storage has not recovered", metadata: ["error": "\(error)"])
        }
    }
}
