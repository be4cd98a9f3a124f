/// How the leaves of a forest are added up.
struct ForestSettings: Sendable {
    /// The numbers in which features are compared and leaves are added.
    enum Precision: Sendable {
        /// Features, thresholds and sums in double: LightGBM.
        case double
        /// Features cast to float (to the nearest), sums in float: XGBoost, ONNX of float features.
        case float
        /// Features cast to float, sums in double: CatBoost.
        case floatFeatures
    }

    /// Where the constant of each output comes in.
    enum Base: Sendable {
        /// Sums start from it.
        case first
        /// It is added to the finished sum, after the scale.
        case last
    }

    var featureCount: Int
    /// Numbers that a row's raw prediction has.
    var outputs: Int
    var precision: Precision = .double
    /// Trees of one iteration; iterations are what can be selected.
    var treesPerIteration = 1
    /// The tree with which each iteration begins, and the number of trees, where iterations differ in length.
    var iterationStarts: [Int] = []
    /// A constant for each output; empty stands for zeros.
    var base: [Double] = []
    var baseIs: Base = .first
    /// Whether the base belongs to the first iteration, so that sums of later ones alone are without it: CatBoost's.
    var baseIsOfFirstIteration = false
    /// What finished sums are multiplied with (in double): CatBoost's scale.
    var scale = 1.0
    /// Whether sums are divided by the number of iterations before they are transformed (raw sums are not): LightGBM's random forests.
    var averages = false
    /// Whether features of a magnitude of at most 1e-35 are taken for 0, as LightGBM does with every row.
    var zeroesTiny = false

    init(featureCount: Int, outputs: Int, precision: Precision = .double) {
        self.featureCount = featureCount
        self.outputs = outputs
        self.precision = precision
    }
}
