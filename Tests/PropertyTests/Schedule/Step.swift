import WhenceCore

/// One thing that a schedule does. Steps say all that they do, but where a step does not fit what is there (a feature that
/// is not, a backfill that is not open), it does less or nothing: so that a schedule stays one when steps are left out.
enum Step {
    /// - Parameter split: the rows of a view come in two row batches of the same commit.
    case write([RowStep], split: Bool = false, key: Int? = nil)
    case beginBackfill(view: Int)
    case backfill(view: Int, [RowStep])
    case publish(view: Int)
    case abandon(view: Int)
    case flush(view: Int)
    case compact(view: Int)
    case retain(view: Int, before: Int)
    case erase(kind: Int, entity: Int)
    case restart(latestCacheBytes: Int, threads: Int)
    case alter(Alteration)
    case clock(Int)
    case join(JoinStep)
    case online(OnlineStep)
    case history(view: Int, entity: Int, Pin)
    case scan(view: Int, from: Int?, to: Int?, Pin)
    case entities(view: Int, instants: [Int], from: Int?, Pin, served: Bool)

    var isRead: Bool {
        switch self {
        case .join, .online, .history, .scan, .entities: true
        default: false
        }
    }
}

/// A row, deletion or retraction; times are in ticks.
struct RowStep {
    var view: Int
    var entity: Int
    var event: Int
    var available: Int?
    var kind = VersionKind.row
    var features: [Draw] = []

    /// A feature and the seed of its value: 0 for null.
    struct Draw {
        var name: String
        var seed: UInt64
        var isLarge = false
    }
}

enum Alteration {
    case add(view: Int, String, FeatureType)
    case widen(view: Int, String, FeatureType)
    case retire(view: Int, String)
    case ttl(view: Int, Int?)
    case reverse(view: Int)
}

/// A choice of `known_at`.
enum Pin {
    case now
    /// The time of the n-th commit, counted round.
    case commit(Int)
    /// A microsecond before it.
    case before(Int)
    case beforeAll
    case future
    case tick(Int)
}

struct SpineRow {
    /// T, in ticks.
    var tick: Int
    /// For each of the spine's four entities its place in the pool; nil for null keys, -1 for a key that is null in part.
    var user: Int?
    var other: Int?
    var place: Int?
    var thing: Int?
}

struct JoinStep {
    var rows: [SpineRow]
    /// More rows, drawn from these again and again, so that there are enough for several threads.
    var repeatedTo: Int?
    /// Rows of each block; nil for all in one.
    var blockRows: Int?
    var pin: Pin
    var served: Bool
    var threads: Int
    /// Nil for the service; else features of views, drawn with this seed.
    var features: UInt64?
    /// Rows before the horizon are moved to it, instead of being refused.
    var isWithinHorizon: Bool
    /// A spine of several blocks, with next to no memory, goes through temporary files; else it is joined block by block.
    var spills = true
}

struct OnlineStep {
    var rows: [SpineRow]
    /// With the reader that was kept from earlier steps.
    var kept: Bool
    var withEventTimes: Bool
}
