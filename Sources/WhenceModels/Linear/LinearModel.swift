import WhenceCore

/// A linear model of JSON, ready to predict: immutable, shared without locks (`Formats/linear-model.md`).
struct LinearModel: Sendable {
    /// What one coefficient is multiplied with.
    struct Term: Sendable {
        /// The column of the row.
        var feature: Int
        /// The code of the text for which the term is 1; nil for a number.
        var equals: Double?
        var mean: Double
        var scale: Double
        /// What stands in for a missing number.
        var missing: Double

        @inline(__always)
        func value(_ x: Double) -> Double {
            if let equals { return x == equals ? 1 : 0 }
            return ((x.isNaN ? missing : x) - mean) / scale
        }
    }

    let featureCount: Int
    let terms: [Term]
    let intercepts: [Double]
    /// `coefficients[output * terms.count + term]`.
    let coefficients: [Double]

    var outputs: Int { intercepts.count }
    var memoryBytes: Int { terms.count * MemoryLayout<Term>.stride + (intercepts.count + coefficients.count) * 8 }

    /// The raw sums of `count` rows, `outputs` each.
    func predictRaw(_ rows: Span<Double>, rows count: Int, into sums: inout MutableSpan<Double>) {
        precondition(rows.count >= count * featureCount && sums.count >= count * outputs)
        for row in 0..<count {
            for output in 0..<outputs { sums[row * outputs + output] = intercepts[output] }
            for index in terms.indices {
                let value = terms[index].value(rows[row * featureCount + terms[index].feature])
                for output in 0..<outputs { sums[row * outputs + output] += coefficients[output * terms.count + index] * value }
            }
        }
    }

    /// What each feature adds to each raw sum, and the intercept behind them: `featureCount + 1` numbers an output. They add up to
    /// the raw sum but for rounding.
    func contributions(_ rows: Span<Double>, rows count: Int, into shares: inout MutableSpan<Double>) {
        let width = featureCount + 1
        precondition(rows.count >= count * featureCount && shares.count >= count * outputs * width)
        for row in 0..<count {
            for output in 0..<outputs {
                let start = (row * outputs + output) * width
                for index in 0..<featureCount { shares[start + index] = 0 }
                shares[start + featureCount] = intercepts[output]
                for index in terms.indices {
                    let feature = terms[index].feature
                    shares[start + feature] +=
                        coefficients[output * terms.count + index] * terms[index].value(rows[row * featureCount + feature])
                }
            }
        }
    }
}
