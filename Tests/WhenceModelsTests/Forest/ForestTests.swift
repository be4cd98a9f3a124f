import CForest
import RandomFixtures
import Testing
import WhenceCore

@testable import WhenceModels

@Suite("The packed forest agrees with its definition") struct ForestTests {
    static let precisions: [ForestSettings.Precision] = [.double, .float, .floatFeatures]

    /// Values at the thresholds and beside them, missing, infinite, tiny, categories and what is none.
    static func rows(_ count: Int, _ features: Int, _ generator: inout SeededRandom) -> [Double] {
        let special = [
            Double.nan, .infinity, -.infinity, 0, -0.0, 1e-36, -1e-36, .leastNonzeroMagnitude, -0.5, -1, 95, 96, 1e300, 2_147_483_648,
        ]
        return (0..<(count * features)).map { _ in
            Int.random(in: 0..<4, using: &generator) == 0
                ? special[Int.random(in: 0..<special.count, using: &generator)] : Double(Int.random(in: -600...600, using: &generator)) / 4
        }
    }

    @Test("Every path, batches and single rows, to the bit", arguments: precisions, 0..<30)
    func walks(precision: ForestSettings.Precision, seed: Int) throws {
        var generator = SeededRandom(seed: UInt64(seed))
        let naive = NaiveForest.random(&generator, precision: precision)
        let forest = try naive.packed()
        let rows = [1, 5, 64, 200, 300][seed % 5]
        let features = ForestTests.rows(rows, naive.settings.featureCount, &generator)
        let width = naive.settings.featureCount
        let expected = (0..<rows).flatMap { naive.sums(Array(features[($0 * width)..<(($0 + 1) * width)])) }
        let all = 0..<forest.iterationCount
        for path in [Int32(CF_PORTABLE), Int32(CF_AVX2), Int32(CF_AVX512)] where path <= cf_best_path() {
            var found = Array(repeating: 0.0, count: expected.count)
            var span = found.mutableSpan
            forest.predictRaw(features.span, rows: rows, iterations: all, into: &span, path: path)
            #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "path \(path), seed \(seed)")
        }
        var leaves = Array(repeating: Int32(0), count: rows * naive.trees.count)
        var span = leaves.mutableSpan
        forest.leafIndices(features.span, rows: rows, iterations: all, into: &span)
        for row in 0..<rows {
            let values = Array(features[(row * width)..<((row + 1) * width)])
            for tree in naive.trees.indices {
                #expect(Int(leaves[row * naive.trees.count + tree]) == naive.leaf(naive.trees[tree], values), "seed \(seed)")
            }
        }
    }

    @Test("Symmetric trees are their expansion") func symmetric() throws {
        var generator = SeededRandom(seed: 5)
        for depth in [0, 1, 3, 6, 8, 9] {
            var builder = try TreeBuilder(
                ForestSettings(featureCount: 4, outputs: 1, precision: .floatFeatures), limits: ModelLimits(), source: "t")
            var tree = TreeForm()
            for _ in 0..<depth {
                tree.splits.append(
                    TreeForm.Split(
                        feature: Int32.random(in: 0..<4, using: &generator), left: 0, right: 0,
                        threshold: Double(Int.random(in: -5...5, using: &generator)), rule: .lessOrEqual, defaultLeft: true))
            }
            tree.leafValues = (0..<(1 << depth)).map { Double($0) }
            try builder.addSymmetric(tree, place: "tree")
            let forest = try builder.finish()
            let features = (0..<400).map { _ in Double(Int.random(in: -6...6, using: &generator)) }
            for path in [Int32(CF_PORTABLE), Int32(CF_AVX2), Int32(CF_AVX512)] where path <= cf_best_path() {
                var found = Array(repeating: 0.0, count: 100)
                var span = found.mutableSpan
                forest.predictRaw(features.span, rows: 100, iterations: 0..<1, into: &span, path: path)
                for row in 0..<100 {
                    var leaf = 0
                    for (bit, split) in tree.splits.enumerated() where features[row * 4 + Int(split.feature)] > split.threshold {
                        leaf |= 1 << bit
                    }
                    #expect(found[row] == Double(leaf), "depth \(depth), path \(path)")
                }
            }
        }
    }

    @Test("Contributions add up to the raw sum, and are Shapley's values") func contributions() throws {
        var generator = SeededRandom(seed: 11)
        for _ in 0..<10 {
            var naive = NaiveForest.random(&generator, precision: .double)
            for index in naive.trees.indices {
                let splits = naive.trees[index].splits
                var covers = Array(repeating: 0.0, count: splits.count)
                naive.trees[index].leafCovers = (0...splits.count).map { _ in Double(Int.random(in: 1...9, using: &generator)) }
                // A split comes before those below it.
                for split in splits.indices.reversed() {
                    for child in [splits[split].left, splits[split].right] {
                        covers[split] += child < 0 ? naive.trees[index].leafCovers[Int(~child)] : covers[Int(child)]
                    }
                }
                naive.trees[index].splitCovers = covers
            }
            let forest = try naive.packed()
            let width = naive.settings.featureCount
            let outputs = naive.settings.outputs
            let features = ForestTests.rows(8, width, &generator)
            var found = Array(repeating: 0.0, count: 8 * outputs * (width + 1))
            var span = found.mutableSpan
            forest.contributions(features.span, rows: 8, iterations: 0..<forest.iterationCount, into: &span)
            for row in 0..<8 {
                let values = Array(features[(row * width)..<((row + 1) * width)])
                let expected = shapley(naive, values)
                for index in expected.indices {
                    let answer = found[row * outputs * (width + 1) + index]
                    #expect(abs(answer - expected[index]) < 1e-11, "\(index): \(answer) and not \(expected[index])")
                }
            }
        }
    }

    @Test("Who has no contributions says why") func lack() throws {
        let plain = try Model.read(.file(try Fixture("lightgbm", "named", suffix: ".txt").path))
        #expect(plain.hasContributions && plain.contributionsLack == nil)
        let cases = [
            (try Model.read(.file(try Fixture("lightgbm", "linear", suffix: ".txt").path)), "its leaves are linear functions"),
            (try CatBoostFaultTests.model(CatBoostFaultTests.symmetric()), "how many training rows came to each leaf"),
            (try ONNXFaultTests.model(ONNXBytes.tree()), "a graph of ONNX"),
        ]
        for (model, says) in cases {
            #expect(!model.hasContributions)
            expectError(.invalidArgument, "cannot tell what its features contribute", says) {
                _ = try model.contributions(Array(repeating: 0, count: model.featureCount), rows: 1)
            }
        }
    }

    /// Shapley's values from their definition: over all subsets of features.
    private func shapley(_ naive: NaiveForest, _ row: [Double]) -> [Double] {
        let width = naive.settings.featureCount
        var answers = Array(repeating: 0.0, count: naive.settings.outputs * (width + 1))
        // The value of a leaf that is meant.
        var index = 0
        func value(_ tree: TreeForm, _ at: Int32, _ subset: Int) -> Double {
            guard at >= 0 else { return tree.leafValues[Int(~at) * tree.leafWidth + index] }
            let split = tree.splits[Int(at)]
            if subset >> Int(split.feature) & 1 == 1 {
                var one = TreeForm()
                one.splits = [split]
                one.splits[0].left = ~0
                one.splits[0].right = ~1
                one.leafValues = [0, 1]
                return value(tree, naive.leaf(one, row) == 0 ? split.left : split.right, subset)
            }
            func cover(_ child: Int32) -> Double { child < 0 ? tree.leafCovers[Int(~child)] : tree.splitCovers[Int(child)] }
            let left = cover(split.left)
            let right = cover(split.right)
            return (left * value(tree, split.left, subset) + right * value(tree, split.right, subset)) / (left + right)
        }
        func factorial(_ n: Int) -> Double { n < 2 ? 1 : Double(n) * factorial(n - 1) }
        for tree in naive.trees {
            let root: Int32 = tree.splits.isEmpty ? ~0 : 0
            for place in 0..<tree.leafWidth {
                index = place
                let start = (tree.leafWidth == 1 ? tree.output : place) * (width + 1)
                answers[start + width] += value(tree, root, 0)
                let values = (0..<(1 << width)).map { value(tree, root, $0) }
                for feature in 0..<width {
                    for subset in 0..<(1 << width) where subset >> feature & 1 == 0 {
                        let size = subset.nonzeroBitCount
                        let weight = factorial(size) * factorial(width - size - 1) / factorial(width)
                        answers[start + feature] += weight * (values[subset | 1 << feature] - values[subset])
                    }
                }
            }
        }
        return answers
    }
}
