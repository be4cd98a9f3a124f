import Synchronization
import WhenceCore

/// How new what a view holds is, as far as this process has seen it: nothing is read for it, so a view that nobody has written to since the
/// store was opened is not there.
public struct ViewFreshness: Sendable, Equatable {
    public let view: String
    /// When the view was last committed to, by a write or by the publication of a backfill.
    public internal(set) var lastCommit: Timestamp
    /// The newest event time that a write brought; nil when there were only backfills.
    public internal(set) var newestEvent: Timestamp?
}

/// The freshness of all views, brought up to date by every commit.
final class FreshnessTable: Sendable {
    private let views = Mutex<[String: ViewFreshness]>([:])

    var all: [ViewFreshness] { views.withLock { $0.values.sorted { $0.view < $1.view } } }

    func update(_ view: String, commit: Timestamp, newestEvent: Timestamp?) {
        views.withLock { views in
            var freshness = views[view] ?? ViewFreshness(view: view, lastCommit: commit, newestEvent: nil)
            freshness.lastCommit = max(freshness.lastCommit, commit)
            if let newestEvent { freshness.newestEvent = max(freshness.newestEvent ?? newestEvent, newestEvent) }
            views[view] = freshness
        }
    }
}

extension Store {
    /// How new each view is that was written to since the store was opened.
    public func freshness() -> [ViewFreshness] { freshnessTable.all }

    /// Takes note of a commit.
    func updateFreshness(_ parts: Committer.Parts, _ commit: Timestamp) {
        for part in parts.parts {
            let owned = part.buffer.bytes
            let bytes = unsafe owned.span.bytes
            var newest = Timestamp.distantPast
            for entry in part.buffer.entries { newest = max(newest, VersionKey.eventTime(bytes.extracting(entry.key))) }
            freshnessTable.update(part.view.name, commit: commit, newestEvent: newest == .distantPast ? nil : newest)
        }
    }
}
