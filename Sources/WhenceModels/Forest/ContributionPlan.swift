import CForest

/// What contributions need of a forest beside its walks, made when they are first asked for.
final class ContributionPlan: Sendable {
    /// Steps of each tree, one behind the other; a tree has as many as it has nodes.
    let steps: PackedArray<cf_step>
    /// For each tree, which quadrature it needs.
    let quadratureOf: [Int]
    /// Points and weights by that, padded to whole groups.
    let quadratures: [(groups: Int, points: PackedArray<Double>, weights: PackedArray<Double>)]
    /// What a row is expected to get from each tree: for each value of a leaf, one behind the other.
    let expected: [Double]
    /// Leaves in double: the first value of every leaf of the forest, then the second, and so on, so that a walk finds the values of one output
    /// as in a forest that has only them.
    let leaves: PackedArray<Double>
    let stepsMax: Int
    let spare = SparePool<ContributionScratch>(max: 64)

    init(_ forest: Forest) {
        var steps: [cf_step] = []
        steps.reserveCapacity(forest.nodes.count)
        var quadratureOf: [Int] = []
        var expected: [Double] = []
        let (count, width) = (forest.leafCount, forest.leafWidth)
        let isFloat = forest.settings.precision == .float
        let leaves = (0..<(count * width)).map { index in
            let place = index % count * width + index / count
            return isFloat ? Double(forest.leafFloats[place]) : forest.leafValues[place]
        }
        // The feature of each column.
        var featureOf = Array(repeating: UInt32(0), count: forest.columnCount)
        for index in 0..<forest.tables.count {
            let table = forest.tables[index]
            for column in table.first_column..<(table.first_column + table.columns) { featureOf[Int(column)] = table.feature }
        }
        for index in 0..<forest.predicates.count { featureOf[Int(forest.predicates[index].column)] = forest.predicates[index].feature }
        var groupsMax = 0
        for tree in 0..<forest.treeCount {
            let (groups, means) = ContributionPlan.append(tree, forest, featureOf, leaves, &steps)
            quadratureOf.append(groups - 1)
            groupsMax = max(groupsMax, groups)
            expected.append(contentsOf: means)
        }
        var quadratures: [(groups: Int, points: PackedArray<Double>, weights: PackedArray<Double>)] = []
        let needed = Set(quadratureOf)
        for groups in 1...max(1, groupsMax) {
            // A quadrature that no tree needs is not computed.
            let (points, weights) =
                needed.contains(groups - 1) ? Quadrature.gaussLegendre(groups * Int(CF_LANES)) : (points: [], weights: [])
            quadratures.append((groups, PackedArray.copy(of: points), PackedArray.copy(of: weights)))
        }
        self.steps = PackedArray.copy(of: steps)
        self.quadratureOf = quadratureOf
        self.quadratures = quadratures
        self.expected = expected
        self.leaves = PackedArray.copy(of: leaves)
        stepsMax = (0..<forest.treeCount).reduce(1) { max($0, Int(forest.trees[$1].leaves + forest.trees[$1].splits)) }
    }

    /// Appends the steps of one tree; returns how many groups of points it needs, and the means of its leaves.
    private static func append(
        _ tree: Int, _ forest: Forest, _ featureOf: [UInt32], _ leaves: [Double], _ steps: inout [cf_step]
    ) -> (groups: Int, means: [Double]) {
        let record = forest.trees[tree]
        let firstNode = Int(record.first_node)
        let first = steps.count
        var uniqueMax = 0
        var means = Array(repeating: 0.0, count: forest.leafWidth)
        let total = forest.covers[firstNode]
        // A node, its place's parent, how many different features lead to it.
        var stack: [(node: Int, parent: Int, isRight: Bool, unique: Int)] = [(0, 0, false, 0)]
        // The node at each place.
        var nodesOf: [Int] = []
        while let (node, parent, isRight, unique) = stack.popLast() {
            let place = steps.count - first
            let packed = forest.nodes[firstNode + node]
            let isLeaf = Int(packed.child) == node
            var step = cf_step(
                share: 1, parent: UInt32(parent), same: 0, rule: 0, feature: 0, is_right: isRight ? 1 : 0,
                leaf: isLeaf ? forest.nodeLeaves[firstNode + node] : .max)
            var unique = unique
            if place > 0 {
                let above = nodesOf[parent]
                let split = forest.nodes[firstNode + above]
                let cover = forest.covers[firstNode + above]
                step.rule = split.rule
                step.feature = featureOf[Int(split.rule >> 8)]
                step.share = cover > 0 ? forest.covers[firstNode + node] / cover : 0
                var ancestor = parent
                while ancestor > 0, steps[first + ancestor].feature != step.feature { ancestor = Int(steps[first + ancestor].parent) }
                step.same = UInt32(ancestor)
                if ancestor > 0 { step.share *= steps[first + ancestor].share } else { unique += 1 }
            }
            steps.append(step)
            nodesOf.append(node)
            if isLeaf {
                uniqueMax = max(uniqueMax, unique)
                for index in means.indices {
                    let value = leaves[index * forest.leafCount + Int(record.first_leaf) + Int(step.leaf)]
                    means[index] += total > 0 ? forest.covers[firstNode + node] / total * value : value / Double(record.leaves)
                }
            } else {
                stack.append((Int(packed.child) + 1, place, true, unique))
                stack.append((Int(packed.child), place, false, unique))
            }
        }
        let points = max(1, (uniqueMax + 1) / 2)
        return ((points + Int(CF_LANES) - 1) / Int(CF_LANES), means)
    }
}
