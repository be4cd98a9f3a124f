import WhenceCore

extension Model {
    /// What each feature adds to each raw output of each row: `featureCount + 1` numbers an output, the last of them the bias
    /// (what the model says without knowing any feature). They add up to the raw prediction, but for rounding.
    ///
    /// - Parameter iterations: which iterations to explain; nil for those that the library's own `predict` uses.
    /// - Throws: `invalidArgument` for a model that has none; see `hasContributions`.
    public func contributions(_ features: [Double], rows: Int, iterations: Range<Int>? = nil) throws(WhenceError) -> [Double] {
        let range = try self.iterations(iterations)
        guard rows >= 0, features.count == rows * featureCount else {
            throw WhenceError(
                .invalidArgument, "\(rows) rows of \(featureCount) features are \(rows * featureCount) numbers, and there are \(features.count)")
        }
        var shares = Array(repeating: 0.0, count: rows * rawOutputCount * (featureCount + 1))
        switch body {
        case .terms(let linear):
            var span = shares.mutableSpan
            linear.contributions(features.span, rows: rows, into: &span)
        case .forest, .linear, .graph:
            _ = range
            throw WhenceError(.invalidArgument, "this model has no contributions")
        }
        return shares
    }
}
