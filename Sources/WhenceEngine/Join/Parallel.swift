import Dispatch
import Foundation
import Synchronization
import WhenceCore

/// Runs `body` for 0..<count on up to `threads` threads, of which the caller's is one, and throws the first error.
///
/// The others are made for it: a new thread has the priority of the one that makes it (Linux), so that what a thread of low priority does stands
/// back with all of its threads. Threads that are kept for whoever comes, as Dispatch's are, would have everybody's.
func inParallel(_ count: Int, threads: Int, _ body: (Int) throws(WhenceError) -> Void) throws(WhenceError) {
    if threads == 1 || count <= 1 {
        for index in 0..<count { try body(index) }
        return
    }
    let next = Atomic<Int>(0)
    let failure = Mutex<WhenceError?>(nil)
    withoutActuallyEscaping(body) { body in
        // The threads have left it before this call ends, so that `body` may borrow what its caller holds.
        let shared = SharedWork {
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                do throws(WhenceError) {
                    try body(index)
                } catch {
                    failure.withLock { if $0 == nil { $0 = error } }
                    next.store(count, ordering: .relaxed)
                }
            }
        }
        let others = DispatchGroup()
        for _ in 1..<min(threads, count) {
            others.enter()
            Thread.detachNewThread {
                shared.run()
                others.leave()
            }
        }
        shared.run()
        others.wait()
        shared.end()
    }
    if let error = failure.withLock({ $0 }) { throw error }
}

/// What several threads do at once. They hold on to this, and not to the work itself, which is gone when whoever has made it says so: a thread
/// that has done its part may well be a little later with letting go.
private final class SharedWork: @unchecked Sendable {
    // Changed by the thread that waits for the others, before the first has begun and after the last has ended.
    private var work: (() -> Void)?

    init(_ work: @escaping () -> Void) { self.work = work }

    @inline(never) func run() { work?() }

    func end() { work = nil }
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
