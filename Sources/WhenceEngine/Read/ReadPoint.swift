import WhenceCore

/// What a read may know: the two choices of design section 3 that hold for the whole read, while T differs from row to row.
public struct ReadPoint: Sendable, Hashable {
    /// Only versions committed at or before this are seen.
    public var knownAt: Timestamp
    /// Leave out, row by row, what serving could not have seen yet.
    public var asServed: Bool

    public init(knownAt: Timestamp, asServed: Bool = false) {
        self.knownAt = knownAt
        self.asServed = asServed
    }
}

/// Which versions of one view are visible to a read point.
///
/// The commit time of a backfill is when it began, and its rows are stored under that; they are known from its
/// publication on. So a pinned read must leave out the few backfills that were under way at its pin.
struct Visibility: Sendable {
    let knownAt: Timestamp
    let asServed: Bool
    /// Commit times at or before `knownAt` of backfills that were published after it, or not yet.
    let unpublished: [Timestamp]

    @inline(__always) func isKnown(_ commit: Timestamp) -> Bool {
        commit <= knownAt && (unpublished.isEmpty || !unpublished.contains(commit))
    }
}
