import Foundation
import Testing
import WhenceCore

@testable import WhenceModels

/// What people and attackers give instead of a model, one test each, in every format in which it can happen. Each is refused with its
/// place and a way out; none takes memory, time or stack as the file asks.
@Suite("Bad input") struct BadInputTests {
    /// A sound file and its name in errors.
    enum Sound: String, CaseIterable, Sendable {
        case lightGBM = "m.txt"
        case xgboost = "m.json"
        case ubjson = "m.ubj"
        case catBoost = "c.json"
        case onnx = "m.onnx"
        case linear = "l.json"

        var bytes: [UInt8] {
            get throws {
                switch self {
                case .lightGBM: try Fixture("lightgbm", "named", suffix: ".txt").bytes
                case .xgboost: try Fixture("xgboost", "tiny", suffix: ".json").bytes
                case .ubjson: try Fixture("xgboost", "tiny_ubj", suffix: ".ubj").bytes
                case .catBoost: Array(CatBoostFaultTests.symmetric().utf8)
                case .onnx: ONNXBytes.tree()
                case .linear: Array(LinearModelTests.example.utf8)
                }
            }
        }

        var text: String { get throws { String(decoding: try bytes, as: UTF8.self) } }

        /// The file with `pattern`, a regular expression, replaced once.
        func edited(_ pattern: String, _ replacement: String) throws -> [UInt8] {
            let text = try text
            let range = try #require(text.range(of: pattern, options: .regularExpression), "'\(pattern)' is not in the model")
            return Array(text.replacingCharacters(in: range, with: replacement).utf8)
        }

        func read(_ bytes: [UInt8]) throws(WhenceError) { _ = try Model.read(.bytes(bytes, name: rawValue)) }
    }

    /// Checks that `bytes` are refused, with all of `parts` in what is said.
    private func refuse(_ sound: Sound, _ bytes: [UInt8], _ code: WhenceError.Code, _ parts: String...) {
        do throws(WhenceError) {
            try sound.read(bytes)
            Issue.record("\(sound) was read, where \(parts) was due")
        } catch {
            #expect(error.code == code && error.place.hasPrefix(sound.rawValue), "\(error)")
            for part in parts { #expect(error.description.contains(part), "\(part) is not in: \(error)") }
        }
    }

    @Test("A truncated file", arguments: Sound.allCases)
    func truncated(sound: Sound) throws {
        let bytes = try sound.bytes
        try sound.read(bytes)
        // What LightGBM writes behind its trees may be missing: the cut comes before it.
        let end = sound == .lightGBM ? try sound.text.components(separatedBy: "end of trees")[0].utf8.count : bytes.count - 2
        for length in stride(from: 8, to: end, by: 3) {
            #expect(throws: WhenceError.self, "\(length) bytes of \(end)") { try sound.read(Array(bytes[..<length])) }
        }
    }

    @Test("Edited counts") func counts() throws {
        refuse(.lightGBM, try Sound.lightGBM.edited("num_leaves=3", "num_leaves=4"), .malformedInput, "Tree=0", "where 3 are due")
        refuse(.lightGBM, try Sound.lightGBM.edited("num_leaves=3", "num_leaves=2147483647"), .malformedInput, "out of range")
        refuse(.lightGBM, try Sound.lightGBM.edited("num_cat=0", "num_cat=7"), .malformedInput, "num_cat", "out of range")
        refuse(.xgboost, try Sound.xgboost.edited("\"num_nodes\":\"[0-9]*\"", "\"num_nodes\":\"9\""), .malformedInput, "trees[0]")
        refuse(.xgboost, try Sound.xgboost.edited("\"num_trees\":\"1\"", "\"num_trees\":\"2\""), .malformedInput, "'num_trees' says 2")
        refuse(.xgboost, try Sound.xgboost.edited("\"tree_info\":\\[0", "\"tree_info\":[7"), .malformedInput, "trees[0]", "output 7")
        refuse(.catBoost, Array(CatBoostFaultTests.symmetric(values: "[1,2,3]").utf8), .malformedInput, "1 splits has 3 leaf values")
        refuse(.onnx, ONNXBytes.tree(values: [1, 2]), .malformedInput, "'nodes_values' has 2 elements, where 3")
        refuse(.linear, try Sound.linear.edited("2.0, 0.001", "2.0"), .malformedInput, "2 coefficients for 3 features")
        // An array that says it has 2^56 elements.
        var lying = try Sound.ubjson.bytes
        let key = Array("left_children[$l#L".utf8)
        let at = try #require(lying.indices.first { lying[$0...].starts(with: key) })
        lying[at + key.count] = 1
        refuse(.ubjson, lying, .malformedInput, "left_children", "elements are announced")
    }

    @Test("A child index out of range") func children() throws {
        for child in ["7", "-9", "2147483647", "-2147483648"] {
            refuse(
                .lightGBM, try Sound.lightGBM.edited("left_child=[-0-9]*", "left_child=\(child)"), .malformedInput, "Tree=0",
                "and there are")
            refuse(
                .xgboost, try Sound.xgboost.edited("\"left_children\":\\[1,", "\"left_children\":[\(child),"), .malformedInput, "trees[0]")
        }
        refuse(.onnx, ONNXBytes.tree(yes: [7, 0, 0]), .malformedInput, "out of range")
        refuse(.onnx, ONNXBytes.tree(yes: [-1, 0, 0]), .malformedInput, "out of range")
    }

    @Test("A cycle") func cycle() throws {
        refuse(.lightGBM, try Sound.lightGBM.edited("left_child=[-0-9]*", "left_child=0"), .malformedInput, "Tree=0", "below itself")
        refuse(.xgboost, try Sound.xgboost.edited("\"left_children\":\\[1,", "\"left_children\":[0,"), .malformedInput, "below itself")
        refuse(.onnx, ONNXBytes.tree(yes: [0, 0, 0]), .malformedInput, "no path leads to it")
    }

    @Test("A node with two parents") func twoParents() throws {
        refuse(.lightGBM, try Sound.lightGBM.edited("right_child=[-0-9]* [-0-9]*", "right_child=1 1"), .malformedInput, "two parents")
        refuse(
            .lightGBM, try Sound.lightGBM.edited("right_child=[-0-9]* [-0-9]*", "right_child=-1 -1"), .malformedInput,
            "leaf 0 has two parents")
        refuse(.xgboost, try Sound.xgboost.edited("\"left_children\":\\[1,", "\"left_children\":[2,"), .malformedInput, "two parents")
        refuse(.onnx, ONNXBytes.tree(yes: [1, 0, 0], no: [1, 0, 0]), .malformedInput, "cycle or two roots")
        // CatBoost's trees are nested, so that a node cannot have two parents; a child that is given twice is refused.
        let split = CatBoostFaultTests.split
        let twice = "\"trees\":[{\"split\":\(split),\"left\":{\"value\":1},\"left\":{\"value\":1}}]"
        refuse(.catBoost, Array(CatBoostFaultTests.tree(twice).utf8), .malformedInput, "stands twice")
    }

    /// In text that takes long to read without optimisation: 50,000 levels in an ordinary run, a million in a soak. `TreeBuilderTests` has
    /// a million at once in memory, and CatBoost's nested form has them here.
    @Test("A tree of a million levels") func deep() throws {
        let depth = FuzzRounds.count(50_000)
        func list(_ number: (Int) -> Int) -> String { (0..<depth).map { String(number($0)) }.joined(separator: " ") }
        let zeros = String(repeating: "0 ", count: depth - 1) + "0"
        let tree = """
            num_leaves=\(depth + 1)
            num_cat=0
            split_feature=\(zeros)
            threshold=\(zeros)
            decision_type=\(zeros)
            left_child=\(list { ~$0 })
            right_child=\(list { $0 + 1 < depth ? $0 + 1 : ~depth })
            leaf_value=\(zeros) 0
            """
        let lightGBM = try Sound.lightGBM.text.components(separatedBy: "Tree=0\n")[0].replacing(/tree_sizes=.*\n/, with: "")
        refuse(.lightGBM, Array((lightGBM + "Tree=0\n" + tree + "\nend of trees\n").utf8), .limitExceeded, "more than 4096 deep", "Tree=0")

        func array(_ number: (Int) -> Int) -> String { "[" + (0..<(2 * depth + 1)).map { String(number($0)) }.joined(separator: ",") + "]" }
        let none = "[" + String(repeating: "0,", count: 2 * depth) + "0]"
        let arrays = """
            "left_children":\(array { $0 < depth ? $0 + 1 : -1 }),"right_children":\(array { $0 < depth ? depth + 1 + $0 : -1 }),\
            "split_indices":\(none),"split_conditions":\(none),"default_left":\(none),"tree_param":{"num_nodes":"\(2 * depth + 1)"}
            """
        let xgboost = try Sound.xgboost.edited("\"trees\":\\[\\{.*\\}\\]\\},\"name\"", "\"trees\":[{\(arrays)}]},\"name\"")
        refuse(.xgboost, xgboost, .limitExceeded, "more than 4096 deep", "trees[0]")

        let nested = "\"trees\":[" + String(repeating: #"{"left":"#, count: 1_000_000)
        refuse(.catBoost, Array(CatBoostFaultTests.tree(nested).utf8), .limitExceeded, "nested more than 64 deep")

        let modes = Array(repeating: "BRANCH_LEQ", count: depth) + Array(repeating: "LEAF", count: depth + 1)
        let zeroes = Array(repeating: 0, count: depth)
        let onnx = ONNXBytes.tree(
            yes: (1...depth) + [0] + zeroes, no: ((depth + 1)...(2 * depth)) + [0] + zeroes, modes: modes, target: ([depth], [0]))
        refuse(.onnx, onnx, .limitExceeded, "more than 4096 deep")
    }

    @Test("NaN thresholds") func nanThresholds() throws {
        refuse(.lightGBM, try Sound.lightGBM.edited("threshold=[^ ]*", "threshold=nan"), .malformedInput, "threshold of split 0 is NaN")
        refuse(
            .xgboost, try Sound.xgboost.edited("\"split_conditions\":\\[[^,]*,", "\"split_conditions\":[NaN,"), .malformedInput,
            "threshold of split 0 is NaN")
        let nan = #"{"split_type":"FloatFeature","float_feature_index":0,"border":NaN}"#
        refuse(.catBoost, Array(CatBoostFaultTests.symmetric(nan).utf8), .malformedInput, "border is NaN")
        refuse(.onnx, ONNXBytes.tree(values: [.nan, 0, 0]), .malformedInput, "threshold is NaN")
    }

    @Test("A set of categories of 2 GB") func bitset() throws {
        let boundaries = "num_cat=1\ncat_boundaries=0 536870912\ncat_threshold=1"
        refuse(.lightGBM, try Sound.lightGBM.edited("num_cat=0", boundaries), .limitExceeded, "cat_threshold")
        // One category so great that its bit alone would need as much.
        let huge = try Fixture("xgboost", "tiny_categorical", suffix: ".json").bytes
        let text = String(decoding: huge, as: UTF8.self)
        let range = try #require(text.range(of: "\"categories\":\\[[0-9]+", options: .regularExpression))
        let edited = text.replacingCharacters(in: range, with: "\"categories\":[2147483647")
        refuse(.xgboost, Array(edited.utf8), .limitExceeded, "names a category above")
    }

    @Test("Duplicate feature names") func names() throws {
        refuse(.lightGBM, try Sound.lightGBM.edited("feature_names=age", "feature_names=b"), .malformedInput, "two features are named 'b'")
        refuse(
            .xgboost, try Sound.xgboost.edited("\"feature_names\":\\[\\]", "\"feature_names\":[\"a\",\"b\",\"a\",\"c\",\"d\"]"),
            .malformedInput, "two features are named 'a'")
        let twins = CatBoostFaultTests.float + #",{"flat_feature_index":1,"feature_index":1,"feature_id":"a"}"#
        refuse(
            .catBoost, Array(CatBoostFaultTests.tree(#""oblivious_trees":[{"splits":[],"leaf_values":[1]}]"#, features: twins).utf8),
            .malformedInput, "two features are named 'a'")
        refuse(
            .onnx, ONNXBytes.model(ONNXBytes.port(11, "x", dims: [nil, 1]) + ONNXBytes.node("Relu", ["x"], ["y"])), .malformedInput, "'x'")
        refuse(.linear, try Sound.linear.edited("\"distance\"", "\"dep_delay\""), .malformedInput, "'dep_delay' stands twice")
    }

    @Test("JSON that is nested 100,000 deep", arguments: ["[", "{\"a\":"])
    func nested(open: String) throws {
        let deep = String(repeating: open, count: 100_000)
        refuse(.xgboost, Array(("{\"learner\":{\"x\":" + deep).utf8), .limitExceeded, "nested more than 64 deep")
        refuse(.catBoost, Array(("{\"model_info\":{\"x\":" + deep).utf8), .limitExceeded, "nested more than 64 deep")
        // Also before it is known whose file it is.
        refuse(.xgboost, Array(("{\"x\":" + deep).utf8), .limitExceeded, "nested more than 64 deep")
        refuse(
            .ubjson, Array("{i\u{7}learner{i\u{1}x".utf8) + Array(repeating: 0x5B, count: 100_000), .limitExceeded,
            "nested more than 64 deep")
    }

    @Test("A zip archive, or a pickle, given by mistake") func strangers() {
        refuse(.onnx, Array("PK\u{3}\u{4}rest".utf8), .unknownFormat, "zip archive", "torch.onnx.export")
        for version in [UInt8(2), 3, 4, 5] {
            refuse(.lightGBM, [0x80, version, 0x95, 0, 0], .unknownFormat, "pickle", "booster.save_model('m.txt')")
        }
        refuse(.lightGBM, Array("(dp0\n".utf8), .unknownFormat, "pickle", "save_model")
    }
}
