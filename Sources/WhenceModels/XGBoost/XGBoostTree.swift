import WhenceCore

/// One tree as XGBoost's documents have it: parallel arrays over nodes, splits and leaves together.
struct XGBoostTree {
    private static let noChild: Int32 = -1
    /// The feature of a node that pruning took out.
    private static let deleted = Int32.max

    private var left: [Int32] = []
    private var right: [Int32] = []
    private var features: [Int32] = []
    /// A split's threshold, a leaf's value.
    private var conditions: [Float] = []
    private var defaultLeft: [Int32] = []
    private var splitType: [Int32] = []
    private var hessians: [Float] = []
    private var losses: [Float] = []
    private var leafWeights: [Float] = []
    private var categories: [Int32] = []
    private var categoryNodes: [Int32] = []
    private var categorySegments: [Int32] = []
    private var categorySizes: [Int32] = []
    private var leafVector = 1
    private var nodeCount: Int?
    private var deletedCount = 0

    /// Takes one object of the array `trees`.
    static func read<Reader: DocumentReader & ~Copyable>(_ reader: inout Reader, _ limits: ModelLimits) throws(WhenceError) -> XGBoostTree {
        var tree = XGBoostTree()
        let nodes = limits.nodesPerTree
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "left_children": try reader.ints(into: &tree.left, max: nodes)
            case "right_children": try reader.ints(into: &tree.right, max: nodes)
            case "split_indices": try reader.ints(into: &tree.features, max: nodes)
            case "split_conditions": try reader.floats(into: &tree.conditions, max: nodes)
            case "default_left": try reader.ints(into: &tree.defaultLeft, max: nodes)
            case "split_type": try reader.ints(into: &tree.splitType, max: nodes)
            case "sum_hessian": try reader.floats(into: &tree.hessians, max: nodes)
            case "loss_changes": try reader.floats(into: &tree.losses, max: nodes)
            case "leaf_weights": try reader.floats(into: &tree.leafWeights, max: limits.nodes)
            case "categories": try reader.ints(into: &tree.categories, max: limits.categoryBytes / 4)
            case "categories_nodes": try reader.ints(into: &tree.categoryNodes, max: nodes)
            case "categories_segments": try reader.ints(into: &tree.categorySegments, max: nodes)
            case "categories_sizes": try reader.ints(into: &tree.categorySizes, max: nodes)
            case "tree_param":
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    switch key {
                    case "num_nodes": tree.nodeCount = try XGBoostNumber.int(&reader, in: 1...nodes)
                    case "num_deleted": tree.deletedCount = try XGBoostNumber.int(&reader, in: 0...nodes)
                    // 0 stands for 1 in some versions.
                    case "size_leaf_vector": tree.leafVector = max(1, try XGBoostNumber.int(&reader, in: 0...limits.outputs))
                    default: try reader.skip()
                    }
                }
            default: try reader.skip()
            }
        }
        let count = tree.left.count
        guard count > 0, tree.right.count == count, tree.features.count == count, tree.conditions.count == count,
            tree.defaultLeft.count == count, tree.nodeCount ?? count == count, tree.splitType.isEmpty || tree.splitType.count == count
        else { throw reader.fault("the arrays of this tree do not have one element for each node", hint: XGBoostTree.damaged) }
        guard tree.categoryNodes.count == tree.categorySegments.count, tree.categoryNodes.count == tree.categorySizes.count else {
            throw reader.fault("the arrays of this tree's categories differ in length", hint: XGBoostTree.damaged)
        }
        guard tree.leafVector == 1 || !tree.leafWeights.isEmpty else {
            throw reader.fault(
                .unknownFormat, "leaves of several values are stored as versions of XGBoost before 3.2 did",
                hint: "load the model with XGBoost 3.2 and save it again")
        }
        return tree
    }

    private static let damaged = "the file is damaged; save the model again"

    /// Makes a tree of what was read. `weight`: what DART multiplies its leaves with.
    func fill(
        _ form: inout TreeForm, output: Int, weight: Float?, _ builder: inout TreeBuilder, place: String
    ) throws(WhenceError) {
        let where_ = "\(builder.source), \(place)"
        func fault(_ message: String) -> WhenceError {
            WhenceError(.malformedInput, message, place: where_, hint: XGBoostTree.damaged)
        }
        form.reset()
        form.output = leafVector == 1 ? output : 0
        form.leafWidth = leafVector
        let sets = try categorySets(&builder, place, fault)
        // Splits and leaves get numbers of their own, each in the order of the nodes.
        var number = Array(repeating: Int32.max, count: left.count)
        var splitCount: Int32 = 0
        var leafCount: Int32 = 0
        var lost = 0
        for node in left.indices {
            if features[node] == XGBoostTree.deleted {
                lost += 1
            } else if left[node] == XGBoostTree.noChild {
                number[node] = ~leafCount
                leafCount += 1
            } else {
                number[node] = splitCount
                splitCount += 1
            }
        }
        guard lost == deletedCount else { throw fault("\(lost) nodes are taken out, where 'num_deleted' says \(deletedCount)") }
        func child(_ node: Int, _ index: Int32) throws(WhenceError) -> Int32 {
            guard index >= 0, Int(index) < number.count, number[Int(index)] != Int32.max else {
                throw fault("node \(node) has the child \(index), which is not there")
            }
            return number[Int(index)]
        }
        let hasCovers = hessians.count == left.count
        let hasGains = losses.count == left.count
        for node in left.indices where number[node] != Int32.max {
            let cover = hasCovers ? Double(hessians[node]) : 0
            if number[node] < 0 {
                form.leafNames.append(Int32(node))
                if hasCovers { form.leafCovers.append(cover) }
                try appendLeaf(node, weight, to: &form, fault)
                continue
            }
            if hasCovers { form.splitCovers.append(cover) }
            if hasGains { form.gains.append(Double(losses[node])) }
            var split = TreeForm.Split(
                feature: features[node], left: try child(node, left[node]), right: try child(node, right[node]),
                threshold: Double(conditions[node]), rule: .less, missing: .nan, defaultLeft: defaultLeft[node] != 0)
            if !splitType.isEmpty, splitType[node] != 0 {
                guard splitType[node] == 1, let set = sets[Int32(node)] else {
                    throw fault("node \(node) is categorical, and has no categories")
                }
                // What is in the set goes right.
                swap(&split.left, &split.right)
                split.defaultLeft.toggle()
                split.rule = .isIn
                split.threshold = Double(set)
            }
            form.splits.append(split)
        }
    }

    private func appendLeaf(
        _ node: Int, _ weight: Float?, to form: inout TreeForm, _ fault: (String) -> WhenceError
    ) throws(WhenceError) {
        if leafVector == 1 {
            form.leafValues.append(Double(weight.map { conditions[node] * $0 } ?? conditions[node]))
            return
        }
        // The right child of such a leaf is the number of its vector.
        let start = Int(right[node]) * leafVector
        guard right[node] >= 0, start + leafVector <= leafWeights.count else { throw fault("node \(node) is a leaf without values") }
        for index in 0..<leafVector {
            let value = leafWeights[start + index]
            form.leafValues.append(Double(weight.map { value * $0 } ?? value))
        }
    }

    /// The sets of categories, by their nodes.
    private func categorySets(
        _ builder: inout TreeBuilder, _ place: String, _ fault: (String) -> WhenceError
    ) throws(WhenceError) -> [Int32: Int] {
        var sets: [Int32: Int] = [:]
        for index in categoryNodes.indices {
            let start = Int(categorySegments[index])
            let size = Int(categorySizes[index])
            guard start >= 0, size >= 0, start + size <= categories.count else {
                throw fault("the categories of node \(categoryNodes[index]) are out of range")
            }
            let members = categories[start..<(start + size)]
            guard members.allSatisfy({ $0 >= 0 && Int($0) <= builder.limits.category }) else {
                throw fault("node \(categoryNodes[index]) names a category that is out of range")
            }
            var words = Array(repeating: UInt32(0), count: (Int(members.max() ?? -1) + 32) / 32)
            for member in members { words[Int(member) / 32] |= 1 << UInt32(member % 32) }
            let set = try builder.addCategories(words, place: place)
            guard sets.updateValue(set, forKey: categoryNodes[index]) == nil else {
                throw fault("the categories of node \(categoryNodes[index]) stand twice")
            }
        }
        return sets
    }
}
