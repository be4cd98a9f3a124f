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
