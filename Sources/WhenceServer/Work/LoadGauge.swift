import NIOCore

/// Judges for one event loop whether more is asked of it than it can do, and which reads it refuses then.
///
/// A turn of the loop serves every socket that is ready, once: what has come since the turn before is read in this one. So how long turns take is
/// how long a read may have waited in its socket before it is seen, and turns are kept short by refusing, which costs a hundredth of answering.
/// A long turn by itself is no overload: pipelines that are deep on purpose make them, and get their answers. Turns that are long one after
/// the other, for a while, are. From then on a turn answers as much as `overloadedTurn` allows and refuses the rest, until for as long a while
/// nothing had to be refused. What is answered has so waited for about two such turns at the most, however much is asked for.
///
/// A turn's time is shared between the connections that have something to say: one that asks for much does not have the others refused.
struct LoadGauge {
    /// Long turns, or turns without a refusal, for so long are more than chance.
    static let patience = TimeAmount.milliseconds(100)

    /// A turn that takes longer is long.
    private let turnLimit: TimeAmount
    /// What reads that are answered may take in a turn of an overloaded loop.
    private let overloadedTurn: TimeAmount
    /// When the turn began; nil between turns.
    private(set) var turnBegan: NIODeadline?
    /// When the first of an unbroken row of long turns began.
    private var busySince: NIODeadline?
    /// While the loop is overloaded: when it last refused a read, or became so.
    private var refusedAt: NIODeadline?
    /// Time that reads of this turn have taken, of all connections and of the one whose turn it is.
    private var spent = TimeAmount.nanoseconds(0)
    private var spentByConnection = TimeAmount.nanoseconds(0)
    /// Connections with something to say, in this turn and in the one before.
    private var connections = 0
    private var connectionsBefore = 1

    init(turnLimit: TimeAmount, overloadedTurn: TimeAmount) {
        self.turnLimit = turnLimit
        self.overloadedTurn = overloadedTurn
    }

    var isOverloaded: Bool { refusedAt != nil }

    /// Says that a connection has something to say in this turn. Returns whether it is the first of the turn.
    mutating func beginConnection(_ now: NIODeadline) -> Bool {
        connections += 1
        spentByConnection = .nanoseconds(0)
        guard turnBegan == nil else { return false }
        turnBegan = now
        return true
    }

    /// Says that all connections have been served.
    mutating func endTurn(_ now: NIODeadline) {
        guard let began = turnBegan else { return }
        turnBegan = nil
        connectionsBefore = max(1, connections)
        connections = 0
        spent = .nanoseconds(0)
        if let refused = refusedAt {
            if now - refused > LoadGauge.patience { refusedAt = nil }
        } else if now - began > turnLimit {
            let since = busySince ?? began
            busySince = since
            guard now - since > LoadGauge.patience else { return }
            refusedAt = now
        }
        if refusedAt != nil || now - began <= turnLimit { busySince = nil }
    }

    /// Whether a read that is come to now is to be refused.
    mutating func refuses(_ now: NIODeadline) -> Bool {
        guard refusedAt != nil, turnBegan != nil else { return false }
        guard spent >= overloadedTurn || spentByConnection >= .nanoseconds(overloadedTurn.nanoseconds / Int64(connectionsBefore)) else {
            return false
        }
        refusedAt = now
        return true
    }

    /// Says what a read that was answered has taken.
    mutating func count(_ time: TimeAmount) {
        guard turnBegan != nil else { return }
        spent = spent + time
        spentByConnection = spentByConnection + time
    }
}
