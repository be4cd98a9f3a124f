import WhenceCore

/// What LightGBM's objectives make of sums.
enum LightGBMObjective {
    /// A parameter as LightGBM's own `Atof` rounds it (`utils/common.h`): the whole part, and to it the fraction as a quotient, so that it
    /// may be next to the nearest double. What has an exponent is rounded to the nearest.
    private static func number(_ text: Substring) -> Double? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count <= 15, let whole = UInt32(parts[0]), let fraction = UInt64(parts[1]) else {
            return Double(text)
        }
        let divisor = parts[1].utf8.reduce(1.0) { power, _ in power * 10 }
        return Double(whole) + Double(fraction) / divisor
    }

    /// Reads the line `objective=`: a name and parameters, as `binary sigmoid:1`.
    static func transform(_ text: String, _ fault: (String, String) -> WhenceError) throws(WhenceError) -> OutputTransform {
        let words = text.split(separator: " ").map(String.init)
        guard let name = words.first else { return .identity }
        func parameter(_ key: String) throws(WhenceError) -> Double {
            guard let word = words.dropFirst().first(where: { $0.hasPrefix(key + ":") }) else { return 1 }
            guard let value = number(word.dropFirst(key.count + 1)), value.isFinite, value > 0 else {
                throw fault("'\(word)' is not a parameter that can stand here", "the file is damaged; export it again")
            }
            return value
        }
        switch name {
        case "binary", "multiclassova": return .sigmoid(scale: try parameter("sigmoid"))
        case "multiclass": return .softmax
        case "cross_entropy": return .sigmoid(scale: 1)
        case "cross_entropy_lambda": return .logOnePlusExp
        case "poisson", "gamma", "tweedie": return .exponential
        case "regression": return words.contains("sqrt") ? .signedSquare : .identity
        case "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg", "custom": return .identity
        default:
            throw fault(
                "the objective '\(name.prefix(80))' is not known",
                "remove the line 'objective=' if raw sums are what is wanted; docs/models.md lists the objectives")
        }
    }
}
