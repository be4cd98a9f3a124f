import NIOCore
import Synchronization
import WhenceCore

/// A request that has arrived and is not answered yet. Lives on its session's event loop, but for `isEnded`, which whatever works for
/// the request looks at between its blocks.
final class OpenRequest: @unchecked Sendable {
    let id: UInt32
    let operation: Operation
    let arrival: NIODeadline
    let deadline: NIODeadline
    /// Set when the request needs no answer any more: cancelled, too late, answered, or its connection gone.
    let isEnded = Atomic<Bool>(false)
    /// The view or entity that an administrative act is about, once that is known: for the audit log.
    let subject = Mutex<String?>(nil)
    /// Answers with `deadlineExceeded` when the time has come.
    var timer: Scheduled<Void>?
    /// The stream that answers it, if one does.
    var stream: Stream?
    /// When a thread took it up; what was before is time in the queue.
    var workBegan: NIODeadline?
    var rows = 0
    /// Bytes of the frame that it came in.
    let frameBytes: Int
    /// Bytes of its frames, both ways.
    var bytes: Int

    init(id: UInt32, operation: Operation, arrival: NIODeadline, deadline: NIODeadline, bytes: Int) {
        self.id = id
        self.operation = operation
        self.arrival = arrival
        self.deadline = deadline
        frameBytes = bytes
        self.bytes = bytes
    }

    /// Throws where work for the request is of no use any more.
    func checkOpen() throws(WhenceError) {
        if isEnded.load(ordering: .relaxed) { throw WhenceError(.cancelled, "the request has ended") }
        if NIODeadline.now() >= deadline { throw deadlineExceeded() }
    }

    /// That the request took too long, and what is to be known before it is repeated.
    func deadlineExceeded(_ what: String = "the request did not end within its timeout") -> WhenceError {
        let hint =
            switch operation {
            case .write: "give it more time, or write less at once; it may have been made: repeat it with its idempotency key"
            case .backfill: "give it more time; it may have been published: look with a history before you repeat it"
            case .apply, .compact, .retain, .erase: "give it more time; it may have been done: look before you repeat it"
            default: "ask for less, or give it more time"
            }
        return WhenceError(.deadlineExceeded, what, hint: hint, isRetryable: operation != .backfill)
    }
}

extension WhenceError {
    static var cancelled: WhenceError { WhenceError(.cancelled, "the request was cancelled") }
}
