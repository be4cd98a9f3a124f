extension LinearScorer {
    /// The raw sums of `rows` rows, `outputs` each, terms in the order of the features.
    func predictRaw(_ rows: Span<Double>, rows count: Int, into sums: inout MutableSpan<Double>) {
        precondition(rows.count >= count * features && sums.count >= count * outputs)
        for row in 0..<count {
            for output in 0..<outputs {
                var sum = bias[output]
                if isFloat, !base.isEmpty { sum = Double(Float(sum) + Float(base[output])) }
                for feature in 0..<features {
                    let value = rows[row * features + feature]
                    let weight = weights[feature * outputs + output]
                    if isFloat {
                        if !value.isNaN { sum = Double(Float(sum) + Float(value) * Float(weight)) }
                    } else {
                        sum += value * weight
                    }
                }
                if !isFloat, !base.isEmpty { sum += base[output] }
                sums[row * outputs + output] = sum
            }
        }
    }

    /// What each feature adds to each output, and behind it the constant: `outputs * (features + 1)` numbers a row.
    func contributions(_ rows: Span<Double>, rows count: Int, into answers: inout MutableSpan<Double>) {
        let width = features + 1
        precondition(rows.count >= count * features && answers.count >= count * outputs * width)
        for row in 0..<count {
            for output in 0..<outputs {
                let start = (row * outputs + output) * width
                for feature in 0..<features {
                    let value = rows[row * features + feature]
                    let term = value * weights[feature * outputs + output]
                    answers[start + feature] = isFloat && value.isNaN ? 0 : term
                }
                answers[start + features] = bias[output] + (base.isEmpty ? 0 : base[output])
            }
        }
    }
}
