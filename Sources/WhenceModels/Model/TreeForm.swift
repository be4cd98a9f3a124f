/// One tree as a reader of a file fills it, before it is checked and packed.
///
/// Splits and leaves are numbered apart, each from 0. A child `c >= 0` is the split `c`; a child `c < 0` is the leaf `~c`. The
/// root is split 0, or leaf 0 in a tree without splits. Nothing about the order of the numbers is assumed; that they make one
/// tree is checked by `TreeBuilder.add`, for all readers alike. Leaf numbers are what `leafIndices` answers (through
/// `leafNames`, where the library counts in another way).
///
/// How the libraries fit in:
/// - **LightGBM**: numerical rules are `lessOrEqual` in double, with the three kinds of `Missing`; categorical rules are `isInTruncated`.
/// - **XGBoost**: `less` in float; `Missing.nan`; categorical rules are `isIn` with the sides exchanged (a member goes right).
/// - **CatBoost**, symmetric: `TreeBuilder.addSymmetric`, whose bit i of the leaf is set when `x > border`; non-symmetric: one
///   split a node, `lessOrEqual` to the left, in float. `AsFalse` is NaN to the left, `AsTrue` NaN to the right, and `AsIs` NaN to the
///   left, since no comparison with NaN holds. One-hot is `equal`, with the sides exchanged.
/// - **ONNX**: the true branch is the left child. `BRANCH_LEQ` is `lessOrEqual`, `_LT` `less`, `_EQ` `equal`; `_GT` is
///   `lessOrEqual`, `_GTE` `less` and `_NEQ` `equal` with the children exchanged. `missing_value_tracks_true` says where NaN goes;
///   without it NaN goes where the rule does not hold (for `_NEQ`, where it does). Leaves with several targets have
///   `leafWidth > 1`. Aggregates other than SUM and AVERAGE do not fit.
struct TreeForm {
    enum Rule: UInt8, Sendable {
        /// Left when `x <= threshold`.
        case lessOrEqual
        /// Left when `x < threshold`.
        case less
        /// Left when `x == threshold`.
        case equal
        /// Left when the whole part of `x` is in the set of categories. What is negative, or beyond the set, is not in it.
        case isIn
        /// The same, but for what lies between -1 and 0, which is cut to 0 (as LightGBM has it).
        case isInTruncated
    }

    /// What is not looked at by the rule, and goes to the side that `defaultLeft` says.
    enum Missing: UInt8, Sendable {
        /// NaN.
        case nan
        /// Nothing; NaN is taken for 0 (for `isIn`: as no member).
        case none
        /// NaN, and numbers of a magnitude of at most 1e-35 (as LightGBM has it).
        case zero
    }

    struct Split: Sendable {
        var feature: Int32
        var left: Int32
        var right: Int32
        /// Not NaN; for `isIn` the index of the set, as `TreeBuilder.addCategories` returned it.
        var threshold: Double
        var rule: Rule
        var missing: Missing
        var defaultLeft: Bool

        init(
            feature: Int32, left: Int32, right: Int32, threshold: Double, rule: Rule, missing: Missing = .nan, defaultLeft: Bool = false
        ) {
            self.feature = feature
            self.left = left
            self.right = right
            self.threshold = threshold
            self.rule = rule
            self.missing = missing
            self.defaultLeft = defaultLeft
        }
    }

    /// A leaf that is a linear function of features: `constant + Σ coefficient * x`, in the order given. Where one of its features
    /// is NaN, the leaf's plain value stands instead.
    struct Linear: Sendable {
        var constant: Double
        var features: [Int32]
        var coefficients: [Double]
    }

    var splits: [Split] = []
    /// Values of the leaves, `leafWidth` each.
    var leafValues: [Double] = []
    /// One value a leaf, added to the tree's output; or, in an ensemble of several outputs, one for each of them.
    var leafWidth = 1
    /// The output that the tree adds to, where `leafWidth` is 1.
    var output = 0
    /// What the library calls its leaves, where that is not their numbers: XGBoost's are numbers of nodes.
    var leafNames: [Int32] = []
    /// Training rows (or sums of hessians) that came through each split and each leaf; for contributions. Empty where the file
    /// has none.
    var splitCovers: [Double] = []
    var leafCovers: [Double] = []
    /// What each split won; empty where the file has none.
    var gains: [Double] = []
    /// One for each leaf, in a linear tree; else empty.
    var linear: [Linear] = []

    var leafCount: Int { leafValues.count / max(1, leafWidth) }

    /// Empties the tree and keeps its memory, for the next one.
    mutating func reset() {
        splits.removeAll(keepingCapacity: true)
        leafValues.removeAll(keepingCapacity: true)
        leafWidth = 1
        output = 0
        leafNames.removeAll(keepingCapacity: true)
        splitCovers.removeAll(keepingCapacity: true)
        leafCovers.removeAll(keepingCapacity: true)
        gains.removeAll(keepingCapacity: true)
        linear.removeAll(keepingCapacity: true)
    }
}
