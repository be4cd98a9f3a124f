import Foundation

/// How many inputs a fuzz test makes: more where `WHENCE_SOAK_SECONDS` asks for it.
enum FuzzRounds {
    /// `count` in an ordinary run; in a soak twenty times as many.
    static func count(_ count: Int) -> Int {
        ProcessInfo.processInfo.environment["WHENCE_SOAK_SECONDS"] == nil ? count : count * 20
    }
}
