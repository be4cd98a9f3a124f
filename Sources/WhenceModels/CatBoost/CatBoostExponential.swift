import Foundation

/// The exponential function that CatBoost takes for softmax and for counts, to the bit: `fmath::expd_v` of S. Mitsunari's fmath, as
/// CatBoost builds it for x86 (`library/cpp/fast_exp`); it is off the true value by some units in the last place near 0, and by more
/// the greater the number. (On other processors CatBoost takes the C library's function, and answers differ from machine to machine.)
///
/// With `x = (n + f / 2048) ln 2 + r`, where f is a whole number from 0 to 2047, the answer is `2^n 2^(f / 2048) e^r`: from the
/// exponent's bits, a table, and a polynomial of third degree.
enum CatBoostExponential {
    private static let fractionBits = 11
    private static let stepsPerOctave = Double(1 << fractionBits)
    private static let perStep = stepsPerOctave / M_LN2
    private static let step = M_LN2 / stepsPerOctave
    /// Added to a small number, it leaves the nearest whole number in the lowest bits.
    private static let rounding = Double(3 << 51)
    /// fmath's coefficients of the polynomial.
    private static let second = 3.0000000027955394
    private static let third = 0.16666666685227835064
    private static let lowest = -708.39641853226408
    private static let highest = 709.78271289338397
    /// The fractions of 2^(f / 2048), as bits.
    private static let fractions: [UInt64] = (0..<(1 << fractionBits)).map {
        pow(2, Double($0) * (1 / stepsPerOctave)).bitPattern & (1 << 52 - 1)
    }

    /// Of one number: 0 below the range of normal doubles.
    static func of(_ x: Double) -> Double {
        if x <= lowest { return 0 }
        if x >= highest { return .infinity }
        return inside(x)
    }

    /// Of the numbers of a row, in place. CatBoost takes them four at a time, and those which are left over one by one: the former are
    /// kept in the range of normal doubles, so that they do not become 0.
    static func apply(_ row: inout MutableSpan<Double>) {
        let inFours = row.count & ~3
        for i in row.indices { row[i] = i < inFours ? inside(max(lowest, min(highest, row[i]))) : of(row[i]) }
    }

    private static func inside(_ x: Double) -> Double {
        // No product is fused with a sum: fmath's are not, either.
        let scaled = x * perStep + rounding
        let bits = scaled.bitPattern
        let rest = (scaled - rounding) * step - x
        let bias: UInt64 = 1 << UInt64(fractionBits + 10) - 1 << UInt64(fractionBits)
        let power = ((bits &+ bias) >> UInt64(fractionBits)) << 52
        let polynomial = (second - rest) * (rest * rest) * third - rest + 1
        return polynomial * Double(bitPattern: power | fractions[Int(bits & (1 << UInt64(fractionBits) - 1))])
    }
}
