import NIOCore
import Synchronization
import WhenceProtocol

/// What has happened to a request and was not looked at yet. Filled by the event loop, emptied by one task.
final class CallInbox: Sendable {
    private struct State {
        var events: CircularBuffer<CallEvent> = []
        var waiter: CheckedContinuation<CallEvent, Never>?
    }

    private let state = Mutex(State())

    func put(_ event: CallEvent) {
        let waiter = state.withLock { state in
            let waiter = state.waiter
            state.waiter = nil
            if waiter == nil { state.events.append(event) }
            return waiter
        }
        waiter?.resume(returning: event)
    }

    /// The next event. Not to be asked again after the last one.
    func next() async -> CallEvent {
        await withCheckedContinuation { continuation in
            let event = state.withLock { state in
                let event = state.events.popFirst()
                if event == nil { state.waiter = continuation }
                return event
            }
            if let event { continuation.resume(returning: event) }
        }
    }

    /// The answer of a request that has one, news of its progress left out.
    func answer() async -> Result<Frame, CallFailure> {
        while true {
            switch await next() {
            case .frame(let frame) where frame.kind == .progress: continue
            case .frame(let frame): return .success(frame)
            case .failed(let failure): return .failure(failure)
            }
        }
    }
}
