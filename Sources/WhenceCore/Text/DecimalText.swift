/// Numbers from decimal text, rounded correctly: the nearest binary value, ties to even.
///
/// Up to 19 digits are rounded by one product of 128 bits (M. Eisel's and D. Lemire's way: "Number Parsing at a Gigabyte per Second",
/// 2021; that it needs no way out is shown in N. Mushtak and D. Lemire, "Fast Number Parsing Without Fallback", 2022). Of longer
/// numbers the first 19 digits are taken, rounded down and up: where both give the same that is the answer, else the standard library's.
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
        /// Bytes that the number has; 0 where there is none.
        var byteCount = 0
    }

    private enum Scan { case parts(Parts), infinity(isNegative: Bool), nan, none }

    /// The binary formats that are rounded to.
    private enum Format {
        case float64, float32

        /// Bits of the fraction.
        var fractionBits: UInt64 { self == .float64 ? 52 : 23 }
        var bias: Int { self == .float64 ? 1023 : 127 }
        var infinitePower: Int { self == .float64 ? 2047 : 255 }
        /// Powers of ten with which a number of 64 bits can lie halfway between two of the format (Lemire, section 9.1).
        var halfways: ClosedRange<Int> { self == .float64 ? -4...23 : -17...10 }
    }

    /// The nearest double; `outOfRange` where that would be infinite.
    public static func float64(_ text: RawSpan) -> Outcome<Double> {
        switch scan(text) {
        case .none: return .notANumber
        case .nan: return .value(.nan)
        case .infinity(let isNegative): return .value(isNegative ? -.infinity : .infinity)
        case .parts(let parts):
            let magnitude: Double
            if let bits = bits(parts, .float64) {
                magnitude = Double(bitPattern: bits)
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
            if let bits = bits(parts, .float32) {
                magnitude = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            } else {
                guard let slow = Float(UTF8Text.string(text)) else { return .notANumber }
                magnitude = abs(slow)
            }
            guard magnitude.isFinite else { return .outOfRange }
            return .value(parts.isNegative ? -magnitude : magnitude)
        }
    }

    /// The nearest double to the number with which `text` begins, and the bytes that the number has; for readers of long arrays, which
    /// so look at each byte once. Nil where there is none, or one that has to go the long way: a word, more than 19 digits, no double.
    public static func float64(prefixOf text: RawSpan) -> (value: Double, byteCount: Int)? {
        let parts = number(text)
        guard parts.byteCount > 0, parts.isExact, let bits = bits(parts, .float64) else { return nil }
        let magnitude = Double(bitPattern: bits)
        guard magnitude.isFinite else { return nil }
        return (parts.isNegative ? -magnitude : magnitude, parts.byteCount)
    }

    /// The same for the nearest float.
    public static func float32(prefixOf text: RawSpan) -> (value: Float, byteCount: Int)? {
        let parts = number(text)
        guard parts.byteCount > 0, parts.isExact, let bits = bits(parts, .float32) else { return nil }
        let magnitude = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
        guard magnitude.isFinite else { return nil }
        return (parts.isNegative ? -magnitude : magnitude, parts.byteCount)
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

    // MARK: Rounding

    /// The bits of the nearest number of `format`, without the sign. Nil where the digits that `parts` lacks decide.
    @inline(__always)
    private static func bits(_ parts: Parts, _ format: Format) -> UInt64? {
        let low = nearest(parts.digits, parts.exponent, format)
        guard !parts.isExact else { return low }
        return low == nearest(parts.digits + 1, parts.exponent, format) ? low : nil
    }

    /// The bits of the number of `format` that is nearest to `digits * 10^exponent`.
    @inline(__always)
    private static func nearest(_ digits: UInt64, _ exponent: Int, _ format: Format) -> UInt64 {
        let infinity = UInt64(format.infinitePower) << format.fractionBits
        if digits == 0 || exponent < PowersOfFive.exponents.lowerBound { return 0 }
        if exponent > PowersOfFive.exponents.upperBound { return infinity }
        let shift = digits.leadingZeroBitCount
        let significand = digits << UInt64(shift)
        let five = PowersOfFive.significands[exponent - PowersOfFive.exponents.lowerBound]
        var (high, low) = significand.multipliedFullWidth(by: five.high)
        // Three bits more than the fraction has decide, unless all below them are ones: then the lower half of the power counts.
        let undecided = UInt64.max >> (format.fractionBits + 3)
        if high & undecided == undecided {
            let (sum, overflow) = low.addingReportingOverflow(significand.multipliedFullWidth(by: five.low).high)
            low = sum
            if overflow { high &+= 1 }
        }
        let top = high >> 63
        let spare = top &+ (61 - format.fractionBits)
        var fraction = high >> spare
        // floor(exponent * log2(10)) + 63, for all exponents that come here.
        var power = ((152_170 + 65_536) * exponent) >> 16 + 63 + Int(top) - shift + format.bias
        if power <= 0 {
            // Below the normal numbers, whose spacing does not shrink any more.
            guard power > -63 else { return 0 }
            fraction >>= UInt64(1 - power)
            fraction = (fraction + (fraction & 1)) >> 1
            // Rounded up to the least normal number, its bits are those of that number.
            return fraction
        }
        // Exactly halfway: to the even one, which is below.
        if low <= 1, format.halfways.contains(exponent), fraction & 3 == 1, fraction << spare == high { fraction &= ~1 }
        fraction = (fraction + (fraction & 1)) >> 1
        if fraction >= 2 << format.fractionBits {
            fraction = 1 << format.fractionBits
            power += 1
        }
        guard power < format.infinitePower else { return infinity }
        return UInt64(power) << format.fractionBits | fraction & ~(1 << format.fractionBits)
    }

    // MARK: Scanning

    /// Takes a text apart: a number, or one of `nan`, `inf` and `infinity`, in capitals or not.
    private static func scan(_ text: RawSpan) -> Scan {
        let parts = number(text)
        if parts.byteCount > 0 { return parts.byteCount == text.byteCount ? .parts(parts) : .none }
        let isSigned = text.byteCount > 0 && (text[0] == 0x2D || text[0] == 0x2B)
        let word = text.extracting((isSigned ? 1 : 0)..<text.byteCount)
        if UTF8Text.isEqual(word, ignoringCase: "nan") { return .nan }
        if UTF8Text.isEqual(word, ignoringCase: "inf") || UTF8Text.isEqual(word, ignoringCase: "infinity") {
            return .infinity(isNegative: text[0] == 0x2D)
        }
        return .none
    }

    /// Takes the number apart with which a text begins: an optional sign, digits with an optional point among them, an optional
    /// exponent.
    private static func number(_ text: RawSpan) -> Parts {
        var parts = Parts()
        var at = 0
        let count = text.byteCount
        if count > 0, text[0] == 0x2D || text[0] == 0x2B {
            parts.isNegative = text[0] == 0x2D
            at = 1
        }
        let start = at
        digits(text, &at, &parts.digits)
        var digitCount = at &- start
        if at < count, text[at] == 0x2E {
            at &+= 1
            let point = at
            digits(text, &at, &parts.digits)
            digitCount &+= at &- point
            parts.exponent = point &- at
        }
        guard digitCount > 0 else { return Parts() }
        if digitCount > 19 { cut(text, from: start, to: at, &parts) }
        guard at < count, text[at] | 0x20 == 0x65 else {
            parts.byteCount = at
            return parts
        }
        at &+= 1
        var isMinus = false
        if at < count, text[at] == 0x2D || text[at] == 0x2B {
            isMinus = text[at] == 0x2D
            at &+= 1
        }
        let first = at
        var exponent = 0
        while at < count, case let digit = text[at] &- 0x30, digit <= 9 {
            if exponent < 1_000_000 { exponent = exponent &* 10 &+ Int(digit) }
            at &+= 1
        }
        guard at > first else { return Parts() }
        parts.exponent &+= isMinus ? 0 &- exponent : exponent
        parts.byteCount = at
        return parts
    }

    /// Passes over digits and appends them to `value`, which wraps around where there are too many.
    @inline(__always)
    private static func digits(_ text: RawSpan, _ at: inout Int, _ value: inout UInt64) {
        // Eight at a time, added up in pairs, fours and eights within a word.
        while at &+ 8 <= text.byteCount {
            var word = UInt64(littleEndian: unsafe text.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
            let high: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
            guard word & high | ((word &+ 0x0606_0606_0606_0606) & high) >> 4 == 0x3333_3333_3333_3333 else { break }
            word &-= 0x3030_3030_3030_3030
            word = word &* 10 &+ word >> 8
            let pairs: UInt64 = 0x0000_00FF_0000_00FF
            word = ((word & pairs) &* (100 + 1_000_000 << 32) &+ ((word >> 16) & pairs) &* (1 + 10_000 << 32)) >> 32
            value = value &* 100_000_000 &+ word
            at &+= 8
        }
        while at < text.byteCount, case let digit = unsafe text.unsafeLoad(fromByteOffset: at, as: UInt8.self) &- 0x30, digit <= 9 {
            value = value &* 10 &+ UInt64(digit)
            at &+= 1
        }
    }

    /// Takes the digits between `start` and `end` again, the first 19 of them that count, where there may be more.
    private static func cut(_ text: RawSpan, from start: Int, to end: Int, _ parts: inout Parts) {
        parts.digits = 0
        parts.exponent = 0
        var significant = 0
        var isAfterPoint = false
        for at in start..<end {
            let digit = text[at] &- 0x30
            guard digit <= 9 else {
                isAfterPoint = true
                continue
            }
            if significant < 19 {
                parts.digits = parts.digits &* 10 &+ UInt64(digit)
                if parts.digits != 0 { significant &+= 1 }
                if isAfterPoint { parts.exponent &-= 1 }
            } else {
                if digit != 0 { parts.isExact = false }
                if !isAfterPoint { parts.exponent &+= 1 }
            }
        }
    }
}
