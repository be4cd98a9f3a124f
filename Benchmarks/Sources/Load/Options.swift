import NIOCore

/// What the command line of `Load` says.
struct Options: Sendable {
    var server = ""
    var port = 0
    var service = "load"
    /// Connections, and requests in flight on each.
    var connections = 8
    var depth = 1
    /// Entities a request, and features of each.
    var batch = 1
    var features = 20
    /// Entities to pick from: 0 to this.
    var entities = 100_000
    var seconds = 5.0
    var warmUpSeconds = 1.0
    /// Requests a second, as an open loop; nil for as many as go.
    var rate: Double?
    /// Look at the header of an answer only, and not at its columns: for a server that is given more than it can do, while the generator has no
    /// more processors than it.
    var headersOnly = false

    struct Plan: Sendable {
        /// Requests a second; nil for as fast as answers come.
        var rate: Double?
        var warmUp: TimeAmount
        var length: TimeAmount
    }

    var plan: Plan {
        Plan(rate: rate, warmUp: .nanoseconds(Int64(warmUpSeconds * 1e9)), length: .nanoseconds(Int64(seconds * 1e9)))
    }

    func picker(_ lane: Int) -> EntityPicker { EntityPicker(entities: entities, state: UInt64(lane) << 32 | 7) }

    init(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        server = rest.popFirst() ?? ""
        while let name = rest.popFirst() {
            guard let text = rest.popFirst() else { throw WrongAnswer(description: "\(name) needs a value") }
            if name == "--service" {
                service = text
                continue
            }
            guard let value = Double(text) else { throw WrongAnswer(description: "\(name) needs a number, not '\(text)'") }
            switch name {
            case "--port": port = Int(value)
            case "--connections": connections = Int(value)
            case "--depth": depth = Int(value)
            case "--batch": batch = Int(value)
            case "--features": features = Int(value)
            case "--entities": entities = Int(value)
            case "--seconds": seconds = value
            case "--warm-up": warmUpSeconds = value
            case "--rate": rate = value
            case "--headers-only": headersOnly = value != 0
            default: throw WrongAnswer(description: "there is no option \(name)")
            }
        }
    }
}
