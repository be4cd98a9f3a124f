import WhenceCore

/// What is worth knowing of a model before it is used.
extension Model {
    /// Steps from a root to the deepest leaf; 0 for a model without trees.
    public var depth: Int {
        switch body {
        case .forest(let forest): forest.depth
        case .linear, .terms: 0
        case .graph(let graph): graph.trees.reduce(0) { max($0, $1.depth) }
        }
    }

    /// Splits and leaves of all trees.
    public var nodeCount: Int {
        switch body {
        case .forest(let forest): forest.nodeCount
        case .linear, .terms: 0
        case .graph(let graph): graph.trees.reduce(0) { $0 + $1.nodeCount }
        }
    }

    /// What the file calls its booster, as `gbtree` or `symmetric trees`; empty where it has no name for it.
    public var booster: String { description.booster }

    /// What else the file says, as key and text, in order.
    public var notes: [(key: String, text: String)] { description.notes }

    /// What makes predictions of raw sums, as people say it.
    public var transformName: String {
        switch description.transform {
        case .identity: "none"
        case .sigmoid: "logistic"
        case .softmax, .catBoostSoftmax: "softmax"
        case .argmax: "the class of the greatest score"
        case .exponential, .catBoostExponential: "exponential"
        case .catBoostUncertainty: "mean and variance"
        case .logOnePlusExp: "log(1 + exp)"
        case .signedSquare: "signed square"
        case .step: "0 or 1"
        }
    }

    /// Whether output `index` of a prediction is a text, such as the label of a class.
    public func isText(output index: Int) -> Bool {
        index < description.outputTexts.count && !description.outputTexts[index].isEmpty
    }

    /// Whether output `index` of a prediction is always a whole number, such as the label of a class.
    public func isWhole(output index: Int) -> Bool {
        index < description.outputIsWhole.count && description.outputIsWhole[index]
    }

    /// The text that `value` stands for in output `index`; nil where it stands for none.
    public func text(output index: Int, _ value: Double) -> String? {
        guard isText(output: index), let code = Int(exactly: value), description.outputTexts[index].indices.contains(code) else {
            return nil
        }
        return description.outputTexts[index][code]
    }

    /// Names of the raw outputs: those of the predictions where there are as many.
    public var rawOutputNames: [String] {
        if rawOutputCount == outputCount { return outputNames }
        return (0..<rawOutputCount).map { "raw_\($0)" }
    }
}
