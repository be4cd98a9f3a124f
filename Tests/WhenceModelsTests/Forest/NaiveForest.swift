import RandomFixtures

@testable import WhenceModels

/// A forest as its definition reads, one tree and one row at a time: what the packed one must agree with.
struct NaiveForest {
    var trees: [TreeForm] = []
    var sets: [[UInt32]] = []
    var settings: ForestSettings

    /// A random forest over all rules, ways of missing, shapes and widths.
    static func random(_ generator: inout SeededRandom, precision: ForestSettings.Precision) -> NaiveForest {
        let features = Int.random(in: 1...6, using: &generator)
        let outputs = Int.random(in: 1...3, using: &generator)
        var forest = NaiveForest(settings: ForestSettings(featureCount: features, outputs: outputs, precision: precision))
        forest.sets = (0..<3).map { _ in
            (0..<Int.random(in: 0...3, using: &generator)).map { _ in UInt32.random(in: 0 ... .max, using: &generator) }
        }
        let leafWidth = Bool.random(using: &generator) ? 1 : outputs
        // Few thresholds, so that values meet them; in one forest of four more than one column holds.
        let levels = Int.random(in: 0..<4, using: &generator) == 0 ? 2000 : 20
        for _ in 0..<Int.random(in: 1...12, using: &generator) {
            var tree = TreeForm()
            tree.leafWidth = leafWidth
            tree.output = Int.random(in: 0..<outputs, using: &generator)
            // From time to time more leaves than a register counts.
            let splits = Int.random(in: 0..<(Int.random(in: 0..<5, using: &generator) == 0 ? 600 : 40), using: &generator)
            var open: [Int32] = []
            for split in 0..<splits {
                let rules: [TreeForm.Rule] = [.lessOrEqual, .less, .lessOrEqual, .less, .equal, .isIn, .isInTruncated]
                let rule = rules[Int.random(in: 0..<rules.count, using: &generator)]
                var threshold = Double(Int.random(in: -levels...levels, using: &generator)) / 4
                if precision != .double { threshold = Double(Float(threshold)) }
                if rule == .isIn || rule == .isInTruncated { threshold = Double(Int.random(in: 0..<3, using: &generator)) }
                let missing: TreeForm.Missing = [.nan, .none, .zero][Int.random(in: 0..<3, using: &generator)]
                tree.splits.append(
                    TreeForm.Split(
                        feature: Int32.random(in: 0..<Int32(features), using: &generator), left: .min, right: .min, threshold: threshold,
                        rule: rule, missing: missing, defaultLeft: Bool.random(using: &generator)))
                if split > 0 {
                    let place = open.remove(at: Int.random(in: 0..<open.count, using: &generator))
                    if place > 0 {
                        tree.splits[Int(place - 1)].left = Int32(split)
                    } else {
                        tree.splits[Int(-place - 1)].right = Int32(split)
                    }
                }
                open += [Int32(split + 1), -Int32(split + 1)]
            }
            for (leaf, place) in open.shuffled(using: &generator).enumerated() {
                if place > 0 { tree.splits[Int(place - 1)].left = ~Int32(leaf) } else { tree.splits[Int(-place - 1)].right = ~Int32(leaf) }
            }
            for _ in 0..<((splits + 1) * leafWidth) {
                let value = Double.random(in: -3...3, using: &generator)
                tree.leafValues.append(precision == .float ? Double(Float(value)) : value)
            }
            forest.trees.append(tree)
        }
        return forest
    }

    func packed() throws -> Forest {
        var builder = try TreeBuilder(settings, limits: ModelLimits(), source: "random")
        // Equal sets are kept once.
        let numbers = try sets.map { try builder.addCategories($0, place: "sets") }
        for tree in trees {
            var tree = tree
            for index in tree.splits.indices where tree.splits[index].rule == .isIn || tree.splits[index].rule == .isInTruncated {
                tree.splits[index].threshold = Double(numbers[Int(tree.splits[index].threshold)])
            }
            try builder.add(tree, place: "tree")
        }
        return try builder.finish()
    }

    private func goesLeft(_ split: TreeForm.Split, _ value: Double) -> Bool {
        var value = settings.precision == .double ? value : Double(Float(value))
        switch split.missing {
        case .nan: if value.isNaN { return split.defaultLeft }
        case .zero: if value.isNaN || abs(value) <= 1e-35 { return split.defaultLeft }
        case .none: if value.isNaN, split.rule != .isIn, split.rule != .isInTruncated { value = 0 }
        }
        switch split.rule {
        case .lessOrEqual: return value <= split.threshold
        case .less: return value < split.threshold
        case .equal: return value == split.threshold
        case .isIn, .isInTruncated:
            if value.isNaN || value >= 2_147_483_648 || value <= -1 || split.rule == .isIn && value < 0 { return false }
            let set = sets[Int(split.threshold)]
            let category = Int(value)
            return category / 32 < set.count && set[category / 32] >> UInt32(category % 32) & 1 == 1
        }
    }

    func leaf(_ tree: TreeForm, _ row: [Double]) -> Int {
        var at: Int32 = tree.splits.isEmpty ? ~0 : 0
        while at >= 0 {
            let split = tree.splits[Int(at)]
            at = goesLeft(split, row[Int(split.feature)]) ? split.left : split.right
        }
        return Int(~at)
    }

    func sums(_ row: [Double]) -> [Double] {
        var sums = Array(repeating: 0.0, count: settings.outputs)
        for tree in trees {
            let leaf = leaf(tree, row)
            for index in 0..<tree.leafWidth {
                let output = tree.leafWidth == 1 ? tree.output : index
                let value = tree.leafValues[leaf * tree.leafWidth + index]
                sums[output] = settings.precision == .float ? Double(Float(sums[output]) + Float(value)) : sums[output] + value
            }
        }
        return sums
    }
}
