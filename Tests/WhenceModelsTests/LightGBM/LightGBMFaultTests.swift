import Foundation
import Testing
import WhenceCore

@testable import WhenceModels

@Suite("Damaged LightGBM models") struct LightGBMFaultTests {
    /// A fixture with no more than its first `trees`, and without what follows them, unless it is needed.
    private static func seed(_ name: String, trees: Int = 2, hasTail: Bool = false) throws -> [UInt8] {
        let text = String(decoding: try Fixture("lightgbm", name, suffix: ".txt").bytes, as: UTF8.self)
        let parts = text.components(separatedBy: "\nTree=")
        let header = parts[0].split(separator: "\n").filter { !$0.hasPrefix("tree_sizes") }.joined(separator: "\n") + "\n\n"
        let kept = parts.dropFirst().prefix(trees).map { $0.components(separatedBy: "end of trees")[0] }
        let tail = hasTail ? parts[parts.count - 1].components(separatedBy: "end of trees")[1] : "\n"
        return Array((header + kept.map { "Tree=" + $0 + "\n" }.joined() + "end of trees" + tail).utf8)
    }

    @Test("50,000 files", arguments: ["named", "categorical_onehot", "linear", "multiclass", "huber_stumps"])
    func fuzz(name: String) throws {
        let seed = try LightGBMFaultTests.seed(name, trees: name == "multiclass" ? 3 : 2, hasTail: name == "categorical_onehot")
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

    /// The model of `TableTests`, which needs the names of its categories.
    private static func table() throws -> String {
        try String(contentsOf: Fixture.directory.appending(path: "tables/lightgbm.txt"), encoding: .utf8)
    }

    @Test("Cut behind its trees, where categories need what stands there") func cutTail() throws {
        let bytes = Array(try LightGBMFaultTests.table().utf8)
        let text = try LightGBMFaultTests.table()
        let end = try #require(text.range(of: "end of trees"))
        // All but the line feed at the end is needed.
        for length in text[..<end.upperBound].utf8.count..<(bytes.count - 1) {
            do throws(WhenceError) {
                _ = try Model.read(.bytes(Array(bytes[..<length]), name: "m.txt"))
                Issue.record("\(length) bytes of \(bytes.count) were read")
            } catch {
                #expect(error.code == .malformedInput && error.hint.contains("cut short"), "\(error)")
            }
        }
        _ = try Model.read(.bytes(Array(bytes.dropLast()), name: "m.txt"))
        // Parameters that have begun end, also where no category needs them.
        let numbers = String(decoding: try Fixture("lightgbm", "named", suffix: ".txt").bytes, as: UTF8.self)
        for key in ["[boosting: ", "[num_gpu: ", "end of parameters", "ical:null", "null"] {
            let cut = String(try #require(numbers.components(separatedBy: key).first))
            #expect(throws: WhenceError.self, "cut before '\(key)'") { try Model.read(.bytes(Array(cut.utf8), name: "m.txt")) }
        }
    }

    @Test("What pandas' categories say and the features do not fit") func categoriesOfFeatures() throws {
        let text = try LightGBMFaultTests.table()
        func read(_ edits: (String, String)...) throws -> Model {
            var edited = text
            for (from, to) in edits {
                try #require(edited.contains(from), "'\(from)' is not in the model")
                edited = edited.replacing(from, with: to)
            }
            return try Model.read(.bytes(Array(edited.utf8), name: "m.txt"))
        }
        for (from, to, parts) in [
            ("[categorical_feature: 0,1,2,4,5]", "[categorical_feature: 0,2,4,5]", ["it has 5 lists, and 4 features"]),
            ("[categorical_feature: 0,1,2,4,5]", "[categorical_feature: ]", ["it has 5 lists, and 0 features"]),
            ("[categorical_feature: 0,1,2,4,5]", "[categorical_feature: 0,1,2,3,4]", ["it has 5 lists"]),
            ("[\"same\"], [false, true]", "[false, true], [\"same\"]", ["a list of 1 does not fit feature 2"]),
            (", [\"same\"]", "", ["it has 4 lists, and 5 features"]),
            ("[10, 20, 30, 40]", "[10, 20, 30, 10]", ["two categories of a column have the same value"]),
            ("[10, 20, 30, 40]", "[10, 20, 30, null]", ["a category is a text, a number, true or false"]),
            ("[10, 20, 30, 40]", "[10, 20, 30", ["cannot be read"]),
        ] {
            expectError(.malformedInput, "m.txt", parts[0]) { _ = try read((from, to)) }
        }
        // Parameters of old versions do not list the features; without one that is always the same it is clear.
        let plain = try read(
            ("[categorical_feature: 0,1,2,4,5]", "[categorical_feature: ]"), (", [\"same\"]", ""), (" none ", " [0:1] "))
        #expect(plain.features.map(\.values.count) == [4, 0, 2, 0, 4, 5])
        // The way out that the errors name: numbers of categories.
        for last in ["null", "[]"] {
            let line = try #require(text.components(separatedBy: "\n").last { $0.hasPrefix("pandas_categorical:") })
            let model = try read((line, "pandas_categorical:" + last))
            #expect(model.features.allSatisfy { $0.values.isEmpty } && model.features[0].kind == .category)
        }
        // A model of a file has no categories of pandas, and no such line.
        let line = try #require(text.range(of: "\npandas_categorical:"))
        let file = text[..<line.lowerBound].replacing("[data: ]", with: "[data: train.csv]")
        #expect(try Model.read(.bytes(Array(file.utf8), name: "m.txt")).features[0].kind == .category)
    }

    @Test("Long lines behind the trees, and lines with '='") func longLines() throws {
        let list = (0..<400).map { "\"\($0)=\"" }.joined(separator: ", ")
        let text = try LightGBMFaultTests.table()
            .replacing("[\"same\"]", with: "[\(list)]").replacing("[monotone_constraints: ]", with: "[monotone_constraints: \(list)]")
        let model = try Model.read(.bytes(Array(text.utf8), name: "m.txt"))
        #expect(model.features[1].values.count == 400 && model.features[1].values[7] == .text("7="))
    }
}
