import RandomFixtures
import WhenceCatalog
import WhenceCore

/// What every schedule is about: a few entities of three kinds, and four views that have features of every type.
enum World {
    struct Kind {
        let name: String
        let joinKeys: [JoinKey]
        /// The keys that schedules draw from; the last one is for rows that are large.
        let pool: [[KeyValue]]
    }

    static let kinds: [Kind] = [
        Kind(
            name: "user", joinKeys: [JoinKey(name: "uid", type: .int64)],
            pool: [0, 1, -1, 255, 256, -256, .min, .max, 77].map { [.int64($0)] }),
        Kind(
            name: "place", joinKeys: [JoinKey(name: "town", type: .string), JoinKey(name: "number", type: .int64)],
            pool: [
                [.string("a"), .int64(0)], [.string("a\0"), .int64(0)], [.string("a\0b"), .int64(-5)], [.string(""), .int64(-1)],
                [.string("a long common prefix 1"), .int64(7)], [.string("a long common prefix 2"), .int64(7)],
                [.string("a long common prefix 1"), .int64(-7)], [.string("e\u{301}"), .int64(1)], [.string("\u{E9}"), .int64(1)],
                [.string("large"), .int64(0)],
            ]),
        Kind(
            name: "thing", joinKeys: [JoinKey(name: "code", type: .bytes), JoinKey(name: "side", type: .bool)],
            pool: [
                [.bytes([]), .bool(true)], [.bytes([0]), .bool(true)], [.bytes([0, 0xFF]), .bool(false)],
                [.bytes([0, 0xFF]), .bool(true)],
                [.bytes([1, 2, 3, 4, 5, 6, 7, 8, 9]), .bool(true)], [.bytes([1, 2, 3, 4, 5, 6, 7, 8, 10]), .bool(true)],
                [.bytes([0xFF]), .bool(false)],
            ]),
    ]

    static let viewNames = ["numbers", "texts", "plain", "marks"]

    /// For each view the kind of entity that it is about.
    static let viewKinds = [0, 1, 0, 2]

    /// For each view the features it begins with.
    static let viewFeatures: [[(String, FeatureType)]] = [
        [("flag", .bool), ("small", .int32), ("big", .int64), ("ratio", .float32), ("amount", .float64)],
        [
            ("word", .string), ("raw", .bytes), ("seen", .timestamp), ("vec", .vector(dimension: 3)), ("tags", .list(.string)),
            ("ids", .list(.int64)),
        ],
        [("x", .float64), ("y", .float64), ("z", .int64)],
        [("n", .int32), ("label", .string)],
    ]

    /// For each view its availability delay, in microseconds.
    static let viewDelays: [Int64] = [0, 0, 3, 1]

    /// Tick 0. Schedules count in microseconds from here, so that commit times and event times mix.
    static let base: Int64 = 1_700_000_000_000_000

    /// The instant of a tick; the least and the greatest integer stand for the ends of what may be stated.
    static func time(_ tick: Int) -> Timestamp {
        switch tick {
        case .min: .earliest
        case .max: .latest
        default: Timestamp(microseconds: base + Int64(tick))
        }
    }

    /// A time as schedules write it.
    static func tick(_ time: Timestamp) -> String {
        let (tick, overflow) = time.microseconds.subtractingReportingOverflow(base)
        return overflow || abs(tick) > 1_000_000 ? "\(time.microseconds)us" : "\(tick)"
    }

    /// A value of `type`; the same for the same seed, null for seed 0.
    static func value(_ type: FeatureType, seed: UInt64, isLarge: Bool = false) -> Value {
        if seed == 0 { return .null }
        var random = SeededRandom(seed: seed)
        if isLarge, case .scalar(.bytes) = type {
            return .bytes([UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: 700_000))
        }
        switch type {
        case .scalar(let scalar): return value(scalar, &random)
        case .vector(let dimension): return .vector((0..<dimension).map { _ in float(&random) })
        case .list(let scalar): return .list((0..<random.below(4)).map { _ in value(scalar, &random) })
        }
    }

    private static func float(_ random: inout SeededRandom) -> Float {
        switch random.below(6) {
        case 0: -0.0
        case 1: .nan
        case 2: Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
        default: Float(random.below(1_000_000)) / 4
        }
    }

    private static func value(_ scalar: ScalarType, _ random: inout SeededRandom) -> Value {
        switch scalar {
        case .bool: return .bool(random.below(2) == 1)
        case .int32: return .int32(Int32(truncatingIfNeeded: random.next()))
        case .int64: return .int64(Int64(truncatingIfNeeded: random.next()))
        case .float32: return .float32(float(&random))
        case .float64:
            switch random.below(6) {
            case 0: return .float64(-0.0)
            case 1: return .float64(.nan)
            case 2: return .float64(Double(bitPattern: random.next()))
            default: return .float64(Double(random.below(1_000_000)) / 8)
            }
        case .string:
            return .string(String((0..<random.below(9)).map { _ in random.pick(["\0", "a", "b", "\u{301}", "e", "𝄞", "z"]) }.joined()))
        case .bytes: return .bytes((0..<random.below(9)).map { _ in random.pick([0, 0xFF, 1, UInt8(random.below(256))]) })
        case .timestamp: return .timestamp(Timestamp(microseconds: Int64(truncatingIfNeeded: random.next())))
        }
    }
}
