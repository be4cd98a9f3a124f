import Foundation
import Testing
import WhenceCore

@testable import WhenceModels

@Suite("Damaged LightGBM models") struct LightGBMFaultTests {
    /// A fixture without what follows the trees, and no more than its first `trees`.
    private static func seed(_ name: String, trees: Int = 2) throws -> [UInt8] {
        let text = String(decoding: try Fixture("lightgbm", name, suffix: ".txt").bytes, as: UTF8.self)
        let parts = text.components(separatedBy: "\nTree=")
        let header = parts[0].split(separator: "\n").filter { !$0.hasPrefix("tree_sizes") }.joined(separator: "\n") + "\n\n"
        let kept = parts.dropFirst().prefix(trees).map { $0.components(separatedBy: "end of trees")[0] }
        return Array((header + kept.map { "Tree=" + $0 + "\n" }.joined() + "end of trees\n").utf8)
    }

    @Test("50,000 files", arguments: ["named", "categorical_onehot", "linear", "multiclass", "huber_stumps"])
    func fuzz(name: String) throws {
        let seed = try LightGBMFaultTests.seed(name, trees: name == "multiclass" ? 3 : 2)
        DamagedModels.check(seed, rounds: FuzzRounds.count(10_000), seedNumber: UInt64(seed.count))
    }

    private let whole: String

    init() throws { whole = String(decoding: try LightGBMFaultTests.seed("named"), as: UTF8.self) }

    private func expect(_ code: WhenceError.Code, _ edits: [(String, String)], _ parts: String...) {
        var text = whole
        for (from, to) in edits {
            guard let range = text.range(of: from) else {
                Issue.record("'\(from)' is not in the model")
                return
            }
            text.replaceSubrange(range, with: to)
        }
        do throws(WhenceError) {
            _ = try Model.read(.bytes(Array(text.utf8), name: "m.txt"))
            Issue.record("no error, where \(parts) was due")
        } catch {
            #expect(error.code == code, "\(error)")
            for part in parts + ["m.txt"] { #expect(error.description.contains(part), "\(part) is not in: \(error)") }
        }
    }

    @Test("Cut short anywhere") func cut() {
        let bytes = Array(whole.utf8)
        for length in stride(from: 5, to: bytes.count - 14, by: 7) {
            #expect(throws: WhenceError.self) { try Model.read(.bytes(Array(bytes[..<length]), name: "m.txt")) }
        }
    }

    @Test("Edited counts and children") func edits() {
        expect(.malformedInput, [("num_leaves=3", "num_leaves=4")], "Tree=0", "split_feature", "where 3 are due")
        expect(.malformedInput, [("num_leaves=3", "num_leaves=3000000000")], "num_leaves")
        expect(.malformedInput, [("left_child=", "left_child=7 ")], "left_child", "more than 2")
        expect(.malformedInput, [("num_leaves", "num_leafs")], "begins with 'num_leaves'")
        expect(.malformedInput, [("Tree=1", "Tree=4")], "tree 4 stands where tree 1 should")
        expect(.malformedInput, [("threshold=", "threshold=x")], "threshold", "is not a number")
        expect(.unknownFormat, [("version=v4", "version=v9")], "version 'v9'", "v2 to v4")
        expect(.unknownFormat, [("objective=regression", "objective=magic")], "objective 'magic' is not known")
        expect(.malformedInput, [("feature_names=age", "feature_names=b")], "two features are named 'b'")
        expect(.malformedInput, [("feature_names=age ", "feature_names=")], "5 names in 'feature_names', and 6 features")
        expect(.malformedInput, [("max_feature_idx=5", "max_feature_idx=99999999999")], "max_feature_idx")
    }

    @Test("A set of categories of 2 GB is refused before memory is taken") func categories() {
        expect(
            .limitExceeded,
            [("num_cat=0", "num_cat=1"), ("shrinkage=", "cat_boundaries=0 536870912\ncat_threshold=1\nshrinkage=")], "cat_threshold")
    }
}
