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
        // Of several targets one without a score is 0 to onnxruntime, its base value left out, and to the specification that base value.
        if targets == 1 ? isExtreme : base.count == targets {
            try requireWeights(trees, of: (0..<targets).filter { targets == 1 || transform != .none || base[$0] != 0 })
        }
        let to = try output(type, [targets])
        add(.trees(trees, from: place, width: width, to: to))
        if base.count == targets { try addBase(base, to: to, GraphPlanner.rounding(type)) }
        if targets > 1 || transform == .probit { add(.transform(transform, at: to, width: targets)) }
        if type == .float { roundScores(of: trees, at: to, width: targets) }
    }

    /// Makes floats, which the operator answers, of sums in double, once labels are chosen by them.
    private mutating func roundScores(of trees: GraphTrees, at place: Int, width: Int) {
        if !trees.isFloat { add(.unary(.copy, from: place, to: place, width: width, .float)) }
    }

    /// A row that meets no weight for a target has no score there, and then base values, labels and transforms mean different things
    /// to different readers: such ensembles are refused where that can show.
    private func requireWeights(_ trees: GraphTrees, of targets: some Sequence<Int>) throws(WhenceError) {
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
            roundScores(of: trees, at: to, width: count)
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
            roundScores(of: trees, at: to, width: 1)
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
            roundScores(of: trees, at: to, width: 2)
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
        let known = modes.words.map { GraphPlanner.modes[$0] }
        if let position = modes.wordNumbers.firstIndex(where: { known[Int($0)] == nil }) {
            throw fault("node \(position) has the mode '\(modes.words[Int(modes.wordNumbers[position])])', which is not known")
        }
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
        let weightTargets = try ints("\(prefix)_ids")
        let weightNodes = try ints("\(prefix)_nodeids", count: weightTargets.count)
        let weightTrees = try ints("\(prefix)_treeids", count: weightTargets.count)
        let weights = try numbers("\(prefix)_weights", count: weightTargets.count)
        let nodes: ParallelNodes
        do throws(GraphTrees.Fault) {
            nodes = try ParallelNodes(
                modes: known.compactMap { $0 }, modeNumbers: modes.wordNumbers, treeIDs: treeIDs, nodeIDs: nodeIDs, features: features,
                yes: yes, no: no, thresholds: thresholds, missing: missing, weightTrees: weightTrees, weightNodes: weightNodes,
                weightTargets: weightTargets, weights: weights)
        } catch {
            throw fault(error.message, hint: "the file is damaged; export it again", code: .malformedInput)
        }
        return try makeTrees(nodes, nodes.roots, targets, aggregate, value, width)
    }

    private func makeTrees(
        _ nodes: some EnsembleNodes, _ roots: [Int32], _ targets: Int, _ aggregate: GraphTrees.Aggregate, _ value: Value, _ width: Int
    ) throws(WhenceError) -> GraphTrees {
        do throws(GraphTrees.Fault) {
            return try GraphTrees(
                nodes, roots: roots, targets: targets, aggregate: aggregate, isFloat: value.type != .double, width: width, limits: limits)
        } catch {
            throw fault(
                "\(nodes.place(error.node)): \(error.message)",
                hint: error.isLimit
                    ? "the model is larger than the limits, or the file is damaged" : "the file is damaged; export it again",
                code: error.isLimit ? .limitExceeded : .malformedInput)
        }
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
        let nodes = SplitNodes(
            modes: modes.map { UInt8($0) }, splits: attribute("nodes_splits")?.tensor?.numbers ?? [], features: features,
            yes: try ints("nodes_truenodeids", count: count), no: try ints("nodes_falsenodeids", count: count),
            yesIsLeaf: try ints("nodes_trueleafs", count: count), noIsLeaf: try ints("nodes_falseleafs", count: count),
            missing: try ints("nodes_missing_value_tracks_true"), targets: try ints("leaf_targetids"),
            weights: attribute("leaf_weights")?.tensor?.numbers ?? [])
        _ = attribute("nodes_hitrates")
        let roots = try ints("tree_roots")
        do throws(GraphTrees.Fault) { try nodes.check() } catch { throw fault(error.message, code: .malformedInput) }
        let rootIndices = try roots.map { root throws(WhenceError) in
            guard root >= 0, root < count else { throw fault("a root is out of range: node \(root)", code: .malformedInput) }
            return Int32(root)
        }
        let trees = try makeTrees(nodes, rootIndices, targets, aggregates[aggregate], value, width)
        try finishRegressor(trees, from: place, width: width, transforms[transform], [], type: value.type == .double ? .double : .float)
    }
}
