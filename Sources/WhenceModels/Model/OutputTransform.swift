import Foundation

/// What makes predictions of raw sums: the link function of the model's objective.
///
/// In double each is what LightGBM and CatBoost compute, in float what XGBoost does, down to its clamps, so that the answers agree
/// within one unit in the last place of the library's type; CatBoost's softmax and exponential to the bit.
enum OutputTransform: Sendable, Equatable {
    case identity
    /// `1 / (1 + exp(-scale * x))` for each output.
    case sigmoid(scale: Double)
    /// Softmax over the outputs.
    case softmax
    /// The same, and `exponential`, with the exponential function that CatBoost takes there.
    case catBoostSoftmax
    case catBoostExponential
    /// A mean and a variance: the second number is `catBoostExponential` of twice itself.
    case catBoostUncertainty
    /// The number of the greatest output (the first of them), one number a row.
    case argmax
    case exponential
    /// `log1p(exp(x))`.
    case logOnePlusExp
    /// `sign(x) * x * x`.
    case signedSquare
    /// 1 where `x > 0`, else 0.
    case step

    /// Numbers that a row has after it, from `outputs` before.
    func outputs(of outputs: Int) -> Int { self == .argmax ? 1 : outputs }

    /// Transforms one row in place, in double. Of `argmax` only the first number has meaning.
    func apply(_ row: inout MutableSpan<Double>) {
        switch self {
        case .identity: return
        case .sigmoid(let scale): for i in row.indices { row[i] = 1 / (1 + exp(-scale * row[i])) }
        case .exponential: for i in row.indices { row[i] = exp(row[i]) }
        case .catBoostExponential: for i in row.indices { row[i] = CatBoostExponential.of(row[i]) }
        case .catBoostUncertainty: for i in row.indices where i % 2 == 1 { row[i] = CatBoostExponential.of(2 * row[i]) }
        case .logOnePlusExp: for i in row.indices { row[i] = log1p(exp(row[i])) }
        case .signedSquare: for i in row.indices { row[i] = row[i] < 0 ? -(row[i] * row[i]) : row[i] * row[i] }
        case .step: for i in row.indices { row[i] = row[i] > 0 ? 1 : 0 }
        case .argmax: row[0] = Double(OutputTransform.greatest(row))
        case .softmax, .catBoostSoftmax:
            var greatest = row[0]
            for i in row.indices { greatest = max(greatest, row[i]) }
            for i in row.indices { row[i] -= greatest }
            if self == .catBoostSoftmax {
                CatBoostExponential.apply(&row)
            } else {
                for i in row.indices { row[i] = exp(row[i]) }
            }
            var sum = 0.0
            for i in row.indices { sum += row[i] }
            for i in row.indices { row[i] /= sum }
        }
    }

    /// Transforms one row in place as XGBoost does it in float.
    func applyFloat(_ row: inout MutableSpan<Double>) {
        switch self {
        case .identity, .signedSquare, .logOnePlusExp, .catBoostSoftmax, .catBoostExponential, .catBoostUncertainty: return
        case .sigmoid:
            for i in row.indices {
                // exp of more than 88.7 is infinite in float.
                let denominator = expf(min(-Float(row[i]), 88.7)) + 1 + 1e-16
                row[i] = Double(1 / denominator)
            }
        case .exponential: for i in row.indices { row[i] = Double(expf(Float(row[i]))) }
        case .step: for i in row.indices { row[i] = row[i] > 0 ? 1 : 0 }
        case .argmax: row[0] = Double(OutputTransform.greatest(row))
        case .softmax:
            var greatest = Float(row[0])
            for i in row.indices { greatest = max(greatest, Float(row[i])) }
            var sum = 0.0
            for i in row.indices {
                let value = expf(Float(row[i]) - greatest)
                sum += Double(value)
                row[i] = Double(value)
            }
            for i in row.indices { row[i] = Double(Float(row[i]) / Float(sum)) }
        }
    }

    private static func greatest(_ row: borrowing MutableSpan<Double>) -> Int {
        var best = 0
        for i in row.indices where row[i] > row[best] { best = i }
        return best
    }
}
