/// 5^q as the 128 bits from its highest one on: what rounding a decimal number needs of a power of ten, whose other factor is a power
/// of two.
///
/// They are what D. Lemire, "Number Parsing at a Gigabyte per Second" (2021), section 5, asks for: cut off, but for the reciprocals down
/// to 5^-27, which are rounded up.
enum PowersOfFive {
    /// Below it every number of 64 bits is 0 as a double; above it, infinite.
    static let exponents = -342...308
    static let significands: [(high: UInt64, low: UInt64)] = reciprocals() + powers()

    /// The 128 bits from the highest one on of a number in words, the lowest first.
    private static func top(_ words: [UInt64]) -> (high: UInt64, low: UInt64) {
        guard let last = words.lastIndex(where: { $0 != 0 }) else { return (0, 0) }
        func word(_ index: Int) -> UInt64 { index >= 0 ? words[index] : 0 }
        let shift = UInt64(words[last].leadingZeroBitCount)
        guard shift > 0 else { return (word(last), word(last - 1)) }
        return (word(last) << shift | word(last - 1) >> (64 - shift), word(last - 1) << shift | word(last - 2) >> (64 - shift))
    }

    /// 5^0 to 5^308, computed exactly.
    private static func powers() -> [(high: UInt64, low: UInt64)] {
        var words: [UInt64] = [1] + Array(repeating: 0, count: 11)
        return (0...exponents.upperBound).map { _ in
            defer {
                var carry: UInt64 = 0
                for index in words.indices {
                    let product = words[index].multipliedFullWidth(by: 5)
                    let (sum, overflow) = product.low.addingReportingOverflow(carry)
                    words[index] = sum
                    carry = product.high + (overflow ? 1 : 0)
                }
            }
            return top(words)
        }
    }

    /// 5^-342 to 5^-1. 2^1024 is divided by 5 again and again; what is cut off on the way changes no bit that is kept.
    private static func reciprocals() -> [(high: UInt64, low: UInt64)] {
        var words: [UInt64] = Array(repeating: 0, count: 16) + [1]
        let falling = (1 ... -exponents.lowerBound).map { power in
            var rest: UInt64 = 0
            for index in words.indices.reversed() { (words[index], rest) = UInt64(5).dividingFullWidth((rest, words[index])) }
            var (high, low) = top(words)
            if power <= 27 {
                low &+= 1
                if low == 0 { high += 1 }
            }
            return (high: high, low: low)
        }
        return falling.reversed()
    }
}
