import Synchronization
import WhenceCore

/// Tells whoever asked for it how far a join has come: from several threads, but one call at a time.
final class JoinReporter: Sendable {
    private let report: (@Sendable (JoinProgress) -> Void)?
    private let rows = Mutex(0)

    init(_ report: (@Sendable (JoinProgress) -> Void)?) { self.report = report }

    /// Counts from 0 again.
    func begin() { rows.withLock { $0 = 0 } }

    /// So many more rows of the spine have been taken in.
    func tookIn(_ count: Int) {
        guard let report else { return }
        rows.withLock { rows in
            rows += count
            report(.spine(rows: rows))
        }
    }

    /// So many more rows have been looked up.
    func lookedUp(_ count: Int, of total: Int) {
        guard let report else { return }
        rows.withLock { rows in
            rows += count
            report(.lookup(rows: rows, of: total))
        }
    }
}
