import NIOCore

/// How one server is asked for features, and how its answers are told apart: what differs between the servers under load.
///
/// One per connection; used on its event loop alone.
protocol Dialect {
    /// What the client sends before its first request, and whether the server has to answer it first.
    mutating func open(into buffer: inout ByteBuffer) throws -> Bool
    /// Appends the next request, which carries `slot` in case that answers come in any order.
    mutating func ask(slot: Int, into buffer: inout ByteBuffer) throws
    /// Takes whole answers from the front of `buffer` and calls `done` with the slot of each.
    mutating func take(from buffer: inout ByteBuffer, done: (Int, Outcome) -> Void) throws
}

/// How a request ended.
enum Outcome {
    /// The server said hello; requests may begin.
    case opened
    case answered
    /// Turned away: overloaded.
    case shed
}

/// An answer that cannot be: the run is worth nothing.
struct WrongAnswer: Error, CustomStringConvertible {
    let description: String
}

/// The entities of a run, picked at random by SplitMix64, so that every run asks for the same ones.
struct EntityPicker {
    let entities: Int
    var state: UInt64

    mutating func next() -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(entities))
    }
}
