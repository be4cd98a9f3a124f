/// A linear function of the features for each output.
struct LinearScorer: Sendable {
    let features: Int
    let outputs: Int
    /// `weights[feature * outputs + output]`.
    let weights: [Double]
    /// One for each output.
    let bias: [Double]
    /// Added last.
    let base: [Double]
    /// Whether sums are made in float, as XGBoost's `gblinear` does; a missing feature then adds nothing.
    let isFloat: Bool

    init(features: Int, outputs: Int, weights: [Double], bias: [Double], base: [Double] = [], isFloat: Bool = false) {
        precondition(weights.count == features * outputs && bias.count == outputs && (base.isEmpty || base.count == outputs))
        self.features = features
        self.outputs = outputs
        self.weights = weights
        self.bias = bias
        self.base = base
        self.isFloat = isFloat
    }

    var memoryBytes: Int { (weights.count + bias.count + base.count) * 8 }
}
