import Testing
import WhenceCore

@testable import WhenceModels

/// What no graph may be: each is refused by operator and node, or with the byte where the file is wrong.
@Suite("Bad ONNX files") struct ONNXFaultTests {
    static func model(_ bytes: [UInt8]) throws(WhenceError) -> Model { try Model.read(.bytes(bytes, name: "m.onnx")) }

    @Test("the models that the others are made of are sound")
    func sound() throws {
        let tree = try ONNXFaultTests.model(ONNXBytes.tree())
        #expect(try tree.predict([0.5, 0, 0.6, 0], rows: 2) == [1, 2])
        // A target without a score is 0 where its base value is.
        let bases = ONNXBytes.attribute("base_values", floats: [0.5, 0])
        let two = try ONNXFaultTests.model(ONNXBytes.tree(target: ([1, 2, 1], [0, 0, 1]), targets: 2, extra: bases))
        #expect(try two.predict([0.5, 0, 0.6, 0], rows: 2) == [1.5, 3, 2.5, 0])
        let sum = try ONNXFaultTests.model(ONNXBytes.model(ONNXBytes.node("Relu", ["x"], ["y"])))
        #expect(try sum.predict([-1, 2], rows: 1) == [0, 2])
        let ensemble = try ONNXFaultTests.model(ONNXBytes.treeEnsemble())
        #expect(try ensemble.predict([0.5, 0, 0.6, 0], rows: 2) == [1, 2])
    }

    private static let branch = "BRANCH_LEQ"

    /// A name, the bytes, and what is said.
    static let trees: [(String, [UInt8], String)] = [
        ("a child out of range", ONNXBytes.tree(yes: [7, 0, 0]), "child or feature that is out of range"),
        ("a negative child", ONNXBytes.tree(yes: [-1, 0, 0]), "child or feature that is out of range"),
        ("two parents", ONNXBytes.tree(yes: [1, 0, 0], no: [1, 0, 0]), "no child: a tree has a cycle or two roots"),
        (
            "a leaf with two parents",
            ONNXBytes.tree(yes: [1, 2, 0, 0], no: [3, 2, 0, 0], modes: [branch, branch, "LEAF", "LEAF"], target: ([2, 3], [0, 0])),
            "child of two nodes"
        ),
        ("a cycle with the root", ONNXBytes.tree(yes: [0, 0, 0]), "no path leads to it"),
        (
            "a cycle apart", ONNXBytes.tree(yes: [1, 0, 0, 4, 3], no: [2, 0, 0, 4, 3], modes: [branch, "LEAF", "LEAF", branch, branch]),
            "no path leads to it"
        ),
        ("a NaN threshold", ONNXBytes.tree(values: [.nan, 0, 0]), "threshold is NaN"),
        ("a feature out of range", ONNXBytes.tree(features: [2, 0, 0]), "feature 2, and there are 2"),
        ("a rule that is not known", ONNXBytes.tree(modes: ["BRANCH_XX", "LEAF", "LEAF"]), "'BRANCH_XX', which is not known"),
        ("edited counts", ONNXBytes.tree(values: [1, 2]), "'nodes_values' has 2 elements, where 3"),
        ("a number of a node twice", ONNXBytes.tree(ids: [0, 1, 1]), "stands twice"),
        ("a weight of no leaf", ONNXBytes.tree(target: ([0, 2], [0, 0])), "no leaf"),
        ("a weight twice", ONNXBytes.tree(target: ([1, 1], [0, 0])), "two weights"),
        ("a target out of range", ONNXBytes.tree(target: ([1, 2], [0, 9])), "target 9, and there are 1"),
        ("a NaN leaf", ONNXBytes.tree(extra: ONNXBytes.attribute("base_values", floats: [1, 2])), "2 base values for 1 targets"),
        ("an attribute that is not known", ONNXBytes.tree(extra: ONNXBytes.attribute("nodes_extra", 1)), "'nodes_extra' is not known"),
        ("an attribute twice", ONNXBytes.tree(extra: ONNXBytes.attribute("n_targets", 1)), "'n_targets' stands twice"),
    ]

    @Test("trees that are none", arguments: trees.indices)
    func badTrees(index: Int) {
        let (name, bytes, says) = ONNXFaultTests.trees[index]
        do throws(WhenceError) {
            _ = try ONNXFaultTests.model(bytes)
            Issue.record("\(name) was read")
        } catch {
            #expect(error.description.contains(says) && error.place.hasPrefix("m.onnx"), "\(name): \(error)")
            #expect(error.place.contains("TreeEnsembleRegressor") || error.place.contains("attribute"), "\(error)")
        }
    }

    @Test("a tree 50,000 deep")
    func deep() {
        let depth = 50_000
        let yes = (0..<depth).map { $0 + 1 } + [0] + Array(repeating: 0, count: depth)
        let no = (0..<depth).map { depth + 1 + $0 } + [0] + Array(repeating: 0, count: depth)
        let modes = Array(repeating: ONNXFaultTests.branch, count: depth) + Array(repeating: "LEAF", count: depth + 1)
        expectError(.limitExceeded, "more than 4096 deep", "TreeEnsembleRegressor") {
            _ = try ONNXFaultTests.model(ONNXBytes.tree(yes: yes, no: no, modes: modes, target: ([depth], [0])))
        }
    }

    static let graphs: [([UInt8], String, String)] = [
        (ONNXBytes.model(ONNXBytes.node("Conv", ["x"], ["y"])), "operator Conv is not supported", "node 0 (Conv 'n')"),
        (
            ONNXBytes.model(ONNXBytes.node("SVMClassifier", ["x"], ["y"], domain: "ai.onnx.ml")),
            "ai.onnx.ml.SVMClassifier is not supported", "node 0"
        ),
        (
            ONNXBytes.model(ONNXBytes.node("FusedGemm", ["x"], ["y"], domain: "com.microsoft")), "'com.microsoft' is not supported",
            "FusedGemm"
        ),
        (ONNXBytes.model(ONNXBytes.node("Relu", ["z"], ["y"])), "'z' is made by no earlier node", "Relu"),
        (ONNXBytes.model(ONNXBytes.node("Relu", ["y"], ["y"])), "'y' is made by no earlier node", "Relu"),
        (ONNXBytes.model(ONNXBytes.node("Relu", ["x"], ["x"])), "'x' is made twice", "Relu"),
        (ONNXBytes.model(ONNXBytes.node("Relu", ["x"], ["z"])), "no node makes this output", "output 'y'"),
        (ONNXBytes.model(ONNXBytes.node("Softmax", ["x"], ["y"], ONNXBytes.attribute("axis", 0))), "across the rows", "Softmax"),
        (ONNXBytes.model(ONNXBytes.node("Concat", ["x", "x"], ["y"], ONNXBytes.attribute("axis", 0))), "across the rows", "Concat"),
        (
            ONNXBytes.model(ONNXBytes.tensor("w", [3, 1], [1, 2, 3]) + ONNXBytes.node("MatMul", ["x", "w"], ["y"])), "do not fit", "MatMul"
        ),
        (
            ONNXBytes.model(ONNXBytes.tensor("w", [2, 2], [1, 2, 3, 4]) + ONNXBytes.node("Add", ["x", "w"], ["y"])),
            "differ from row to row", "Add"
        ),
        (
            ONNXBytes.model(ONNXBytes.node("Relu", ["x"], ["y"]), opsets: [("", 99)]), "version 99 of the operator set ai.onnx",
            "opset_import"
        ),
        (ONNXBytes.model(ONNXBytes.node("Relu", ["x"], ["y"]), ir: 60), "version 60 of ONNX's format", "byte"),
        (
            ONNXBytes.model(ONNXBytes.port(11, "h", type: 10, dims: [nil, 1]) + ONNXBytes.node("Relu", ["x"], ["y"])), "float16",
            "graph.input[0]"
        ),
        (ONNXBytes.treeEnsemble(mode: 6), "BRANCH_MEMBER, which is not supported", "node 0 (ai.onnx.ml.TreeEnsemble 'n')"),
        (
            ONNXBytes.treeEnsemble(extra: ONNXBytes.attribute("membership_values", tensor: 1, count: 1, raw: ONNXBytes.floats([1]))),
            "BRANCH_MEMBER, which is not supported", "node 0 (ai.onnx.ml.TreeEnsemble 'n')"
        ),
        (ONNXBytes.treeEnsemble(mode: 7), "mode 7.0, which is not known", "node 0 (ai.onnx.ml.TreeEnsemble 'n')"),
        (ONNXBytes.treeEnsemble(aggregate: 4), "aggregate_function or post_transform is out of range", "TreeEnsemble"),
        (ONNXBytes.treeEnsemble(splitType: 10, splits: [0, 0x38]), "float16 is not supported", "tensor"),
        (
            ONNXBytes.model(ONNXBytes.node("Cast", ["x"], ["y"], ONNXBytes.attribute("to", 10))), "float16, which is not supported",
            "node 0 (Cast 'n')"
        ),
        // A leaf without a weight, where it is not clear what that means.
        (
            ONNXBytes.tree(target: ([1], [0]), extra: ONNXBytes.attribute("aggregate_function", "MIN")), "no weight for target 0",
            "TreeEnsembleRegressor"
        ),
        (
            ONNXBytes.tree(target: ([1, 2, 1], [0, 0, 1]), targets: 2, extra: ONNXBytes.attribute("base_values", floats: [0.5, 0.25])),
            "no weight for target 1", "TreeEnsembleRegressor"
        ),
        (
            ONNXBytes.model(ONNXBytes.port(11, "v", dims: [nil, nil]) + ONNXBytes.node("Relu", ["x"], ["y"])),
            "shape of this input is not fixed", "input 'v'"
        ),
    ]

    @Test("graphs that are not supported are refused by name", arguments: graphs.indices)
    func unsupported(index: Int) {
        let (bytes, says, place) = ONNXFaultTests.graphs[index]
        do throws(WhenceError) {
            _ = try ONNXFaultTests.model(bytes)
            Issue.record("it was read, where '\(says)' was due")
        } catch { #expect(error.description.contains(says) && error.description.contains(place), "\(error)") }
    }

    @Test(
        "a number that an input's type does not have is refused by the feature's name",
        arguments: [
            (7, [0, -0.0, -3, 9_007_199_254_740_991], [7.5, .nan, 1e30, -.infinity, 9_007_199_254_740_992, -9_007_199_254_740_992]),
            (6, [2_147_483_647, -2_147_483_648], [2_147_483_648, -2_147_483_649, 0.5, .nan]), (3, [127, -128], [128, -129, 1.5, .nan]),
            (2, [255, 0], [256, -1, 0.25, .nan]), (9, [0, 1], [2, -1, 0.5, .nan, .infinity]),
        ] as [(Int, [Double], [Double])])
    func wholes(type: Int, good: [Double], bad: [Double]) throws {
        let casts = ONNXBytes.node("Cast", ["w"], ["v"], ONNXBytes.attribute("to", 11))
        let graph = ONNXBytes.port(11, "w", type: type, dims: [nil, 2]) + casts + ONNXBytes.port(12, "v", type: 11, dims: [nil, 2])
        let model = try ONNXFaultTests.model(ONNXBytes.model(graph + ONNXBytes.node("Relu", ["x"], ["y"])))
        let place = try #require(model.features.firstIndex { $0.name == "w[1]" })
        func answers(_ value: Double) throws(WhenceError) -> [Double] {
            var rows = Array(repeating: 0.0, count: 3 * model.featureCount)
            rows[2 * model.featureCount + place] = value
            // What is a float may be anything.
            for index in 0..<model.featureCount where !model.features[index].name.hasPrefix("w") { rows[index] = .nan }
            return try model.predict(rows, rows: 3)
        }
        let output = try #require(model.outputNames.firstIndex(of: "v[1]"))
        for value in good {
            let answer = try answers(value)[2 * model.outputCount + output]
            #expect(answer == value && answer.sign == (value == 0 ? .plus : value.sign))
        }
        for value in bad {
            let says = value.isNaN ? "a missing value" : Int(exactly: value).map { String($0) } ?? String(value)
            expectError(.invalidValue, "feature w[1]", "row 3 has \(says)", "floats") { _ = try answers(value) }
        }
    }

    @Test("Sum, Max and Min take any number of inputs, the first two first")
    func variadic() throws {
        let constants =
            ONNXBytes.tensor("a", [2], [1e8, 3]) + ONNXBytes.tensor("b", [1, 1], [-1e8]) + ONNXBytes.tensor("c", [1], [0.5])
        func predict(_ op: String, _ inputs: [String], _ row: [Double]) throws -> [Double] {
            try ONNXFaultTests.model(ONNXBytes.model(constants + ONNXBytes.node(op, inputs, ["y"]))).predict(row, rows: 1)
        }
        // In float, 10^8 and 1 are 10^8: the 1 would be left if the constants were added first.
        #expect(try predict("Sum", ["x", "a", "b", "c"], [1, 2]) == [0.5, -99_999_992])
        #expect(try predict("Sum", ["a", "x", "c"], [1, 2]) == [1e8, 5.5])
        #expect(try predict("Max", ["b", "x", "c"], [-3, 2]) == [0.5, 2])
        #expect(try predict("Min", ["a", "x", "c"], [-3, 2]) == [-3, 0.5])
        for op in ["Sum", "Max", "Min"] { #expect(try predict(op, ["x"], [-3, 2]) == [-3, 2]) }
        expectError(.malformedInput, "input 0 is missing", "node 0 (Sum 'n')") { _ = try predict("Sum", [], [1, 2]) }
        expectError(.malformedInput, "3 inputs, where two should be", "node 0 (Add 'n')") {
            _ = try predict("Add", ["x", "a", "b"], [1, 2])
        }
        expectError(.unknownFormat, "two of its inputs are constants", "node 0 (Sum 'n')") {
            _ = try predict("Sum", ["a", "b", "x"], [1, 2])
        }
    }

    @Test("a tensor of more elements than the file has, a file cut anywhere")
    func cut() {
        let lying = ONNXBytes.model(
            ONNXBytes.field(5, ONNXBytes.field(1, ONNXBytes.varint(1 << 40)) + ONNXBytes.field(2, 1) + ONNXBytes.field(8, "w"))
                + ONNXBytes.node("Add", ["x", "w"], ["y"]))
        expectError(.limitExceeded, "out of range", "graph.initializer[0]") { _ = try ONNXFaultTests.model(lying) }
        let whole = ONNXBytes.tree()
        for end in 5..<(whole.count - 40) {
            do throws(WhenceError) {
                _ = try ONNXFaultTests.model(Array(whole[..<end]))
                Issue.record("\(end) bytes were read")
            } catch { #expect(error.code == .malformedInput || error.code == .unknownFormat, "\(error)") }
        }
        let nested = (0..<100).reduce([UInt8]()) { bytes, _ in ONNXBytes.field(7, bytes) }
        #expect(throws: WhenceError.self) { _ = try ONNXFaultTests.model(ONNXBytes.field(1, 8) + nested) }
    }
}
