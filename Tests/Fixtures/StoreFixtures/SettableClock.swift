import Synchronization
import WhenceCore
import WhenceEngine

/// A clock that stands where it is put.
public final class SettableClock: Sendable {
    private let time: Mutex<Timestamp>

    public init(_ time: Timestamp) { self.time = Mutex(time) }

    public var now: Timestamp {
        get { time.withLock { $0 } }
        set { time.withLock { $0 = newValue } }
    }

    /// Options of a store that goes by this clock, and is otherwise small.
    public var options: StoreOptions {
        var options = StoreOptions()
        options.blockCacheBytes = 8 << 20
        options.memtableBytes = 16 << 20
        options.latestCacheBytes = 1 << 20
        options.clock = { self.now }
        return options
    }
}
