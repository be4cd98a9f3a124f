import Synchronization
import WhenceCore

/// What it has lately cost to read an entity's row from the store, because it was not in the cache of latest rows, and from that how many
/// rows an event loop may read there by itself: what waits for the disk goes to the pool, and stands in the way of nobody.
///
/// Any thread that reads says what it has seen. A race of two loses one sample of many.
final class StoreReadCost: Sendable {
    /// How long an event loop may be held up for what one request reads from the store: about as long as by the largest read that it answers
    /// from the cache (`ServerLimits.inlineEntities`).
    static let budget = Duration.microseconds(250)

    /// Nanoseconds of one row; 0 while nothing is known.
    private let recent = Atomic<Int>(0)

    /// How many rows a request may read from the store on an event loop. None before the first has been read on the pool.
    var allowedReads: Int {
        let nanoseconds = recent.load(ordering: .relaxed)
        return nanoseconds == 0 ? 0 : Int(StoreReadCost.budget.microseconds) * 1000 / nanoseconds
    }

    /// Says that `reads` rows, at least one, took `time`. What is slower than before counts at once; what is faster only over many samples, so
    /// that a few reads that found their blocks in memory do not call those back that wait for the disk.
    func record(_ time: Duration, reads: Int) {
        let sample = max(1, time.nanoseconds / reads)
        let before = recent.load(ordering: .relaxed)
        recent.store(before == 0 || sample > before ? sample : before - (before - sample + 63) / 64, ordering: .relaxed)
    }
}

extension Duration {
    /// Whole nanoseconds, as many as an `Int` holds.
    fileprivate var nanoseconds: Int {
        let (seconds, attoseconds) = components
        return Int(clamping: seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ attoseconds / 1_000_000_000)
    }
}
