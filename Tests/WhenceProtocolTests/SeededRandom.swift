import Foundation

@testable import WhenceCore
@testable import WhenceProtocol

/// Random numbers that a seed replays (SplitMix64, after Steele, Lea and Flood 2014).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A generator whose seed is printed; `WHENCE_SEED` in the environment replays one.
    static func printed(_ test: String = #function) -> SeededRandom {
        let seed = ProcessInfo.processInfo.environment["WHENCE_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1 << 48)
        print("\(test): WHENCE_SEED=\(seed)")
        return SeededRandom(seed: seed)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    /// An integer of a random magnitude, the ends and their neighbours included.
    mutating func integer() -> Int64 {
        switch below(8) {
        case 0: [Int64.min, .min + 1, .max, .max - 1, 0, -1, 1, 255, 256, -255, -256][below(11)]
        default: Int64(truncatingIfNeeded: next()) >> Int64(below(64))
        }
    }

    /// Bytes with many zeros and 0xFF among them.
    mutating func bytes(upTo limit: Int) -> [UInt8] {
        (0..<below(limit + 1)).map { _ in [0, 0xFF, 1, UInt8(truncatingIfNeeded: next())][below(4)] }
    }

    /// Text with NUL, ASCII and scalars of two to four bytes.
    mutating func text(upTo limit: Int) -> String {
        let scalars: [Unicode.Scalar] = ["\0", "a", "b", "\u{7F}", "\u{80}", "\u{301}", "e", "\u{FFFF}", "\u{10FFFF}", "\u{E000}", "𝄞"]
        var text = String.UnicodeScalarView()
        for _ in 0..<below(limit + 1) { text.append(scalars[below(scalars.count)]) }
        return String(text)
    }

    mutating func scalarType() -> ScalarType { ScalarType.allCases[below(ScalarType.allCases.count)] }

    mutating func featureType() -> FeatureType {
        switch below(4) {
        case 0: .vector(dimension: 1 + below(5))
        case 1: .list(scalarType())
        default: .scalar(scalarType())
        }
    }

    /// A value of `type`; floats are any bits, NaNs included.
    mutating func value(_ type: FeatureType) -> Value {
        switch type {
        case .scalar(.bool): .bool(below(2) == 1)
        case .scalar(.int32): .int32(Int32(truncatingIfNeeded: integer()))
        case .scalar(.int64): .int64(integer())
        case .scalar(.float32): .float32(Float(bitPattern: UInt32(truncatingIfNeeded: next())))
        case .scalar(.float64): .float64(Double(bitPattern: next()))
        case .scalar(.string): .string(text(upTo: 12))
        case .scalar(.bytes): .bytes(bytes(upTo: 12))
        case .scalar(.timestamp): .timestamp(Timestamp(microseconds: integer()))
        case .vector(let dimension): .vector((0..<dimension).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: next())) })
        case .list(let scalar): .list((0..<below(5)).map { _ in value(.scalar(scalar)) })
        }
    }

    mutating func schema(maxFields: Int = 20) -> Schema {
        let id = [1, 2, 127, 128, 16_384, UInt32.max][below(6)]
        return Schema(id: id, fields: (0..<below(maxFields + 1)).map { SchemaField(id: UInt32($0), name: "f\($0)", type: featureType()) })
    }
}

extension Array where Element == UInt8 {
    /// The bytes that `text` writes in hexadecimal; spaces are skipped.
    init(hex text: String) {
        var digits: [UInt8] = []
        for character in text where character != " " {
            guard let digit = character.hexDigitValue else { preconditionFailure("'\(text)' is not hexadecimal") }
            digits.append(UInt8(digit))
        }
        precondition(digits.count % 2 == 0)
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    var hex: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
