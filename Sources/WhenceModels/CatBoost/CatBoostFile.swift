import WhenceCore

/// A model of CatBoost as its JSON file says it, without the trees that were packed as they were read.
struct CatBoostFile {
    /// Splits of a symmetric tree: CatBoost's own limit.
    static let depthMax = 16

    struct FloatFeature {
        var name = ""
        /// Its place among all features.
        var place = -1
        /// Whether a missing value counts as greater than every border; otherwise as greater than none.
        var missingIsGreater = false
    }

    struct CategoryFeature {
        var name = ""
        var place = -1
    }

    /// A question that a tree asks. The features are numbered among those of their own kind.
    enum Split: Hashable {
        case above(feature: Int, border: Float)
        case isCategory(feature: Int, hash: Int32)
    }

    /// Bit i of the index of a leaf is the answer to split i.
    struct SymmetricTree {
        var splits: [Split] = []
        /// Leaf after leaf, each with a value for every dimension.
        var values: [Double] = []
        /// Training rows (or their weights) of each leaf, or empty.
        var weights: [Double] = []

        /// Values of a leaf.
        var outputs: Int { values.count >> splits.count }
    }

    /// A node of a tree that is not symmetric; leaves have no split.
    struct Node {
        var split: Split?
        /// Where to go when the answer is no, and when it is yes; both stand behind this node.
        var no = -1
        var yes = -1
        var values: [Double] = []
        /// Training rows of a leaf, where the file says so.
        var weight: Double?
    }

    var floats: [FloatFeature] = []
    var categories: [CategoryFeature] = []
    /// Trees that stand in front of the features, by which they would be packed; CatBoost writes none there.
    var symmetric: [SymmetricTree] = []
    /// Each tree's nodes, the root first.
    var asymmetric: [[Node]] = []
    /// Whether there are trees of the kind, here or packed.
    var hasSymmetric = false
    var hasAsymmetric = false
    var scale = 1.0
    var bias: [Double] = []
    var loss = ""
    var classNames: [String] = []
}
