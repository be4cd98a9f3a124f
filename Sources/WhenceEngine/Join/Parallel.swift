import Dispatch
import Synchronization
import WhenceCore

/// Runs `body` for 0..<count on up to `threads` threads, and throws the first error.
func inParallel(_ count: Int, threads: Int, _ body: (Int) throws(WhenceError) -> Void) throws(WhenceError) {
    if threads == 1 || count == 1 {
        for index in 0..<count { try body(index) }
        return
    }
    let next = Atomic<Int>(0)
    let failure = Mutex<WhenceError?>(nil)
    withoutActuallyEscaping(body) { body in
        // The threads end before this call does, so that `body` may borrow what its caller holds.
        nonisolated(unsafe) let body = body
        DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                do throws(WhenceError) {
                    try unsafe body(index)
                } catch {
                    failure.withLock { if $0 == nil { $0 = error } }
                    next.store(count, ordering: .relaxed)
                }
            }
        }
    }
    if let error = failure.withLock({ $0 }) { throw error }
}

/// Results of parallel work: each index is written by one thread only, and read after all of them are done.
@safe final class Slots<Value>: @unchecked Sendable {
    private let slots: UnsafeMutableBufferPointer<Value?>

    init(_ count: Int) {
        unsafe slots = .allocate(capacity: count)
        unsafe slots.initialize(repeating: nil)
    }

    deinit {
        unsafe slots.deinitialize()
        unsafe slots.deallocate()
    }

    subscript(index: Int) -> Value? {
        get { unsafe slots[index] }
        set { unsafe slots[index] = newValue }
    }

    /// The results that there are, in order.
    var values: [Value] { unsafe slots.compactMap { $0 } }
}
