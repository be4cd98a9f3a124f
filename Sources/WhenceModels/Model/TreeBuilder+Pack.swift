import CForest
import WhenceCore

extension TreeBuilder {
    /// Checks what can be seen without walking the tree.
    func check(_ tree: TreeForm) throws(TreeFault) {
        let leafCount = tree.leafCount
        let splitCount = tree.splits.count
        guard trees.count < limits.trees else { throw TreeFault(message: "there are more than \(limits.trees) trees", isLimit: true) }
        let count = splitCount + leafCount
        guard count <= limits.nodesPerTree else {
            throw TreeFault(message: "the tree has more than \(limits.nodesPerTree) nodes", isLimit: true)
        }
        guard nodes.count + count <= limits.nodes else {
            throw TreeFault(message: "the model has more than \(limits.nodes) nodes", isLimit: true)
        }
        guard packedBytes + columns.words.count * 4 + bytes(of: tree) <= limits.memoryBytes else {
            throw TreeFault(message: "the model takes more than \(limits.memoryBytes) bytes of memory", isLimit: true)
        }
        guard tree.leafWidth == 1 || tree.leafWidth == settings.outputs || settlesLater,
            tree.leafValues.count == leafCount * tree.leafWidth,
            leafCount == splitCount + 1
        else {
            throw TreeFault(message: "\(splitCount) splits and \(tree.leafValues.count) values, \(tree.leafWidth) a leaf, make no tree")
        }
        guard trees.count == 0 || tree.leafWidth == leafWidth else {
            throw TreeFault(message: "its leaves have \(tree.leafWidth) values, those of the trees before it \(leafWidth)")
        }
        guard tree.output >= 0, tree.output < settings.outputs else {
            throw TreeFault(message: "it adds to output \(tree.output), and there are \(settings.outputs)")
        }
        func isDue(_ count: Int, _ due: Int) -> Bool { count == 0 || count == due }
        guard isDue(tree.leafNames.count, leafCount), isDue(tree.splitCovers.count, splitCount), isDue(tree.gains.count, splitCount),
            isDue(tree.leafCovers.count, leafCount), isDue(tree.linear.count, leafCount)
        else { throw TreeFault(message: "its arrays do not have one element for each split or leaf") }
        for value in tree.leafValues where value.isNaN { throw TreeFault(message: "the value of a leaf is NaN") }
        for index in tree.splits.indices {
            let split = tree.splits[index]
            guard split.feature >= 0, Int(split.feature) < settings.featureCount else {
                throw TreeFault(message: "split \(index) looks at feature \(split.feature), and there are \(settings.featureCount)")
            }
            guard !split.threshold.isNaN else { throw TreeFault(message: "the threshold of split \(index) is NaN") }
            if split.rule == .isIn || split.rule == .isInTruncated {
                guard let set = Int(exactly: split.threshold), columns.sets.indices.contains(set) else {
                    throw TreeFault(message: "split \(index) looks in a set of categories that is not there")
                }
            }
        }
        for linear in tree.linear {
            guard linear.features.count == linear.coefficients.count, !linear.constant.isNaN,
                linear.features.allSatisfy({ $0 >= 0 && Int($0) < settings.featureCount })
            else { throw TreeFault(message: "a linear leaf has features out of range, or as many coefficients as not") }
        }
    }

    /// Bytes that `tree` takes once it is packed, with its thresholds.
    private func bytes(of tree: TreeForm) -> Int {
        let leaves = tree.leafCount
        let splits = tree.splits.count
        let perNode =
            MemoryLayout<cf_node>.stride + MemoryLayout<UInt32>.stride + (tree.leafCovers.isEmpty ? 0 : MemoryLayout<Double>.stride)
        let perSplit = MemoryLayout<cf_split>.stride + MemoryLayout<Double>.stride
        let perValue = settings.precision == .float ? MemoryLayout<Float>.stride : MemoryLayout<Double>.stride
        let linear = tree.linear.reduce(0) { $0 + 40 + $1.features.count * 12 }
        return MemoryLayout<cf_tree>.stride + (leaves + splits) * perNode + splits * perSplit + tree.leafValues.count * perValue
            + leaves * MemoryLayout<Int32>.stride + linear
    }

    /// Appends a tree that `order` has walked.
    mutating func pack(_ tree: TreeForm) {
        let firstNode = nodes.count
        let firstLeaf = leafNames.count
        let leafCount = tree.leafCount
        let canMask = leafCount <= 256 && leafCount > 1
        packedBytes += bytes(of: tree)
        trees.append(
            cf_tree(
                first_node: UInt32(firstNode), first_split: UInt32(splits.count), first_leaf: UInt32(firstLeaf),
                leaves: UInt32(leafCount), depth: UInt32(order.depth), output: UInt32(tree.output), kind: canMask ? 0 : 1,
                splits: UInt32(tree.splits.count)))
        leafWidth = tree.leafWidth
        for place in order.depthFirst.indices {
            let split = tree.splits[Int(order.depthFirst[place])]
            let (use, threshold) = columns.use(split)
            thresholds.append(threshold)
            splits.append(
                cf_split(
                    rule: use, low: UInt8(truncatingIfNeeded: order.low[place]),
                    high: UInt8(truncatingIfNeeded: order.high[place]), unused: 0))
        }
        for leaf in order.leaves {
            for index in 0..<tree.leafWidth {
                let value = tree.leafValues[Int(leaf) * tree.leafWidth + index]
                if settings.precision == .float { leafFloats.append(Float(value)) } else { leafValues.append(value) }
            }
            leafNames.append(tree.leafNames.isEmpty ? leaf : tree.leafNames[Int(leaf)])
        }
        if !tree.linear.isEmpty || !linear.isEmpty {
            // Trees before the first linear one have plain leaves.
            while linear.count < firstLeaf { linear.append(nil) }
            for leaf in order.leaves { linear.append(tree.linear.isEmpty ? nil : tree.linear[Int(leaf)]) }
        }
        if tree.leafCovers.isEmpty || tree.splitCovers.count != tree.splits.count {
            hasCovers = false
            covers.removeAll()
        }
        var child: UInt32 = 1
        for place in order.breadthFirst.indices {
            let node = order.breadthFirst[place]
            if node >= 0 {
                // The split's number for now; `finish` knows the columns.
                nodes.append(cf_node(child: child, rule: UInt32(order.splitPlace[Int(node)])))
                nodeLeaves.append(0)
                child += 2
            } else {
                nodes.append(cf_node(child: UInt32(place), rule: 255))
                nodeLeaves.append(UInt32(order.leafPlace[Int(~node)]))
            }
            if hasCovers { covers.append(node >= 0 ? tree.splitCovers[Int(node)] : tree.leafCovers[Int(~node)]) }
        }
    }

    /// The forest of all trees that were added.
    mutating func finish() throws(WhenceError) -> Forest {
        if leafWidth == 0 { leafWidth = 1 }
        let starts: [Int]
        if settings.iterationStarts.isEmpty {
            let each = max(1, settings.treesPerIteration)
            guard trees.count % each == 0 else {
                throw WhenceError(
                    .malformedInput, "there are \(trees.count) trees, and \(each) in each iteration", place: source,
                    hint: "the file was cut short or edited; export it again")
            }
            starts = Array(stride(from: 0, through: trees.count, by: each))
        } else {
            starts = settings.iterationStarts
            guard starts.first == 0, starts.last == trees.count, zip(starts, starts.dropFirst()).allSatisfy({ $0 <= $1 }) else {
                throw WhenceError(
                    .malformedInput, "the iterations do not begin within the \(trees.count) trees, one behind the other", place: source)
            }
        }
        guard settings.base.isEmpty || settings.base.count == settings.outputs else {
            throw WhenceError(
                .malformedInput, "there are \(settings.base.count) constants for \(settings.outputs) outputs", place: source)
        }
        while splitCounts.count < settings.featureCount {
            splitCounts.append(0)
            gains.append(0)
        }
        columns.plan()
        for index in 0..<splits.count { splits[index].rule = columns.rule(splits[index].rule, threshold: thresholds[index]) }
        thresholds.removeAll()
        for index in 0..<trees.count {
            let tree = trees[index]
            let first = Int(tree.first_node)
            for node in first..<(first + Int(tree.leaves) + Int(tree.splits)) where Int(nodes[node].child) != node - first {
                nodes[node].rule = splits[Int(tree.first_split) + Int(nodes[node].rule)].rule
            }
        }
        return Forest(&self, iterationStarts: starts)
    }
}
