/// The orders in which the splits and leaves of one tree are packed; and the proof that they make one tree.
struct TreeOrder {
    private struct Step {
        var child: Int32
        /// The split whose right child this is, by its place in `depthFirst`; -1 for a left child.
        var parent: Int32
        var depth: Int32
    }

    /// Splits, each before all below it, left before right.
    private(set) var depthFirst: [Int32] = []
    /// Leaves from left to right.
    private(set) var leaves: [Int32] = []
    /// By place in `depthFirst`: the first leaf below, and the first one in the right half.
    private(set) var low: [Int32] = []
    private(set) var high: [Int32] = []
    /// Where each split, and each leaf, stands in those orders; -1 before it was met.
    private(set) var splitPlace: [Int32] = []
    private(set) var leafPlace: [Int32] = []
    /// Splits (`c >= 0`) and leaves (`~c`) level by level, children next to each other.
    private(set) var breadthFirst: [Int32] = []
    /// The greatest number of steps to a leaf.
    private(set) var depth = 0

    private var stack: [Step] = []

    /// Walks the tree, without recursion and whatever it says.
    mutating func make(_ tree: TreeForm, depthMax: Int) throws(TreeFault) {
        let splits = tree.splits
        let leafCount = tree.leafCount
        depthFirst.removeAll(keepingCapacity: true)
        leaves.removeAll(keepingCapacity: true)
        low.removeAll(keepingCapacity: true)
        high.removeAll(keepingCapacity: true)
        breadthFirst.removeAll(keepingCapacity: true)
        stack.removeAll(keepingCapacity: true)
        reset(&splitPlace, splits.count)
        reset(&leafPlace, leafCount)
        depth = 0
        stack.append(Step(child: splits.isEmpty ? ~0 : 0, parent: -1, depth: 0))
        while let step = stack.popLast() {
            if step.parent >= 0 { high[Int(step.parent)] = Int32(leaves.count) }
            if step.child < 0 {
                let leaf = Int(~step.child)
                guard leaf < leafCount else { throw TreeFault(message: "a child is leaf \(leaf), and there are \(leafCount)") }
                guard leafPlace[leaf] < 0 else { throw TreeFault(message: "leaf \(leaf) has two parents") }
                leafPlace[leaf] = Int32(leaves.count)
                leaves.append(Int32(leaf))
                depth = max(depth, Int(step.depth))
                continue
            }
            let split = Int(step.child)
            guard split < splits.count else { throw TreeFault(message: "a child is split \(split), and there are \(splits.count)") }
            guard splitPlace[split] < 0 else { throw TreeFault(message: "split \(split) has two parents, or is below itself") }
            guard Int(step.depth) < depthMax else { throw TreeFault(message: "the tree is more than \(depthMax) deep", isLimit: true) }
            let place = Int32(depthFirst.count)
            splitPlace[split] = place
            depthFirst.append(Int32(split))
            low.append(Int32(leaves.count))
            high.append(0)
            stack.append(Step(child: splits[split].right, parent: place, depth: step.depth + 1))
            stack.append(Step(child: splits[split].left, parent: -1, depth: step.depth + 1))
        }
        guard depthFirst.count == splits.count, leaves.count == leafCount else {
            let lost =
                splitPlace.firstIndex(of: -1).map { "split \($0)" } ?? leafPlace.firstIndex(of: -1).map { "leaf \($0)" } ?? "a part of it"
            throw TreeFault(message: "no path leads from the root to \(lost)")
        }
        breadthFirst.append(splits.isEmpty ? ~0 : 0)
        var next = 0
        while next < breadthFirst.count {
            let node = breadthFirst[next]
            next += 1
            guard node >= 0 else { continue }
            breadthFirst.append(splits[Int(node)].left)
            breadthFirst.append(splits[Int(node)].right)
        }
    }

    private func reset(_ places: inout [Int32], _ count: Int) {
        places.removeAll(keepingCapacity: true)
        places.append(contentsOf: repeatElement(-1, count: count))
    }
}
