import WhenceCore

/// The packed form of an ensemble whose leaves are added up: the same walks as for the other libraries.
extension GraphTrees {
    /// A forest of these nodes, which were checked; nil where its leaves, with a value for each target, would take much more memory
    /// than their weights do. Throws where it would be larger than the limits.
    static func forest(
        _ nodes: [Node], roots: [Int32], weights: [Weight], targets: Int, isFloat: Bool, width: Int, limits: ModelLimits,
        source: String
    ) throws(WhenceError) -> Forest? {
        let settings = ForestSettings(featureCount: width, outputs: targets, precision: isFloat ? .float : .double)
        var builder = try TreeBuilder(settings, limits: limits, source: source)
        // Trees whose leaves all add to one target have one value a leaf; else leaves have a value for each target.
        let isSingle = roots.allSatisfy { singleTarget($0, nodes, weights) != nil }
        let leaves = nodes.count { $0.mode == .leaf }
        guard isSingle || leaves * targets <= (1 << 16) + 8 * weights.count else { return nil }
        var form = TreeForm()
        for (number, root) in roots.enumerated() {
            form.reset()
            form.leafWidth = isSingle ? 1 : targets
            form.output = isSingle ? singleTarget(root, nodes, weights) ?? 0 : 0
            fill(&form, root, nodes, weights)
            try builder.add(form, place: "tree \(number)")
        }
        return try builder.finish()
    }

    /// The target of all leaves below a root, or nil where there are several or a leaf has not exactly one.
    private static func singleTarget(_ root: Int32, _ nodes: [Node], _ weights: [Weight]) -> Int? {
        var target: Int32?
        var stack = [root]
        while let index = stack.popLast() {
            let node = nodes[Int(index)]
            if node.mode != .leaf {
                stack.append(node.yes)
                stack.append(node.no)
                continue
            }
            guard node.no == 1 else { return nil }
            let own = weights[Int(node.yes)].target
            guard target == nil || target == own else { return nil }
            target = own
        }
        return target.map { Int($0) }
    }

    private static func fill(_ form: inout TreeForm, _ root: Int32, _ nodes: [Node], _ weights: [Weight]) {
        func addLeaf(_ node: Node) -> Int32 {
            let start = form.leafValues.count
            form.leafValues.append(contentsOf: repeatElement(0, count: form.leafWidth))
            for index in Int(node.yes)..<(Int(node.yes) + Int(node.no)) {
                form.leafValues[start + (form.leafWidth == 1 ? 0 : Int(weights[index].target))] = weights[index].value
            }
            return ~Int32(start / form.leafWidth)
        }
        guard nodes[Int(root)].mode != .leaf else {
            _ = addLeaf(nodes[Int(root)])
            return
        }
        // Each entry: a node that has a split's number already.
        var stack: [(node: Int32, split: Int)] = [(root, 0)]
        form.splits.append(rule(nodes[Int(root)]))
        while let (index, split) = stack.popLast() {
            let node = nodes[Int(index)]
            // Where a rule has to be turned round, the branch for yes is at the right.
            let isTurned = node.mode == .greater || node.mode == .greaterOrEqual || node.mode == .notEqual
            for (child, isYes) in [(node.yes, true), (node.no, false)] {
                let next = nodes[Int(child)]
                let number: Int32
                if next.mode == .leaf {
                    number = addLeaf(next)
                } else {
                    number = Int32(form.splits.count)
                    form.splits.append(rule(next))
                    stack.append((child, Int(number)))
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
