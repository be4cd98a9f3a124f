import WhenceCore

/// The packed form of an ensemble whose leaves are added up: the same walks as for the other libraries.
extension GraphTrees {
    /// A forest of nodes that were checked, packed one tree after the other. `singleTargets`: the target of each tree's leaves, where every leaf has one
    /// weight and a tree's are all for one target. Throws where the forest would be larger than the limits.
    static func forest(
        _ nodes: some EnsembleNodes, roots: [Int32], singleTargets: [Int32]?, splits: Int, leaves: Int, targets: Int, isFloat: Bool,
        width: Int, limits: ModelLimits,
        source: String
    ) throws(WhenceError) -> Forest {
        let settings = ForestSettings(featureCount: width, outputs: targets, precision: isFloat ? .float : .double)
        var builder = try TreeBuilder(settings, limits: limits, source: source)
        builder.reserve(trees: roots.count, splits: splits, leaves: leaves, width: singleTargets == nil ? targets : 1)
        var form = TreeForm()
        for (number, root) in roots.enumerated() {
            form.reset()
            form.leafWidth = singleTargets == nil ? targets : 1
            form.output = singleTargets.map { Int($0[number]) } ?? 0
            fill(&form, root, nodes)
            try builder.add(form, place: "tree \(number)")
        }
        return try builder.finish()
    }

    private static func fill(_ form: inout TreeForm, _ root: Int32, _ nodes: some EnsembleNodes) {
        func addLeaf(_ node: Node) -> Int32 {
            let start = form.leafValues.count
            form.leafValues.append(contentsOf: repeatElement(0, count: form.leafWidth))
            for index in Int(node.yes)..<(Int(node.yes) + Int(node.no)) {
                let weight = nodes.weight(index)
                form.leafValues[start + (form.leafWidth == 1 ? 0 : Int(weight.target))] = weight.value
            }
            return ~Int32(start / form.leafWidth)
        }
        let first = nodes.node(Int(root))
        guard first.mode != .leaf else {
            _ = addLeaf(first)
            return
        }
        // Each entry: a node that has a split's number already.
        var stack: [(node: Node, split: Int)] = [(first, 0)]
        form.splits.append(rule(first))
        while let (node, split) = stack.popLast() {
            // Where a rule has to be turned round, the branch for yes is at the right.
            let isTurned = node.mode == .greater || node.mode == .greaterOrEqual || node.mode == .notEqual
            for (child, isYes) in [(node.yes, true), (node.no, false)] {
                let next = nodes.node(Int(child))
                let number: Int32
                if next.mode == .leaf {
                    number = addLeaf(next)
                } else {
                    number = Int32(form.splits.count)
                    form.splits.append(rule(next))
                    stack.append((next, Int(number)))
                }
                if isYes != isTurned { form.splits[split].left = number } else { form.splits[split].right = number }
            }
        }
    }

    /// A rule in the form's terms; its children come later.
    private static func rule(_ node: Node) -> TreeForm.Split {
        // Without a side for missing values a NaN goes where the comparison does not hold; only "not equal" holds for it.
        let nanIsYes = node.missingIsYes || node.mode == .notEqual
        let (rule, isTurned): (TreeForm.Rule, Bool) =
            switch node.mode {
            case .lessOrEqual: (.lessOrEqual, false)
            case .less: (.less, false)
            case .greater: (.lessOrEqual, true)
            case .greaterOrEqual: (.less, true)
            case .equal: (.equal, false)
            case .notEqual, .leaf: (.equal, true)
            }
        return TreeForm.Split(
            feature: node.feature, left: 0, right: 0, threshold: node.threshold, rule: rule, missing: .nan,
            defaultLeft: nanIsYes != isTurned)
    }
}
