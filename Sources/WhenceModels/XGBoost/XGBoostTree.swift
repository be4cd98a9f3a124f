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

    /// Where tree `index` stands in the file.
    static func place(_ index: Int) -> String { "learner.gradient_booster.model.trees[\(index)]" }

    /// Empties the tree and keeps its memory, for the next one.
    private mutating func reset() {
        for array in [
            \XGBoostTree.left, \.right, \.features, \.defaultLeft, \.splitType, \.categories, \.categoryNodes, \.categorySegments,
            \.categorySizes,
        ] {
            self[keyPath: array].removeAll(keepingCapacity: true)
        }
        for array in [\XGBoostTree.conditions, \.hessians, \.losses, \.leafWeights] {
            self[keyPath: array].removeAll(keepingCapacity: true)
        }
        leafVector = 1
        nodeCount = nil
        deletedCount = 0
    }

    /// Takes one object of the array `trees`.
    mutating func read<Reader: DocumentReader & ~Copyable>(_ reader: inout Reader, _ limits: ModelLimits) throws(WhenceError) {
        reset()
        let nodes = limits.elements(limits.nodesPerTree, of: 16)
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "left_children": try reader.ints(into: &left, max: nodes)
            case "right_children": try reader.ints(into: &right, max: nodes)
            case "split_indices": try reader.ints(into: &features, max: nodes)
            case "split_conditions": try reader.floats(into: &conditions, max: nodes)
            case "default_left": try reader.ints(into: &defaultLeft, max: nodes)
            case "split_type": try reader.ints(into: &splitType, max: nodes)
            case "sum_hessian": try reader.floats(into: &hessians, max: nodes)
            case "loss_changes": try reader.floats(into: &losses, max: nodes)
            case "leaf_weights": try reader.floats(into: &leafWeights, max: limits.elements(limits.nodes, of: 8))
            case "categories": try reader.ints(into: &categories, max: limits.categoryBytes / 4)
            case "categories_nodes": try reader.ints(into: &categoryNodes, max: nodes)
            case "categories_segments": try reader.ints(into: &categorySegments, max: nodes)
            case "categories_sizes": try reader.ints(into: &categorySizes, max: nodes)
            case "tree_param":
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    switch key {
                    case "num_nodes": nodeCount = try XGBoostNumber.int(&reader, in: 1...nodes)
                    case "num_deleted": deletedCount = try XGBoostNumber.int(&reader, in: 0...nodes)
                    // 0 stands for 1 in some versions.
                    case "size_leaf_vector": leafVector = max(1, try XGBoostNumber.int(&reader, in: 0...limits.outputs))
                    default: try reader.skip()
                    }
                }
            default: try reader.skip()
            }
        }
        let count = left.count
        guard count > 0, right.count == count, features.count == count, conditions.count == count,
            defaultLeft.count == count, nodeCount ?? count == count, splitType.isEmpty || splitType.count == count
        else { throw reader.fault("the arrays of this tree do not have one element for each node", hint: XGBoostTree.damaged) }
        guard categoryNodes.count == categorySegments.count, categoryNodes.count == categorySizes.count else {
            throw reader.fault("the arrays of this tree's categories differ in length", hint: XGBoostTree.damaged)
        }
        guard leafVector == 1 || !leafWeights.isEmpty else {
            throw reader.fault(
                .unknownFormat, "leaves of several values are stored as versions of XGBoost before 3.2 did",
                hint: "load the model with XGBoost 3.2 and save it again")
        }
    }

    private static let damaged = "the file is damaged; save the model again"

    /// Makes a tree of what was read.
    func fill(_ form: inout TreeForm, _ builder: inout TreeBuilder, place: String) throws(WhenceError) {
        let where_ = "\(builder.source), \(place)"
        func fault(_ message: String) -> WhenceError {
            WhenceError(.malformedInput, message, place: where_, hint: XGBoostTree.damaged)
        }
        form.reset()
        form.leafWidth = leafVector
        let sets = try categorySets(&builder, place, where_, fault)
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
                try appendLeaf(node, to: &form, fault)
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

    private func appendLeaf(_ node: Int, to form: inout TreeForm, _ fault: (String) -> WhenceError) throws(WhenceError) {
        if leafVector == 1 {
            form.leafValues.append(Double(conditions[node]))
            return
        }
        // The right child of such a leaf is the number of its vector.
        let start = Int(right[node]) * leafVector
        guard right[node] >= 0, start + leafVector <= leafWeights.count else { throw fault("node \(node) is a leaf without values") }
        for index in 0..<leafVector {
            form.leafValues.append(Double(leafWeights[start + index]))
        }
    }

    /// The sets of categories, by their nodes.
    private func categorySets(
        _ builder: inout TreeBuilder, _ place: String, _ where_: String, _ fault: (String) -> WhenceError
    ) throws(WhenceError) -> [Int32: Int] {
        var sets: [Int32: Int] = [:]
        for index in categoryNodes.indices {
            let start = Int(categorySegments[index])
            let size = Int(categorySizes[index])
            guard start >= 0, size >= 0, start + size <= categories.count else {
                throw fault("the categories of node \(categoryNodes[index]) are out of range")
            }
            let members = categories[start..<(start + size)]
            guard members.allSatisfy({ $0 >= 0 }) else {
                throw fault("node \(categoryNodes[index]) names a category that is out of range")
            }
            guard members.allSatisfy({ Int($0) <= builder.limits.category }) else {
                throw WhenceError(
                    .limitExceeded, "node \(categoryNodes[index]) names a category above \(builder.limits.category)", place: where_,
                    hint: "number categories from 0 on, or raise the limit")
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
