/// The engine's answer is not the model's.
struct Mismatch: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Throws a mismatch where `condition` does not hold.
func require(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    if !condition { throw Mismatch(what()) }
}
