import Dispatch
import Synchronization
import WhenceCore

/// Shares the rows of a batch out among threads. Each row is computed as it would be alone, so that the answers do not depend on it.
enum RowShares {
    /// Rows that a thread takes at a time: some blocks of the walks, so that a share is cut where a block ends anyway.
    static let shareRows = 1024

    /// Calls `body` with shares of the rows: their features and number, the first of them, and room for their answers.
    ///
    /// With one thread, or rows for no more than one share, it is called once, here, and nothing is allocated.
    /// - Throws: what `body` threw for the first of the rows for which it threw; answers of other rows may be there or not.
    static func run<Answer: BitwiseCopyable & Sendable>(
        _ features: Span<Double>, width: Int, rows: Int, threads: Int, answersPerRow: Int, into answers: inout MutableSpan<Answer>,
        _ body: @Sendable (Span<Double>, _ rows: Int, _ first: Int, inout MutableSpan<Answer>) throws(WhenceError) -> Void
    ) throws(WhenceError) {
        let shares = (rows + shareRows - 1) / shareRows
        guard threads > 1, shares > 1 else { return try body(features, rows, 0, &answers) }
        // Both are borrowed for the whole call, which ends after all threads have ended; shares do not overlap.
        nonisolated(unsafe) let from = unsafe features.withUnsafeBufferPointer { unsafe $0 }
        nonisolated(unsafe) let to = unsafe answers.withUnsafeMutableBufferPointer { unsafe $0 }
        let next = Atomic(0)
        let fault = Mutex<(first: Int, error: WhenceError)?>(nil)
        DispatchQueue.concurrentPerform(iterations: min(threads, shares)) { _ in
            while case let share = next.wrappingAdd(1, ordering: .relaxed).oldValue, share < shares {
                let first = share * shareRows
                let count = min(shareRows, rows - first)
                let own = unsafe Span(_unsafeElements: UnsafeBufferPointer(rebasing: from[(first * width)..<((first + count) * width)]))
                var room = unsafe MutableSpan(
                    _unsafeElements: UnsafeMutableBufferPointer(
                        rebasing: to[(first * answersPerRow)..<((first + count) * answersPerRow)]))
                do throws(WhenceError) {
                    try body(own, count, first, &room)
                } catch {
                    fault.withLock { if $0.map({ first < $0.first }) ?? true { $0 = (first, error) } }
                }
            }
        }
        if let (_, error) = fault.withLock({ $0 }) { throw error }
    }
}
