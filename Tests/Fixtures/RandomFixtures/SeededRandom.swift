import Foundation

/// Random numbers that a seed replays (SplitMix64, after Steele, Lea and Flood 2014).
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// A generator whose seed is printed; `WHENCE_SEED` in the environment replays one.
    public static func printed(_ test: String = #function) -> SeededRandom {
        let seed = seed()
        print("\(test): WHENCE_SEED=\(seed)")
        return SeededRandom(seed: seed)
    }

    /// The seed that the environment states in `WHENCE_SEED`, or nil.
    public static var statedSeed: UInt64? { ProcessInfo.processInfo.environment["WHENCE_SEED"].flatMap { UInt64($0) } }

    /// The stated seed, else a fresh one.
    public static func seed() -> UInt64 { statedSeed ?? UInt64.random(in: 0..<1 << 48) }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// One of 0..<count.
    public mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    public mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

    /// True `n` times in `outOf`.
    public mutating func chance(_ n: Int, _ outOf: Int) -> Bool { below(outOf) < n }
}
