/// Steps that one store and the model go through together.
struct Schedule: CustomStringConvertible {
    /// For each view its TTL in microseconds to begin with.
    var ttls: [Int?] = [nil, nil, nil, nil]
    var steps: [Step]

    var description: String {
        "Schedule(ttls: [\(ttls.map { $0.map(String.init) ?? "nil" }.joined(separator: ", "))], steps: [\n"
            + steps.map { "    \($0),\n" }.joined() + "])"
    }
}
