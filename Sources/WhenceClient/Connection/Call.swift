import NIOCore
import Synchronization
import WhenceCore
import WhenceProtocol

/// Why a request has no answer, and whether the server may have seen it.
struct CallFailure: Error {
    var error: WhenceError
    /// Whether it was put on the wire: what was not may be repeated whatever it is.
    var wasSent: Bool
}

/// What happens to a request.
enum CallEvent {
    /// An answer, or a part of one; never an error.
    case frame(Frame)
    /// It has ended without its answer. Nothing comes after.
    case failed(CallFailure)
}

/// One request, from when it is made until its last answer.
final class Call: Sendable {
    let id: UInt32
    /// The request as a whole frame.
    let frame: ByteBuffer
    /// When the caller stops waiting; nil for never.
    let deadline: NIODeadline?
    /// Whether it is answered by a stream; else by one message, which may be preceded by news of its progress.
    let isStream: Bool
    /// Is told on the event loop, in order; the last event is a frame whose kind closes a request, or a failure.
    let receive: @Sendable (CallEvent) -> Void
    /// Set by a caller that gave up, which may be before the event loop has seen the request.
    private let cancellation: CancellationMark

    init(
        id: UInt32, frame: ByteBuffer, deadline: NIODeadline?, isStream: Bool = false, cancellation: CancellationMark,
        receive: @escaping @Sendable (CallEvent) -> Void
    ) {
        self.id = id
        self.frame = frame
        self.deadline = deadline
        self.isStream = isStream
        self.cancellation = cancellation
        self.receive = receive
    }

    var isCancelled: Bool { cancellation.isSet }
}

/// Whether a request's caller has given up.
final class CancellationMark: Sendable {
    private let mark = Atomic<Bool>(false)

    var isSet: Bool { mark.load(ordering: .acquiring) }

    func set() { mark.store(true, ordering: .releasing) }
}

extension WhenceError {
    static func cancelledByCaller() -> WhenceError { WhenceError(.cancelled, "the request was cancelled") }

    static func lost(_ message: String, hint: String = "") -> WhenceError {
        WhenceError(.connectionLost, message, hint: hint, isRetryable: true)
    }

    static func deadlinePassed() -> WhenceError {
        WhenceError(.deadlineExceeded, "there was no answer within the time allowed", isRetryable: true)
    }
}
