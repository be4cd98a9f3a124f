/// Steps that one store and the model go through together.
struct Schedule: CustomStringConvertible {
    /// For each view its TTL in microseconds to begin with.
    var ttls: [Int?]
    var steps: [Step]

    var description: String {
        "Schedule(ttls: \(ttls.map { $0.map(String.init) ?? "nil" }), steps: [\n"
            + steps.map { "    \($0),\n" }.joined() + "])"
    }
}
