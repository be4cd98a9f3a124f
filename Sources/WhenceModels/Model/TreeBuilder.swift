import CForest
import WhenceCore

/// Takes trees from a reader, checks each, and packs them: the one place where the structure of trees is checked.
///
/// What `add` refuses: children out of range, a split or leaf with two parents, cycles, splits and leaves that no path leads to, too
/// many levels, features out of range, thresholds and leaves that are NaN, arrays of unequal length, and whatever is beyond the limits.
/// After it, every walk ends, within the depth that the tree says.
struct TreeBuilder {
    let settings: ForestSettings
    let limits: ModelLimits
    /// Where errors are: the file.
    let source: String

    var trees: [cf_tree] = []
    var nodes: [cf_node] = []
    var nodeLeaves: [UInt32] = []
    var splits: [cf_split] = []
    var leafValues: [Double] = []
    var leafNames: [Int32] = []
    /// By node, as `nodes` counts them.
    var covers: [Double] = []
    var linear: [TreeForm.Linear?] = []
    var columns = ColumnPlan()
    var splitCounts: [Int]
    var gains: [Double]
    var leafWidth = 0
    var hasCovers = true
    var hasGains = true
    /// For each split, in the order in which `add` numbers them: its use of a column, and its threshold.
    var uses: [UInt32] = []
    var thresholds: [Double] = []

    var order = TreeOrder()

    init(_ settings: ForestSettings, limits: ModelLimits, source: String) throws(WhenceError) {
        self.settings = settings
        self.limits = limits
        self.source = source
        guard settings.featureCount >= 0, settings.featureCount <= limits.features else {
            throw WhenceError(
                .limitExceeded, "the model has \(settings.featureCount) features; at most \(limits.features) can be read", place: source)
        }
        guard settings.outputs >= 1, settings.outputs <= limits.outputs else {
            throw WhenceError(
                .limitExceeded, "the model has \(settings.outputs) outputs; 1 to \(limits.outputs) can be read", place: source)
        }
        splitCounts = Array(repeating: 0, count: settings.featureCount)
        gains = Array(repeating: 0, count: settings.featureCount)
        columns = ColumnPlan(featureCount: settings.featureCount)
    }

    /// Keeps a set of categories, as words of a bitset with the lowest category first, and returns its index, which `isIn` rules
    /// have as their threshold. Equal sets are kept once.
    mutating func addCategories(_ words: [UInt32], place: @autoclosure () -> String) throws(WhenceError) -> Int {
        guard words.count <= (limits.category + 31) / 32, (columns.words.count + words.count) * 4 <= limits.categoryBytes else {
            throw WhenceError(
                .limitExceeded, "the sets of categories are larger than the limits allow", place: "\(source), \(place())",
                hint: "the file is damaged, or has categories above \(limits.category)")
        }
        return columns.addSet(words)
    }

    /// Checks `tree` and takes it. `place` says where it stands in the file, as `Tree=3`.
    mutating func add(_ tree: TreeForm, place: @autoclosure () -> String) throws(WhenceError) {
        do throws(TreeFault) {
            try check(tree)
            try order.make(tree, depthMax: limits.depth)
        } catch {
            throw WhenceError(
                error.isLimit ? .limitExceeded : .malformedInput, error.message, place: "\(source), \(place())",
                hint: error.isLimit ? "the model is larger than the limits, or the file is damaged" : "the file is damaged; export it again"
            )
        }
        pack(tree)
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
        try add(expanded, place: place())
        if depth > 0, let last = trees.indices.last { trees[last].kind = 2 }
    }
}
