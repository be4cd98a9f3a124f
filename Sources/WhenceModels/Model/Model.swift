import WhenceCore

/// A model that was trained elsewhere, ready to predict: immutable, shared by threads without locks.
///
/// Rows of features are doubles, `features.count` a row in the model's order, one row behind the other; NaN is missing.
public final class Model: Sendable {
    /// What predicts.
    enum Body: Sendable {
        case forest(Forest)
        /// XGBoost's `gblinear`.
        case linear(LinearScorer)
        /// A linear model in JSON.
        case terms(LinearModel)
        /// A graph of ONNX; its raw and its transformed outputs are the same.
        case graph(ONNXGraph)
    }

    /// What a reader knows about a model beside its body.
    struct Description: Sendable {
        var format: ModelFormat
        /// The library and what it says of its version, as `LightGBM v4`.
        var library = ""
        /// As the file has it, as `binary sigmoid:1`.
        var objective = ""
        /// What the file calls its booster, as `gbtree`, `dart`, `rf`, `gblinear`; empty where it has no name for it.
        var booster = ""
        var features: [ModelFeature] = []
        /// How texts become numbers, for a model that has features of the kind `text`.
        var textCodes: TextCodes = .none
        /// Names of the transformed outputs, such as classes; or empty, and they are numbered.
        var outputNames: [String] = []
        /// For each output that is a text: the texts that its numbers stand for; else empty.
        var outputTexts: [[String]] = []
        /// For each output whether it is always a whole number, as the label of a class; or empty, for none.
        var outputIsWhole: [Bool] = []
        var transform: OutputTransform = .identity
        /// Whether outputs are transformed in float.
        var transformsInFloat = false
        /// Iterations up to the best one, where the file says which it is.
        var bestIterations: Int?
        /// Iterations that `predict` uses unless told otherwise; nil for all.
        var defaultIterations: Int?
        /// What else is worth saying, as key and text, in order.
        var notes: [(key: String, text: String)] = []
    }

    let body: Body
    let description: Description
    let spare = SparePool<RawBlock>(max: 64)

    init(_ body: Body, _ description: Description) {
        self.body = body
        self.description = description
    }

    public var format: ModelFormat { description.format }
    public var library: String { description.library }
    public var objective: String { description.objective }
    public var features: [ModelFeature] { description.features }
    public var featureCount: Int { description.features.count }

    /// Numbers of one row's raw prediction.
    public var rawOutputCount: Int {
        switch body {
        case .forest(let forest): forest.settings.outputs
        case .linear(let linear): linear.outputs
        case .terms(let linear): linear.outputs
        case .graph(let graph): graph.outputCount
        }
    }

    /// Numbers of one row's transformed prediction.
    public var outputCount: Int { description.transform.outputs(of: rawOutputCount) }

    /// Their names: classes where the model knows them, else numbered.
    public var outputNames: [String] {
        if description.outputNames.count == outputCount { return description.outputNames }
        return outputCount == 1 ? ["prediction"] : (0..<outputCount).map { "prediction_\($0)" }
    }

    /// Iterations (rounds of boosting) in the file; 0 for a model that has none.
    public var iterationCount: Int {
        if case .forest(let forest) = body { forest.iterationCount } else { 0 }
    }

    /// Iterations up to the best one, where the file says which it is.
    public var bestIterations: Int? { description.bestIterations }

    public var treeCount: Int {
        switch body {
        case .forest(let forest): forest.treeCount
        case .linear, .terms: 0
        case .graph(let graph): graph.trees.reduce(0) { $0 + $1.treeCount }
        }
    }

    /// Bytes of memory that the model takes.
    public var memoryBytes: Int {
        switch body {
        case .forest(let forest): forest.memoryBytes
        case .linear(let linear): linear.memoryBytes
        case .terms(let linear): linear.memoryBytes
        case .graph(let graph): graph.memoryBytes
        }
    }

    /// Whether `contributions` are there: only for forests whose file says how many rows came through each node, and for linear models.
    public var hasContributions: Bool { contributionsLack == nil }

    /// Why there are no `contributions`, as a clause; nil where there are.
    public var contributionsLack: String? {
        switch body {
        case .forest(let forest):
            if !forest.linear.isEmpty { return "its leaves are linear functions" }
            return forest.hasCovers ? nil : "its file does not say for every tree how many training rows came to each leaf"
        case .linear, .terms: return nil
        case .graph: return "a graph of ONNX does not say how many training rows came to each leaf"
        }
    }
}
