import WhenceCore

/// One tree as LightGBM's text has it: parallel arrays over splits and leaves.
struct LightGBMTree {
    /// Nil before the line was met.
    private var leafCount: Int?
    private var categoricalCount = 0
    private var isLinear = false
    private var splitFeature: [Int32] = []
    private var splitGain: [Double] = []
    private var threshold: [Double] = []
    private var decisionType: [Int32] = []
    private var leftChild: [Int32] = []
    private var rightChild: [Int32] = []
    private var leafValue: [Double] = []
    private var leafCovers: [Double] = []
    private var splitCovers: [Double] = []
    private var boundaries: [Int32] = []
    private var words: [UInt32] = []
    private var leafConst: [Double] = []
    private var featureCounts: [Int32] = []
    private var leafFeatures: [Int32] = []
    private var coefficients: [Double] = []

    mutating func reset() {
        leafCount = nil
        categoricalCount = 0
        isLinear = false
        splitFeature.removeAll(keepingCapacity: true)
        splitGain.removeAll(keepingCapacity: true)
        threshold.removeAll(keepingCapacity: true)
        decisionType.removeAll(keepingCapacity: true)
        leftChild.removeAll(keepingCapacity: true)
        rightChild.removeAll(keepingCapacity: true)
        leafValue.removeAll(keepingCapacity: true)
        leafCovers.removeAll(keepingCapacity: true)
        splitCovers.removeAll(keepingCapacity: true)
        boundaries.removeAll(keepingCapacity: true)
        words.removeAll(keepingCapacity: true)
        leafConst.removeAll(keepingCapacity: true)
        featureCounts.removeAll(keepingCapacity: true)
        leafFeatures.removeAll(keepingCapacity: true)
        coefficients.removeAll(keepingCapacity: true)
    }

    /// Takes the line of `key`. Lines that predictions do not need are passed over.
    mutating func read(_ key: String, _ lines: inout LightGBMLines, _ limits: ModelLimits) throws(WhenceError) {
        if key == "num_leaves" {
            guard leafCount == nil else { throw lines.fault("this line stands twice") }
            let leaves = try lines.int(in: 1...max(1, (limits.nodesPerTree + 1) / 2))
            guard leaves <= limits.elements(leaves, of: 16) else { throw limits.memoryFault("\(lines.name), \(lines.place)") }
            leafCount = leaves
            return
        }
        guard let leaves = leafCount else {
            throw lines.fault("a tree begins with 'num_leaves', and this line comes before it")
        }
        let splits = leaves - 1
        func once(_ isEmpty: Bool, _ lines: borrowing LightGBMLines) throws(WhenceError) {
            guard isEmpty else { throw lines.fault("this line stands twice") }
        }
        switch key {
        case "num_cat": categoricalCount = try lines.int(in: 0...splits)
        case "split_feature":
            try once(splitFeature.isEmpty, lines)
            try lines.ints(into: &splitFeature, count: splits)
        case "split_gain": try lines.doubles(into: &splitGain, count: splits)
        case "threshold":
            try once(threshold.isEmpty, lines)
            try lines.doubles(into: &threshold, count: splits)
        case "decision_type":
            try once(decisionType.isEmpty, lines)
            try lines.ints(into: &decisionType, count: splits)
        case "left_child":
            try once(leftChild.isEmpty, lines)
            try lines.ints(into: &leftChild, count: splits)
        case "right_child":
            try once(rightChild.isEmpty, lines)
            try lines.ints(into: &rightChild, count: splits)
        case "leaf_value":
            try once(leafValue.isEmpty, lines)
            try lines.doubles(into: &leafValue, count: leaves)
        case "leaf_count": try readCounts(&lines, leaves, into: &leafCovers)
        case "internal_count": try readCounts(&lines, splits, into: &splitCovers)
        case "cat_boundaries":
            try once(boundaries.isEmpty, lines)
            try lines.ints(into: &boundaries, count: categoricalCount + 1)
        case "cat_threshold":
            try once(words.isEmpty, lines)
            guard let count = boundaries.last, count >= 0, Int(count) * 4 <= limits.categoryBytes else {
                throw lines.fault("'cat_boundaries' does not come before it, or is out of range", code: .limitExceeded)
            }
            try lines.words(into: &words, count: Int(count))
        case "is_linear": isLinear = try lines.int(in: 0...1) == 1
        case "leaf_const": try lines.doubles(into: &leafConst, count: leaves)
        case "num_features": try lines.ints(into: &featureCounts, count: leaves)
        case "leaf_features": try lines.ints(into: &leafFeatures, count: try terms(lines, limits))
        case "leaf_coeff": try lines.doubles(into: &coefficients, count: try terms(lines, limits))
        default: try lines.skip()
        }
    }

    /// Counts may be missing, or empty, in models that other tools wrote.
    private func readCounts(_ lines: inout LightGBMLines, _ due: Int, into counts: inout [Double]) throws(WhenceError) {
        try lines.doubles(into: &counts, count: due, areShort: true)
        for count in counts where !(count >= 0) { throw lines.fault("a count of rows is negative, or NaN") }
    }

    private func terms(_ lines: borrowing LightGBMLines, _ limits: ModelLimits) throws(WhenceError) -> Int {
        var sum = 0
        for count in featureCounts {
            sum += Int(count)
            guard count >= 0, sum <= limits.nodes else { throw lines.fault("'num_features' is out of range") }
        }
        return sum
    }

    /// Makes a tree of what was read.
    func fill(
        _ form: inout TreeForm, _ classes: Int, _ index: Int, _ builder: inout TreeBuilder, _ lines: borrowing LightGBMLines
    ) throws(WhenceError) {
        form.reset()
        guard let leaves = leafCount, leafValue.count == leaves else {
            throw lines.fault("the tree before this line has no 'num_leaves' or no 'leaf_value'")
        }
        let splits = leaves - 1
        guard splitFeature.count == splits, threshold.count == splits, decisionType.count == splits, leftChild.count == splits,
            rightChild.count == splits
        else { throw lines.fault("the tree before this line has not all of its arrays of splits") }
        form.output = index % classes
        form.leafValues.append(contentsOf: leafValue)
        if leafCovers.count == leaves, splitCovers.count == splits {
            form.leafCovers.append(contentsOf: leafCovers)
            form.splitCovers.append(contentsOf: splitCovers)
        }
        if splitGain.count == splits { form.gains.append(contentsOf: splitGain) }
        for split in 0..<splits {
            let type = decisionType[split]
            guard type >= 0, type < 16, type >> 2 & 3 != 3 else { throw lines.fault("the decision type \(type) is not known") }
            let missing: TreeForm.Missing = [.none, .zero, .nan][Int(type >> 2 & 3)]
            var rule = TreeForm.Split(
                feature: splitFeature[split], left: leftChild[split], right: rightChild[split], threshold: threshold[split],
                rule: .lessOrEqual, missing: missing, defaultLeft: type & 2 != 0)
            if type & 1 != 0 {
                // What is missing is in no set, whatever the rest of the decision type says.
                rule.rule = .isInTruncated
                rule.missing = .nan
                rule.defaultLeft = false
                rule.threshold = Double(try set(threshold[split], &builder, lines))
            }
            form.splits.append(rule)
        }
        if isLinear { try fillLinear(&form, leaves, lines) }
    }

    private func set(_ index: Double, _ builder: inout TreeBuilder, _ lines: borrowing LightGBMLines) throws(WhenceError) -> Int {
        guard let place = Int(exactly: index), place >= 0, place < categoricalCount, boundaries.count == categoricalCount + 1,
            boundaries[place] >= 0, boundaries[place] <= boundaries[place + 1], Int(boundaries[place + 1]) <= words.count
        else { throw lines.fault("a split looks in set \(index) of categories, which is not there") }
        return try builder.addCategories(Array(words[Int(boundaries[place])..<Int(boundaries[place + 1])]), place: lines.place)
    }

    private func fillLinear(_ form: inout TreeForm, _ leaves: Int, _ lines: borrowing LightGBMLines) throws(WhenceError) {
        guard leafConst.count == leaves, featureCounts.count == leaves, leafFeatures.count == coefficients.count else {
            throw lines.fault("the linear tree before this line has not all of its arrays")
        }
        var start = 0
        for leaf in 0..<leaves {
            let end = start + Int(featureCounts[leaf])
            guard end <= leafFeatures.count else { throw lines.fault("'leaf_features' has too few elements") }
            form.linear.append(
                TreeForm.Linear(
                    constant: leafConst[leaf], features: Array(leafFeatures[start..<end]), coefficients: Array(coefficients[start..<end])))
            start = end
        }
    }
}
