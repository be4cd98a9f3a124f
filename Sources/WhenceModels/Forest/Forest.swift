import CForest
import Synchronization
import WhenceCore

/// A forest of trees, packed for speed: immutable, shared by threads without locks.
///
/// Invariants, from `TreeBuilder`: every walk from a tree's root ends at a leaf within `depth` steps; every rule's column is below
/// `columnCount`, every table's and predicate's feature below `settings.featureCount`, every tree's output below `settings.outputs`.
/// The C code relies on them.
@safe final class Forest: @unchecked Sendable {
    let settings: ForestSettings
    let leafWidth: Int
    /// The tree with which each iteration begins, and the number of trees.
    let iterationStarts: [Int]
    /// How many splits look at each feature, and what they won (empty where the file does not say).
    let splitCounts: [Int]
    let gains: [Double]
    let columnCount: Int
    let depth: Int
    /// Splits and leaves as the file has them: a level of a symmetric tree has one split, whatever the walk makes of it.
    let nodeCount: Int
    /// The best instructions that this processor has.
    let path: Int32

    let nodes: PackedArray<cf_node>
    let nodeLeaves: PackedArray<UInt32>
    let splits: PackedArray<cf_split>
    let trees: PackedArray<cf_tree>
    let leafValues: PackedArray<Double>
    let leafFloats: PackedArray<Float>
    let leafNames: PackedArray<Int32>
    let thresholds: PackedArray<Double>
    let tables: PackedArray<cf_table>
    let columns: PackedArray<cf_column>
    let predicates: PackedArray<cf_predicate>
    let words: PackedArray<UInt32>
    /// Covers by node; empty where the file has none, and contributions cannot be told.
    let covers: PackedArray<Double>
    /// Linear leaves, by leaf; empty in a forest without.
    let linear: [TreeForm.Linear?]
    let plan = Mutex<ContributionPlan?>(nil)
    let spare = SparePool<ForestScratch>(max: 64)

    /// Takes what `builder` has packed; nothing is left in it.
    init(_ builder: inout TreeBuilder, iterationStarts: [Int]) {
        settings = builder.settings
        leafWidth = builder.leafWidth
        self.iterationStarts = iterationStarts
        splitCounts = builder.splitCounts
        gains = builder.hasGains ? builder.gains : []
        columnCount = builder.columns.columnCount
        path = cf_best_path()
        nodes = builder.nodes.finish()
        nodeLeaves = builder.nodeLeaves.finish()
        splits = builder.splits.finish()
        trees = builder.trees.finish()
        leafValues = builder.leafValues.finish()
        leafFloats = builder.leafFloats.finish()
        leafNames = builder.leafNames.finish()
        thresholds = .copy(of: builder.columns.thresholds)
        tables = .copy(of: builder.columns.tables)
        columns = .copy(of: builder.columns.columns)
        predicates = .copy(of: builder.columns.predicates)
        words = .copy(of: builder.columns.words)
        covers = builder.covers.finish()
        linear = builder.linear
        depth = builder.depth
        nodeCount = builder.nodeCount
    }

    var treeCount: Int { trees.count }
    var iterationCount: Int { iterationStarts.count - 1 }
    var leafCount: Int { leafNames.count }
    var hasCovers: Bool { covers.count == nodes.count }

    /// Bytes that the packed arrays take.
    var memoryBytes: Int {
        let walks = nodes.memoryBytes + nodeLeaves.memoryBytes + splits.memoryBytes + trees.memoryBytes
        let leaves = leafValues.memoryBytes + leafFloats.memoryBytes + leafNames.memoryBytes + covers.memoryBytes
        let rules =
            thresholds.memoryBytes + tables.memoryBytes + columns.memoryBytes + predicates.memoryBytes + words.memoryBytes
        return walks + leaves + rules + linear.reduce(0) { $0 + 40 + ($1?.features.count ?? 0) * 12 }
    }

    /// What the C code is given. Its pointers are valid while `self` is.
    var packed: cf_forest {
        let precision: Int
        switch settings.precision {
        case .double: precision = CF_DOUBLE
        case .float: precision = CF_FLOAT
        case .floatFeatures: precision = CF_FLOAT_FEATURES
        }
        return unsafe cf_forest(
            nodes: nodes.start, node_leaves: nodeLeaves.start, splits: splits.start, trees: trees.start, leaves: leafValues.start,
            leaves_float: leafFloats.start, thresholds: thresholds.start, tables: tables.start, columns: columns.start,
            predicates: predicates.start, words: words.start, tree_count: UInt32(trees.count), table_count: UInt32(tables.count),
            predicate_count: UInt32(predicates.count), column_count: UInt32(columnCount), precision: UInt32(precision),
            outputs: UInt32(settings.outputs), leaf_width: UInt32(leafWidth), features: UInt32(settings.featureCount),
            zeroes_tiny: settings.zeroesTiny ? 1 : 0)
    }
}
