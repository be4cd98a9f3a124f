import CForest
import WhenceCore

/// Takes trees from a reader, checks each, and packs them: the one place where the structure of trees is checked.
///
/// What `add` refuses: children out of range, a split or leaf with two parents, cycles, splits and leaves that no path leads to, too
/// many levels, features out of range, thresholds and leaves that are NaN, arrays of unequal length, and whatever is beyond the limits.
/// After it, every walk ends, within the depth that the tree says.
///
/// A tree is packed when it is added, so that a reader never holds more than one as the file says it.
struct TreeBuilder: ~Copyable {
    private(set) var settings: ForestSettings
    let limits: ModelLimits
    /// Where errors are: the file.
    let source: String
    /// Whether `settle` will say how many features and outputs there are; `settings` have the most that there may be until then.
    let settlesLater: Bool

    var trees = PackedBuffer<cf_tree>()
    var nodes = PackedBuffer<cf_node>()
    var nodeLeaves = PackedBuffer<UInt32>()
    /// Until `finish` knows the columns, the rule of a split is its use of one.
    var splits = PackedBuffer<cf_split>()
    /// One of the two is filled, as the precision says.
    var leafValues = PackedBuffer<Double>()
    var leafFloats = PackedBuffer<Float>()
    var leafNames = PackedBuffer<Int32>()
    /// By node, as `nodes` counts them.
    var covers = PackedBuffer<Double>()
    var linear: [TreeForm.Linear?] = []
    var columns = ColumnPlan()
    /// By feature, as far as one was met.
    var splitCounts: [Int] = []
    var gains: [Double] = []
    var leafWidth = 0
    var hasCovers = true
    var hasGains = true
    /// For each split the number of its threshold among those of its feature.
    var thresholds = PackedBuffer<UInt32>()
    /// Steps of the deepest tree, and splits and leaves as the file has them.
    var depth = 0
    var nodeCount = 0
    /// Bytes that the packed trees take.
    var packedBytes = 0

    var order = TreeOrder()

    init(_ settings: ForestSettings, limits: ModelLimits, source: String, settlesLater: Bool = false) throws(WhenceError) {
        self.settings = settings
        self.settlesLater = settlesLater
        self.limits = limits
        self.source = source
        try checkSettings()
    }

    /// Makes room for trees whose number and size is known, so that nothing is moved while they are added. Their leaves have `width` values.
    mutating func reserve(trees: Int, splits: Int, leaves: Int, width: Int) {
        self.trees.reserve(trees)
        nodes.reserve(splits + leaves)
        nodeLeaves.reserve(splits + leaves)
        self.splits.reserve(splits)
        thresholds.reserve(splits)
        if settings.precision == .float { leafFloats.reserve(leaves * width) } else { leafValues.reserve(leaves * width) }
        leafNames.reserve(leaves)
    }

    private func checkSettings() throws(WhenceError) {
        guard settings.featureCount >= 0, settings.featureCount <= limits.features else {
            throw WhenceError(
                .limitExceeded, "the model has \(settings.featureCount) features; at most \(limits.features) can be read", place: source)
        }
        guard settings.outputs >= 1, settings.outputs <= limits.outputs else {
            throw WhenceError(
                .limitExceeded, "the model has \(settings.outputs) outputs; 1 to \(limits.outputs) can be read", place: source)
        }
    }

    /// Says what a file says only behind its trees. `outputs`: the output of each tree, where a leaf has one value. `weights`: what the leaves of each tree are
    /// multiplied with, in float; or empty. `place` says where a tree stands.
    mutating func settle(
        _ settings: ForestSettings, outputs: [Int32], weights: [Float], place: (Int) -> String
    ) throws(WhenceError) {
        precondition(settlesLater && settings.precision == .float && outputs.count == trees.count)
        self.settings = settings
        try checkSettings()
        func fault(_ tree: Int, _ message: String) -> WhenceError {
            WhenceError(
                .malformedInput, message, place: "\(source), \(place(tree))", hint: "the file is damaged; export it again")
        }
        for index in 0..<trees.count {
            let tree = trees[index]
            if splitCounts.count > settings.featureCount {
                for split in 0..<Int(tree.splits) {
                    let feature = columns.feature(of: splits[Int(tree.first_split) + split].rule)
                    guard feature < settings.featureCount else {
                        throw fault(index, "a split looks at feature \(feature), and there are \(settings.featureCount)")
                    }
                }
            }
            guard leafWidth == 1 else {
                guard leafWidth == settings.outputs else {
                    throw fault(index, "its leaves have \(leafWidth) values, and there are \(settings.outputs) outputs")
                }
                continue
            }
            guard outputs[index] >= 0, Int(outputs[index]) < settings.outputs else {
                throw fault(index, "it adds to output \(outputs[index]), and there are \(settings.outputs)")
            }
            trees[index].output = UInt32(outputs[index])
        }
        guard !weights.isEmpty else { return }
        for index in 0..<trees.count {
            let first = Int(trees[index].first_leaf) * leafWidth
            for leaf in first..<(first + Int(trees[index].leaves) * leafWidth) {
                leafFloats[leaf] *= weights[index]
                guard !leafFloats[leaf].isNaN else { throw fault(index, "the value of a leaf, times the tree's weight, is NaN") }
            }
        }
    }

    /// Says what finished sums are multiplied with, and what is added then where they begin with the first iteration, if a file says so only
    /// behind its trees: CatBoost's.
    mutating func settle(scale: Double, base: [Double]) {
        settings.scale = scale
        settings.base = base
        settings.baseIs = .last
        settings.baseIsOfFirstIteration = true
    }

    /// Keeps a set of categories, as words of a bitset with the lowest category first, and returns its index, which `isIn` rules
    /// have as their threshold. Equal sets are kept once.
    mutating func addCategories(_ words: [UInt32], place: @autoclosure () -> String) throws(WhenceError) -> Int {
        guard words.count <= (limits.category + 31) / 32, (columns.words.count + words.count) * 4 <= limits.categoryBytes else {
            throw WhenceError(
                .limitExceeded, "the sets of categories are larger than the limits allow", place: "\(source), \(place())",
                hint: "the file is damaged, or has categories above \(limits.category)")
        }
        guard packedBytes + (columns.words.count + words.count) * 4 <= limits.memoryBytes else {
            throw limits.memoryFault("\(source), \(place())")
        }
        return columns.addSet(words)
    }

    /// Checks `tree` and takes it. `place` says where it stands in the file, as `Tree=3`.
    mutating func add(_ tree: TreeForm, place: @autoclosure () -> String) throws(WhenceError) {
        try add(tree, splitsOfLevels: nil, place: place())
    }

    /// `splitsOfLevels`: for a symmetric tree, which was expanded, the splits that it has in the file.
    private mutating func add(
        _ tree: TreeForm, splitsOfLevels: Int?, place: @autoclosure () -> String
    ) throws(WhenceError) {
        do throws(TreeFault) {
            try check(tree)
            try order.make(tree, depthMax: limits.depth)
        } catch {
            throw WhenceError(
                error.isLimit ? .limitExceeded : .malformedInput, error.message, place: "\(source), \(place())",
                hint: error.isLimit ? "the model is larger than the limits, or the file is damaged" : "the file is damaged; export it again"
            )
        }
        depth = max(depth, order.depth)
        nodeCount += (splitsOfLevels ?? tree.splits.count) + tree.leafCount
        countSplits(tree, isSymmetric: splitsOfLevels != nil)
        pack(tree)
    }

    /// Counts the splits on each feature, for importances: all of `tree`, or of a symmetric one one a level.
    private mutating func countSplits(_ tree: TreeForm, isSymmetric: Bool) {
        var place = 0
        var step = 1
        while place < tree.splits.count {
            let feature = Int(tree.splits[place].feature)
            while splitCounts.count <= feature {
                splitCounts.append(0)
                gains.append(0)
            }
            splitCounts[feature] += 1
            if !tree.gains.isEmpty { gains[feature] += tree.gains[place] }
            // The first split of level l is number 2^l - 1.
            if isSymmetric {
                place += step
                step *= 2
            } else {
                place += 1
            }
        }
        if tree.gains.isEmpty { hasGains = hasGains && tree.splits.isEmpty }
    }

    /// Checks a symmetric tree and takes it: bit i of the leaf's number is set where split i does *not* send a row left. `leafValues`
    /// has 2^splits leaves of `leafWidth` values; the children of the splits are not looked at.
    mutating func addSymmetric(_ tree: TreeForm, place: @autoclosure () -> String) throws(WhenceError) {
        let depth = tree.splits.count
        guard depth <= 20, tree.leafValues.count == max(1, tree.leafWidth) << depth else {
            throw WhenceError(
                .malformedInput, "a symmetric tree of \(depth) splits has \(tree.leafValues.count) values", place: "\(source), \(place())",
                hint: "a tree of n splits, at most 20, has 2^n leaves")
        }
        // As any other tree: level l of it is split depth - 1 - l, so that leaves are numbered from left to right.
        var expanded = tree
        expanded.splits = []
        expanded.splits.reserveCapacity(1 << depth)
        for level in 0..<depth {
            for index in 0..<(1 << level) {
                var split = tree.splits[depth - 1 - level]
                let child = (1 << level) - 1 + index
                let isLast = level == depth - 1
                split.left = Int32(isLast ? ~(2 * index) : 2 * child + 1)
                split.right = Int32(isLast ? ~(2 * index + 1) : 2 * child + 2)
                expanded.splits.append(split)
            }
        }
        if tree.leafCovers.count == 1 << depth {
            // Children come behind their parents, so that sums are made from the end.
            expanded.splitCovers = Array(repeating: 0, count: expanded.splits.count)
            for index in expanded.splits.indices.reversed() {
                for child in [expanded.splits[index].left, expanded.splits[index].right] {
                    expanded.splitCovers[index] += child >= 0 ? expanded.splitCovers[Int(child)] : tree.leafCovers[Int(~child)]
                }
            }
        }
        expanded.gains = []
        try add(expanded, splitsOfLevels: depth, place: place())
        if depth > 0 { trees[trees.count - 1].kind = 2 }
    }
}
