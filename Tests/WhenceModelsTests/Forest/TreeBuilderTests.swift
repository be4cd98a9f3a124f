import Testing
import WhenceCore

@testable import WhenceModels

@Suite("What makes no tree is refused") struct TreeBuilderTests {
    /// x <= 1, then x <= 0: three leaves.
    private var good: TreeForm {
        var tree = TreeForm()
        tree.splits = [
            TreeForm.Split(feature: 0, left: 1, right: ~2, threshold: 1, rule: .lessOrEqual),
            TreeForm.Split(feature: 0, left: ~0, right: ~1, threshold: 0, rule: .lessOrEqual),
        ]
        tree.leafValues = [1, 2, 3]
        return tree
    }

    private func add(_ tree: TreeForm, limits: ModelLimits = ModelLimits()) throws {
        var builder = try TreeBuilder(ForestSettings(featureCount: 1, outputs: 1), limits: limits, source: "m.txt")
        try builder.add(tree, place: "Tree=7")
        _ = try builder.finish()
    }

    @Test("A sound tree is taken") func sound() throws { try add(good) }

    @Test("The structure") func structure() {
        var tree = good
        tree.splits[1].left = ~5
        expectError(.malformedInput, "m.txt, Tree=7", "leaf 5, and there are 3") { try add(tree) }
        tree = good
        tree.splits[1].left = 9
        expectError(.malformedInput, "split 9") { try add(tree) }
        tree = good
        tree.splits[1].left = 0
        expectError(.malformedInput, "two parents, or is below itself") { try add(tree) }
        tree = good
        tree.splits[1].left = ~2
        expectError(.malformedInput, "leaf") { try add(tree) }
        tree = good
        tree.splits[0].left = ~0
        tree.splits[1].left = ~1
        expectError(.malformedInput, "no path leads from the root to split 1") { try add(tree) }
        tree = good
        tree.splits[0].left = .min
        expectError(.malformedInput, "leaf") { try add(tree) }
    }

    @Test("The numbers") func numbers() {
        var tree = good
        tree.splits[1].threshold = .nan
        expectError(.malformedInput, "threshold of split 1 is NaN") { try add(tree) }
        tree = good
        tree.splits[1].feature = 1
        expectError(.malformedInput, "feature 1, and there are 1") { try add(tree) }
        tree = good
        tree.leafValues[0] = .nan
        expectError(.malformedInput, "leaf is NaN") { try add(tree) }
        tree = good
        tree.leafValues.append(4)
        expectError(.malformedInput, "make no tree") { try add(tree) }
        tree = good
        tree.output = 1
        expectError(.malformedInput, "output 1") { try add(tree) }
        tree = good
        tree.splits[0].rule = .isIn
        tree.splits[0].threshold = 3
        expectError(.malformedInput, "set of categories") { try add(tree) }
    }

    /// A chain of `depth` splits.
    private func chain(_ depth: Int) -> TreeForm {
        var tree = TreeForm()
        for split in 0..<depth {
            tree.splits.append(
                TreeForm.Split(
                    feature: 0, left: ~Int32(split), right: split + 1 < depth ? Int32(split + 1) : ~Int32(depth), threshold: Double(split),
                    rule: .less))
        }
        tree.leafValues = Array(repeating: 1, count: depth + 1)
        return tree
    }

    @Test("A tree of a million levels is refused; any depth is walked without recursion") func deep() throws {
        expectError(.limitExceeded, "more than 4096 deep") { try add(chain(1_000_000)) }
        var limits = ModelLimits()
        limits.depth = 50_000
        try add(chain(50_000), limits: limits)
    }

    @Test("Limits on nodes, features and categories") func limits() throws {
        var limits = ModelLimits()
        limits.nodes = 4
        expectError(.limitExceeded, "nodes") { try add(good, limits: limits) }
        limits = ModelLimits()
        limits.features = 10
        expectError(.limitExceeded, "11 features") {
            _ = try TreeBuilder(ForestSettings(featureCount: 11, outputs: 1), limits: limits, source: "m")
        }
        limits.category = 64
        var builder = try TreeBuilder(ForestSettings(featureCount: 1, outputs: 1), limits: limits, source: "m")
        _ = try builder.addCategories([1, 2], place: "x")
        expectError(.limitExceeded, "sets of categories") { _ = try builder.addCategories([1, 2, 3], place: "x") }
    }
}
