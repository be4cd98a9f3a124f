import Synchronization
import WhenceCore

/// What one join has been promised of the disk for its temporary files. It grows with them, and is given back with the join. Safe to use
/// from many threads.
final class SpillShare: Sendable {
    /// A promise grows by so much at a time.
    private static let pieceBytes = 16 << 20

    private let admission: Admission
    private let promised = Mutex(0)

    init(_ admission: Admission) { self.admission = admission }

    deinit { admission.releaseSpill(promised.withLock { $0 }) }

    /// Sees to it that `bytes` are promised. Throws where there is not so much.
    func cover(_ bytes: Int) throws(WhenceError) {
        try promised.withLock { promised throws(WhenceError) in
            guard bytes > promised else { return }
            let more = max(bytes - promised, min(SpillShare.pieceBytes, admission.spillLimit - promised))
            try admission.reserveSpill(more, total: bytes)
            promised += more
        }
    }
}
