import WhenceCore

/// Ensembles of trees: both forms of `ai.onnx.ml`. What a classifier makes of its sums follows onnxruntime to the letter,
/// also where the specification says nothing (`tree_ensemble_aggregator.h`; confirmed against version 1.32).
extension GraphPlanner {
    private static let modes: [String: GraphTrees.Mode] = [
        "BRANCH_LEQ": .lessOrEqual, "BRANCH_LT": .less, "BRANCH_GTE": .greaterOrEqual, "BRANCH_GT": .greater, "BRANCH_EQ": .equal,
        "BRANCH_NEQ": .notEqual, "LEAF": .leaf,
    ]

    private mutating func ints(_ name: String, count: Int? = nil) throws(WhenceError) -> WholeNumbers {
        let numbers = attribute(name)?.ints ?? WholeNumbers()
        guard count == nil || numbers.count == count else {
            throw fault("its attribute '\(name)' has \(numbers.count) elements, where \(count ?? 0) are due", code: .malformedInput)
        }
        return numbers
    }

    /// Floats, or doubles in the attribute of the same name with `_as_tensor`.
    private mutating func numbers(_ name: String, count: Int? = nil) throws(WhenceError) -> Reals {
        let floats = attribute(name)?.floats ?? []
        let doubles = attribute(name + "_as_tensor")?.tensor?.numbers ?? []
        guard floats.isEmpty || doubles.isEmpty else {
            throw fault("it has '\(name)' twice, as floats and as a tensor", code: .malformedInput)
        }
        let numbers = Reals(floats: floats, doubles: doubles)
        guard count == nil || numbers.count == count else {
            throw fault("its attribute '\(name)' has \(numbers.count) elements, where \(count ?? 0) are due", code: .malformedInput)
        }
        return numbers
    }

    mutating func planTreeEnsemble() throws(WhenceError) {
        let isClassifier = node.op == "TreeEnsembleClassifier"
        let (value, place, width) = try features()
        let transform = try postTransform()
        let base = Array(try numbers("base_values"))
        let aggregate = isClassifier ? GraphTrees.Aggregate.sum : try aggregate(text("aggregate_function", "SUM"))
        guard isClassifier else {
            let targets = int("n_targets", 1)
            guard (1...100_000).contains(targets) else { throw fault("it has \(targets) targets", code: .malformedInput) }
            let trees = try readTrees("target", targets, aggregate, value, width)
            return try finishRegressor(trees, from: place, width: width, transform, base, type: .float)
        }
        let labels = try classLabels("classlabels_int64s")
        let trees = try readTrees("class", labels.numbers.count, .sum, value, width)
        try finishClassifier(trees, labels, from: place, width: width, transform, base)
    }

    private func aggregate(_ name: String) throws(WhenceError) -> GraphTrees.Aggregate {
        guard let aggregate = GraphTrees.Aggregate(rawValue: name) else { throw fault("its aggregate_function '\(name)' is not known") }
        return aggregate
    }

    /// The scores of targets are the sums, with the base values where there are as many.
    private mutating func finishRegressor(
        _ trees: GraphTrees, from place: Int, width: Int, _ transform: GraphStep.PostTransform, _ base: [Double], type: ONNXFile.ElementType
    ) throws(WhenceError) {
        let targets = trees.targets
        guard base.isEmpty || base.count == targets || base.count == 1 else {
            throw fault("it has \(base.count) base values for \(targets) targets", code: .malformedInput)
        }
        let isExtreme = trees.aggregate == .min || trees.aggregate == .max
        if targets == 1 ? isExtreme : base.count == targets && transform != .none {
            try requireWeights(trees, of: 0..<targets)
        }
        let to = try output(type, [targets])
        add(.trees(trees, from: place, width: width, to: to))
        if base.count == targets { try addBase(base, to: to, GraphPlanner.rounding(type)) }
        if targets > 1 || transform == .probit { add(.transform(transform, at: to, width: targets)) }
    }

    /// A row that meets no weight for a target has no score there, and then base values, labels and transforms mean different things
    /// to different readers: such ensembles are refused where that can show.
    private func requireWeights(_ trees: GraphTrees, of targets: Range<Int>) throws(WhenceError) {
        guard let target = targets.first(where: { !trees.isSure[$0] }) else { return }
        throw fault(
            "in each of its trees some leaf has no weight for target \(target): a row may end without a score there, whose meaning is not defined",
            hint: "export it with a weight for every target in every leaf, 0 where there is none")
    }

    private mutating func addBase(_ base: [Double], to place: Int, _ rounding: Rounding) throws(WhenceError) {
        let own = GraphStep.Operand(place: place, width: base.count, isConstant: false)
        let constant = GraphStep.Operand(place: try addConstants(base), width: base.count, isConstant: true)
        add(.binary(.add, own, nil, constant, nil, to: place, width: base.count, rounding))
    }

    private mutating func finishClassifier(
        _ trees: GraphTrees, _ labels: (type: ONNXFile.ElementType, numbers: [Double], names: [String]), from place: Int, width: Int,
        _ transform: GraphStep.PostTransform, _ base: [Double]
    ) throws(WhenceError) {
        let count = labels.numbers.count
        let label = try output(labels.type, [])
        let to = try output(.float, [count], index: 1, labels: labels.names)
        let labelStart = try addConstants(labels.numbers)
        guard count <= 2 else {
            guard base.isEmpty || base.count == count else {
                throw fault("it has \(base.count) base values for \(count) classes", code: .malformedInput)
            }
            if base.isEmpty { try requireWeights(trees, of: 0..<count) }
            add(.trees(trees, from: place, width: width, to: to))
            if !base.isEmpty { try addBase(base, to: to, .float) }
            add(.label(from: to, width: count, labels: labelStart, to: label))
            add(.transform(transform, at: to, width: count))
            return
        }
        guard base.count <= 1 else {
            throw fault(
                "it has \(base.count) base values for a model of one or two classes, for which the operator has no sound meaning",
                hint: "export it with one base value, or fold the base values into the leaves")
        }
        if count == 2, trees.usedTargets.contains(1) {
            try requireWeights(trees, of: base.isEmpty || !trees.usedTargets.contains(0) ? 1..<2 : 0..<2)
        }
        // For one score of two classes, or none, these labels count; for two scores the numbers 1 and 0 do where labels are numbers.
        let isBinary = count == 2 && trees.usedTargets.count == 1
        let plain = isBinary || labels.type == .string ? labelStart : try addConstants([0, 1])
        let threshold = isBinary && trees.weightsAreAllPositive ? 0.5 : 0
        if count == 1 {
            guard labels.type != .string else { throw fault("it has a single class, and that a text, which is not supported") }
            add(.trees(trees, from: place, width: width, to: to))
            if !base.isEmpty { try addBase(base, to: to, .float) }
            add(.sideLabel(from: to, threshold: threshold, labels: plain, to: label))
            if transform == .probit { add(.transform(.probit, at: to, width: 1)) }
        } else if isBinary, trees.usedTargets == [0] {
            guard transform != .probit else { throw fault("it has the post_transform PROBIT with a single score, which is not supported") }
            let sums = try addRegion(2)
            let score = try addRegion(1)
            add(.trees(trees, from: place, width: width, to: sums))
            add(.pick(from: sums, indices: [0], width: 2, to: score))
            if !base.isEmpty { try addBase(base, to: score, .float) }
            add(.sideLabel(from: score, threshold: threshold, labels: plain, to: label))
            let rule: GraphStep.BinaryScores = transform == .logistic ? .logistic : trees.weightsAreAllPositive ? .complement : .mirror
            add(.bothClasses(rule, from: score, to: to))
        } else {
            add(.trees(trees, from: place, width: width, to: to))
            if let first = base.first, trees.usedTargets.contains(0) { try addBase([first, 0], to: to, .float) }
            let score = try addRegion(1)
            add(.pick(from: to, indices: [1], width: 2, to: score))
            add(.sideLabel(from: score, threshold: threshold, labels: plain, to: label))
            add(.transform(transform, at: to, width: 2))
        }
    }

    // MARK: Nodes in parallel arrays

    /// The nodes of version 1 to 3: parallel arrays, each node with the number of its tree and its own number in it.
    private mutating func readTrees(
        _ prefix: String, _ targets: Int, _ aggregate: GraphTrees.Aggregate, _ value: Value, _ width: Int
    ) throws(WhenceError) -> GraphTrees {
        let modes = attribute("nodes_modes") ?? ONNXFile.Attribute()
        let count = modes.wordNumbers.count
        guard count > 0, count < Int(Int32.max) else { throw fault("it has no nodes", code: .malformedInput) }
        let treeIDs = try ints("nodes_treeids", count: count)
        let nodeIDs = try ints("nodes_nodeids", count: count)
        let features = try ints("nodes_featureids", count: count)
        let yes = try ints("nodes_truenodeids", count: count)
        let no = try ints("nodes_falsenodeids", count: count)
        let thresholds = try numbers("nodes_values", count: count)
        let missing = try ints("nodes_missing_value_tracks_true")
        guard missing.isEmpty || missing.count == count else {
            throw fault(
                "its attribute 'nodes_missing_value_tracks_true' has \(missing.count) elements, where \(count) are due",
                code: .malformedInput)
        }
        _ = attribute("nodes_hitrates")
        _ = attribute("nodes_hitrates_as_tensor")
        let index = try NodeIndex(treeIDs, nodeIDs, fault)
        var nodes: [GraphTrees.Node] = []
        nodes.reserveCapacity(count)
        var hasParent = Array(repeating: false, count: count)
        let known = modes.words.map { GraphPlanner.modes[$0] }
        for position in 0..<count {
            guard let mode = known[Int(modes.wordNumbers[position])] else {
                throw fault("node \(position) has the mode '\(modes.words[Int(modes.wordNumbers[position])])', which is not known")
            }
            var node = GraphTrees.Node(
                threshold: thresholds[position], feature: 0, yes: 0, no: 0, mode: mode,
                missingIsYes: !missing.isEmpty && missing[position] == 1)
            if mode != .leaf {
                guard let feature = Int32(exactly: features[position]), let first = index[treeIDs[position], yes[position]],
                    let second = index[treeIDs[position], no[position]]
                else {
                    throw fault(
                        "node \(nodeIDs[position]) of tree \(treeIDs[position]) has a child or feature that is out of range",
                        code: .malformedInput)
                }
                node.feature = feature
                (node.yes, node.no) = (Int32(first), Int32(second))
                hasParent[first] = true
                hasParent[second] = true
            }
            nodes.append(node)
        }
        // Trees count in the order in which they begin; in each the node that is no child is the root.
        let roots = (0..<count).filter { !hasParent[$0] }.map { Int32($0) }
        guard roots.count == index.treeCount else {
            throw fault(
                "it has \(index.treeCount) trees, and \(roots.count) nodes that are no child: a tree has a cycle or two roots",
                code: .malformedInput)
        }
        let weights = try readWeights(prefix, index, &nodes)
        return try makeTrees(
            GraphTreesParts(nodes: nodes, roots: roots, weights: weights, targets: targets, aggregate: aggregate), value, width
        ) { "node \(nodeIDs[$0]) of tree \(treeIDs[$0])" }
    }

    private struct GraphTreesParts {
        var nodes: [GraphTrees.Node]
        var roots: [Int32]
        var weights: [GraphTrees.Weight]
        var targets: Int
        var aggregate: GraphTrees.Aggregate
        var sharesLeaves = false
    }

    private func makeTrees(
        _ parts: GraphTreesParts, _ value: Value, _ width: Int, place: (Int) -> String
    ) throws(WhenceError) -> GraphTrees {
        do throws(GraphTrees.Fault) {
            return try GraphTrees(
                nodes: parts.nodes, roots: parts.roots, weights: parts.weights, targets: parts.targets, aggregate: parts.aggregate,
                isFloat: value.type != .double, width: width, limits: limits, sharesLeaves: parts.sharesLeaves)
        } catch {
            throw fault(
                "\(place(error.node)): \(error.message)",
                hint: error.isLimit
                    ? "the model is larger than the limits, or the file is damaged" : "the file is damaged; export it again",
                code: error.isLimit ? .limitExceeded : .malformedInput)
        }
    }

    /// Hangs the weights on their leaves: those of a leaf become neighbours.
    private mutating func readWeights(
        _ prefix: String, _ index: NodeIndex, _ nodes: inout [GraphTrees.Node]
    ) throws(WhenceError) -> [GraphTrees.Weight] {
        let targetIDs = try ints("\(prefix)_ids")
        let nodeIDs = try ints("\(prefix)_nodeids", count: targetIDs.count)
        let treeIDs = try ints("\(prefix)_treeids", count: targetIDs.count)
        let values = try numbers("\(prefix)_weights", count: targetIDs.count)
        for position in targetIDs.indices {
            guard let owner = index[treeIDs[position], nodeIDs[position]], nodes[owner].mode == .leaf,
                Int32(exactly: targetIDs[position]) != nil
            else {
                throw fault(
                    "weight \(position) belongs to node \(nodeIDs[position]) of tree \(treeIDs[position]), which is no leaf",
                    code: .malformedInput)
            }
            nodes[owner].no += 1
        }
        var next: Int32 = 0
        for position in nodes.indices where nodes[position].mode == .leaf {
            nodes[position].yes = next
            next += nodes[position].no
            nodes[position].no = 0
        }
        var weights = Array(repeating: GraphTrees.Weight(target: 0, value: 0), count: targetIDs.count)
        for position in targetIDs.indices {
            guard let owner = index[treeIDs[position], nodeIDs[position]] else { preconditionFailure("it was there before") }
            let target = Int32(truncatingIfNeeded: targetIDs[position])
            let start = Int(nodes[owner].yes)
            let end = start + Int(nodes[owner].no)
            guard !weights[start..<end].contains(where: { $0.target == target }) else {
                throw fault(
                    "node \(nodeIDs[position]) of tree \(treeIDs[position]) has two weights for target \(target)", code: .malformedInput)
            }
            weights[end] = GraphTrees.Weight(target: target, value: values[position])
            nodes[owner].no += 1
        }
        return weights
    }

    // MARK: Version 5

    /// `TreeEnsemble`: inner nodes and leaves in arrays of their own, roots by index.
    mutating func planTreeEnsemble5() throws(WhenceError) {
        let (value, place, width) = try features()
        let targets = int("n_targets", 1)
        let aggregates: [GraphTrees.Aggregate] = [.average, .sum, .min, .max]
        let transforms: [GraphStep.PostTransform] = [.none, .logistic, .softmax, .softmaxZero, .probit]
        let aggregate = int("aggregate_function", 1)
        let transform = int("post_transform", 0)
        guard (1...100_000).contains(targets), aggregates.indices.contains(aggregate), transforms.indices.contains(transform) else {
            throw fault("its n_targets, aggregate_function or post_transform is out of range", code: .malformedInput)
        }
        let modes = attribute("nodes_modes")?.tensor?.numbers ?? []
        let count = modes.count
        let features = try ints("nodes_featureids", count: count)
        guard attribute("membership_values") == nil, !modes.contains(6) else {
            throw fault(
                "it has rules of the mode BRANCH_MEMBER, which is not supported",
                hint: "export it with a BRANCH_EQ for each member of a set")
        }
        if let mode = modes.first(where: { !(0..<6).contains($0) }) { throw fault("it has a rule of the mode \(mode), which is not known") }
        let splits = attribute("nodes_splits")?.tensor?.numbers ?? []
        let children = [try ints("nodes_truenodeids", count: count), try ints("nodes_falsenodeids", count: count)]
        let isLeaf = [try ints("nodes_trueleafs", count: count), try ints("nodes_falseleafs", count: count)]
        let missing = try ints("nodes_missing_value_tracks_true")
        _ = attribute("nodes_hitrates")
        let leafTargets = try ints("leaf_targetids")
        let leafWeights = attribute("leaf_weights")?.tensor?.numbers ?? []
        let roots = try ints("tree_roots")
        guard count > 0, count + leafTargets.count < Int(Int32.max), splits.count == count, leafWeights.count == leafTargets.count,
            missing.isEmpty || missing.count == count
        else { throw fault("its arrays do not have the same number of elements", code: .malformedInput) }
        var nodes: [GraphTrees.Node] = []
        func child(_ side: Int, _ position: Int) -> Int32? {
            let index = children[side][position]
            let limit = isLeaf[side][position] != 0 ? leafTargets.count : count
            guard index >= 0, index < limit else { return nil }
            return Int32(isLeaf[side][position] != 0 ? Int(index) + count : Int(index))
        }
        for position in 0..<count {
            guard let yes = child(0, position), let no = child(1, position), let feature = Int32(exactly: features[position]),
                let mode = GraphTrees.Mode(rawValue: UInt8(modes[position]))
            else { throw fault("node \(position) has a child, feature or mode that is out of range", code: .malformedInput) }
            nodes.append(
                GraphTrees.Node(
                    threshold: splits[position], feature: feature, yes: yes, no: no, mode: mode,
                    missingIsYes: !missing.isEmpty && missing[position] == 1))
        }
        var weights: [GraphTrees.Weight] = []
        for position in leafTargets.indices {
            guard let target = Int32(exactly: leafTargets[position]) else {
                throw fault("leaf \(position) has a target out of range", code: .malformedInput)
            }
            weights.append(GraphTrees.Weight(target: target, value: leafWeights[position]))
            nodes.append(
                GraphTrees.Node(threshold: 0, feature: 0, yes: Int32(position), no: 1, mode: .leaf, missingIsYes: false))
        }
        let rootIndices = try roots.map { root throws(WhenceError) in
            guard root >= 0, root < count else { throw fault("a root is out of range: node \(root)", code: .malformedInput) }
            return Int32(root)
        }
        let parts = GraphTreesParts(
            nodes: nodes, roots: rootIndices, weights: weights, targets: targets, aggregate: aggregates[aggregate], sharesLeaves: true)
        let trees = try makeTrees(parts, value, width) { $0 < count ? "node \($0)" : "leaf \($0 - count)" }
        try finishRegressor(trees, from: place, width: width, transforms[transform], [], type: value.type == .double ? .double : .float)
    }
}

/// Floats or doubles, as the file has them, of which one is empty.
private struct Reals: RandomAccessCollection {
    let floats: [Float]
    let doubles: [Double]

    var startIndex: Int { 0 }
    var endIndex: Int { floats.count + doubles.count }
    subscript(index: Int) -> Double { doubles.isEmpty ? Double(floats[index]) : doubles[index] }
}

/// Finds nodes by the number of their tree and their own.
private struct NodeIndex {
    private struct Tree {
        var start: Int
        var count: Int
        /// Whether the nodes of the tree are numbered from 0 on, in order; then there is no table.
        var isPlain = true
        var table: [Int64: Int] = [:]
    }

    private var trees: [Int64: Tree] = [:]
    var treeCount: Int { trees.count }

    /// Throws where the nodes of a tree are apart, or two have one number.
    init(_ treeIDs: WholeNumbers, _ nodeIDs: WholeNumbers, _ fault: (String, String, WhenceError.Code) -> WhenceError) throws(WhenceError) {
        var start = 0
        while start < treeIDs.count {
            let id = treeIDs[start]
            var end = start
            var tree = Tree(start: start, count: 0)
            while end < treeIDs.count, treeIDs[end] == id {
                if nodeIDs[end] != Int64(end - start) { tree.isPlain = false }
                end += 1
            }
            tree.count = end - start
            if !tree.isPlain {
                for position in start..<end where tree.table.updateValue(position, forKey: nodeIDs[position]) != nil {
                    throw fault(
                        "node \(nodeIDs[position]) of tree \(id) stands twice", "the file is damaged; export it again", .malformedInput)
                }
            }
            guard trees.updateValue(tree, forKey: id) == nil else {
                throw fault("the nodes of tree \(id) are apart in the file", "the file is damaged; export it again", .malformedInput)
            }
            start = end
        }
    }

    subscript(tree: Int64, node: Int64) -> Int? {
        guard let tree = trees[tree] else { return nil }
        guard tree.isPlain else { return tree.table[node] }
        return node >= 0 && node < Int64(tree.count) ? tree.start + Int(node) : nil
    }
}
