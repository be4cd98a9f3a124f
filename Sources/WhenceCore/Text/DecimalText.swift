/// Numbers from decimal text, rounded correctly: the nearest binary value, ties to even.
///
/// Three ways, from the quickest to the slowest: a significand and a power of ten that are exact as doubles give the
/// answer with one rounded operation (Clinger, "How to read floating point numbers accurately", 1990); up to 19 digits
/// and powers of ten to 10^27 are computed exactly in integers of 128 bits and rounded once; the rest goes to the
/// standard library.
public enum DecimalText {
    /// What a text stands for.
    public enum Outcome<Number> {
        case value(Number)
        case notANumber
        case outOfRange
        /// Asked for an integer, this one has a fraction.
        case fraction
    }

    /// A decimal number taken apart: plus or minus `digits * 10^exponent`.
    private struct Parts {
        var isNegative = false
        var digits: UInt64 = 0
        var exponent = 0
        /// All significant digits are in `digits`.
        var isExact = true
    }

    private enum Scan { case parts(Parts), infinity(isNegative: Bool), nan, none }

    private static let tens: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]
    /// 5^0 to 5^27, the last that fits.
    private static let fives: [UInt64] = (0...27).map { power in (0..<power).reduce(UInt64(1)) { product, _ in product * 5 } }

    /// The nearest double; `outOfRange` where that would be infinite.
    public static func float64(_ text: RawSpan) -> Outcome<Double> {
        switch scan(text) {
        case .none: return .notANumber
        case .nan: return .value(.nan)
        case .infinity(let isNegative): return .value(isNegative ? -.infinity : .infinity)
        case .parts(let parts):
            let magnitude: Double
            if parts.digits == 0, parts.isExact {
                magnitude = 0
            } else if parts.isExact, parts.digits <= 1 << 53, abs(parts.exponent) <= 22 {
                let digits = Double(parts.digits)
                magnitude = parts.exponent < 0 ? digits / tens[-parts.exponent] : digits * tens[parts.exponent]
            } else if parts.isExact, abs(parts.exponent) <= 27 {
                magnitude = nearest(parts, precision: 53)
            } else {
                guard let slow = Double(UTF8Text.string(text)) else { return .notANumber }
                magnitude = abs(slow)
            }
            guard magnitude.isFinite else { return .outOfRange }
            return .value(parts.isNegative ? -magnitude : magnitude)
        }
    }

    /// The nearest float, rounded once and not by way of a double; `outOfRange` where that would be infinite.
    public static func float32(_ text: RawSpan) -> Outcome<Float> {
        switch scan(text) {
        case .none: return .notANumber
        case .nan: return .value(.nan)
        case .infinity(let isNegative): return .value(isNegative ? -.infinity : .infinity)
        case .parts(let parts):
            let magnitude: Float
            if parts.digits == 0, parts.isExact {
                magnitude = 0
            } else if parts.isExact, abs(parts.exponent) <= 27 {
                // 24 bits are exact as a double, and stay so as a float: nothing here is below 2^-126.
                magnitude = Float(nearest(parts, precision: 24))
            } else {
                guard let slow = Float(UTF8Text.string(text)) else { return .notANumber }
                magnitude = abs(slow)
            }
            guard magnitude.isFinite else { return .outOfRange }
            return .value(parts.isNegative ? -magnitude : magnitude)
        }
    }

    /// An integer: digits with an optional sign, and an optional fraction of zeros (`12.0`, as some tools write whole
    /// numbers beside missing ones).
    public static func int64(_ text: RawSpan) -> Outcome<Int64> {
        var at = 0
        let isNegative = text.byteCount > 0 && text[0] == 0x2D
        if isNegative || (text.byteCount > 0 && text[0] == 0x2B) { at = 1 }
        let start = at
        var value: Int64 = 0
        var overflowed = false
        while at < text.byteCount, case let digit = text[at] &- 0x30, digit <= 9 {
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = isNegative ? scaled.subtractingReportingOverflow(Int64(digit)) : scaled.addingReportingOverflow(Int64(digit))
            overflowed = overflowed || overflow || carry
            value = sum
            at &+= 1
        }
        guard at > start else {
            if case .value = float64(text) { return .fraction }
            return .notANumber
        }
        if at < text.byteCount {
            guard text[at] == 0x2E, at + 1 < text.byteCount else {
                if case .value = float64(text) { return .fraction }
                return .notANumber
            }
            for index in (at + 1)..<text.byteCount where text[index] != 0x30 {
                if case .value = float64(text) { return .fraction }
                return .notANumber
            }
        }
        return overflowed ? .outOfRange : .value(value)
    }

    /// `digits * 10^exponent`, for an exponent from -27 to 27, rounded to `precision` bits.
    private static func nearest(_ parts: Parts, precision: Int) -> Double {
        let shift = parts.digits.leadingZeroBitCount
        let digits = parts.digits << UInt64(shift)
        // The value is (bits + what `isInexact` hides) * 2^power, with at least 64 bits in `bits`.
        let bits: UInt128
        var power = parts.exponent - shift
        var isInexact = false
        if parts.exponent >= 0 {
            let (high, low) = digits.multipliedFullWidth(by: fives[parts.exponent])
            bits = UInt128(high) << 64 | UInt128(low)
        } else {
            let five = fives[-parts.exponent]
            let divisorShift = five.leadingZeroBitCount
            let divisor = five << UInt64(divisorShift)
            let (high, rest) = digits.quotientAndRemainder(dividingBy: divisor)
            let (low, remainder) = divisor.dividingFullWidth((rest, 0))
            bits = UInt128(high) << 64 | UInt128(low)
            isInexact = remainder != 0
            power += divisorShift - 64
        }
        let excess = 128 - bits.leadingZeroBitCount - precision
        guard excess > 0 else { return Double(UInt64(truncatingIfNeeded: bits)) * twoTo(power) }
        var kept = UInt64(truncatingIfNeeded: bits >> UInt128(excess))
        let rest = bits & ((1 << UInt128(excess)) - 1)
        let half: UInt128 = 1 << UInt128(excess - 1)
        if rest > half || (rest == half && (isInexact || kept & 1 == 1)) { kept += 1 }
        return Double(kept) * twoTo(power + excess)
    }

    /// A power of two in the range of normal doubles.
    private static func twoTo(_ power: Int) -> Double { Double(bitPattern: UInt64(power + 1023) << 52) }

    /// Takes a text apart: an optional sign, digits with an optional point among them, an optional exponent; or one of
    /// `nan`, `inf` and `infinity`, in capitals or not.
    private static func scan(_ text: RawSpan) -> Scan {
        var parts = Parts()
        var at = 0
        let count = text.byteCount
        if count > 0, text[0] == 0x2D || text[0] == 0x2B {
            parts.isNegative = text[0] == 0x2D
            at = 1
        }
        var digitCount = 0
        var significant = 0
        var isAfterPoint = false
        while at < count {
            let byte = text[at]
            let digit = byte &- 0x30
            if digit <= 9 {
                digitCount &+= 1
                if significant < 19 {
                    parts.digits = parts.digits &* 10 &+ UInt64(digit)
                    if parts.digits != 0 { significant &+= 1 }
                    if isAfterPoint { parts.exponent &-= 1 }
                } else {
                    if digit != 0 { parts.isExact = false }
                    if !isAfterPoint { parts.exponent &+= 1 }
                }
            } else if byte == 0x2E, !isAfterPoint {
                isAfterPoint = true
            } else {
                break
            }
            at &+= 1
        }
        guard digitCount > 0 else {
            guard !isAfterPoint else { return .none }
            let word = text.extracting(at..<count)
            if UTF8Text.isEqual(word, ignoringCase: "nan") { return .nan }
            if UTF8Text.isEqual(word, ignoringCase: "inf") || UTF8Text.isEqual(word, ignoringCase: "infinity") {
                return .infinity(isNegative: parts.isNegative)
            }
            return .none
        }
        guard at < count else { return .parts(parts) }
        guard text[at] | 0x20 == 0x65 else { return .none }
        at += 1
        var isMinus = false
        if at < count, text[at] == 0x2D || text[at] == 0x2B {
            isMinus = text[at] == 0x2D
            at += 1
        }
        guard at < count else { return .none }
        var exponent = 0
        while at < count {
            let digit = text[at] &- 0x30
            guard digit <= 9 else { return .none }
            if exponent < 1_000_000 { exponent = exponent * 10 + Int(digit) }
            at += 1
        }
        parts.exponent += isMinus ? -exponent : exponent
        return .parts(parts)
    }
}
