import Synchronization

/// Tells whoever asked for it how far the preparation of a publication has come: from several threads, but one call at a time.
final class PublicationReporter: Sendable {
    private let report: @Sendable (_ rows: Int, _ total: Int) -> Void
    private let state = Mutex((rows: 0, total: 0))

    /// Rows from one call to the next, of each thread.
    static var stretch: Int { 8192 }

    init(_ report: @escaping @Sendable (_ rows: Int, _ total: Int) -> Void) { self.report = report }

    /// So many more rows are to be written.
    func expect(_ rows: Int) { state.withLock { $0.total += rows } }

    /// So many more have been.
    func wrote(_ rows: Int) {
        state.withLock { state in
            state.rows += rows
            report(state.rows, state.total)
        }
    }
}
