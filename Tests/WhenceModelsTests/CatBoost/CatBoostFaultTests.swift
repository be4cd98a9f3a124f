import Foundation
import RandomFixtures
import Testing
import WhenceCore

@testable import WhenceModels

/// What no model may be: each is refused with its place and the way out.
@Suite("Bad CatBoost files") struct CatBoostFaultTests {
    static func tree(_ trees: String, features: String = float, rest: String = "") -> String {
        "{\"features_info\":{\"float_features\":[\(features)]},\"scale_and_bias\":[1,[0]]\(rest),\(trees)}"
    }

    static let float = #"{"flat_feature_index":0,"feature_index":0,"feature_id":"a","nan_value_treatment":"AsIs","borders":[0.5]}"#
    static let split = #"{"split_type":"FloatFeature","float_feature_index":0,"border":0.5}"#

    static func symmetric(_ split: String = split, values: String = "[1,2]") -> String {
        tree("\"oblivious_trees\":[{\"splits\":[\(split)],\"leaf_values\":\(values)}]")
    }

    static func model(_ text: String) throws(WhenceError) -> Model { try Model.read(.bytes(Array(text.utf8), name: "m.json")) }

    @Test("the file that the others are made of is sound")
    func sound() throws {
        let model = try CatBoostFaultTests.model(CatBoostFaultTests.symmetric())
        #expect(try model.predictRaw([0.5, 0.6], rows: 2) == [1, 2])
    }

    @Test(
        "is refused",
        arguments: [
            (symmetric(values: "[1,2,3]"), "1 splits has 3 leaf values", "oblivious_trees[0]"),
            (symmetric(values: "[]"), "0 leaf values", "oblivious_trees[0]"),
            (symmetric(values: "[1,NaN]"), "leaf is NaN", "oblivious_trees[0]"),
            (symmetric(#"{"split_type":"FloatFeature","float_feature_index":7,"border":0.5}"#), "float feature 7", "oblivious_trees[0]"),
            (symmetric(#"{"split_type":"FloatFeature","float_feature_index":-1,"border":0.5}"#), "float feature -1", "oblivious_trees[0]"),
            (symmetric(#"{"split_type":"FloatFeature","float_feature_index":0,"border":NaN}"#), "border is NaN", "splits[0]"),
            (symmetric(#"{"split_type":"FloatFeature","border":1}"#), "no feature", "splits[0]"),
            (tree(#""oblivious_trees":[]"#), "no trees", ""), (tree(#""x":[]"#), "no trees", ""),
            (tree("\"trees\":[{\"value\":1,\"left\":{\"value\":1}}]"), "neither a leaf", "trees[0]"),
            (tree("\"trees\":[{\"split\":\(split),\"left\":{\"value\":1}}]"), "neither a leaf", "trees[0]"),
            (tree("\"trees\":[{}]"), "neither a leaf", "trees[0]"),
            (tree("\"trees\":[{\"split\":\(split),\"left\":{\"value\":1},\"left\":{\"value\":1}}]"), "stands twice", "trees[0].left"),
            (
                tree("\"trees\":[{\"split\":\(split),\"left\":{\"value\":1},\"right\":{\"value\":[1,2]}}]"), "do not have 1 values",
                "trees[0]"
            ),
            (
                tree(#""oblivious_trees":[{"splits":[],"leaf_values":[1]}]"#, features: float + "," + float), "out of order",
                "float_features[1]"
            ),
            (
                tree(
                    #""oblivious_trees":[{"splits":[],"leaf_values":[1]}]"#,
                    features: float + #",{"flat_feature_index":0,"feature_index":1,"feature_id":"b"}"#), "same flat_feature_index",
                "float feature 1"
            ),
            (
                tree(
                    #""oblivious_trees":[{"splits":[],"leaf_values":[1]}]"#,
                    features: float + #",{"flat_feature_index":1,"feature_index":1,"feature_id":"a"}"#), "two features are named 'a'",
                "features_info"
            ),
            (String(symmetric().dropLast(9)), "ends", "m.json:1"), (symmetric() + "x", "end of the file", ""),
        ] as [(String, String, String)])
    func refused(text: String, says: String, place: String) {
        expectError(.malformedInput, "m.json", says, place) { _ = try CatBoostFaultTests.model(text) }
    }

    @Test("what is not supported is named")
    func unsupported() {
        expectError(.unknownFormat, "text features", "text_features[0]") {
            _ = try CatBoostFaultTests.model(#"{"features_info":{"text_features":[{}]}}"#)
        }
        expectError(.unknownFormat, "'EstimatedFeature'") {
            _ = try CatBoostFaultTests.model(CatBoostFaultTests.symmetric(#"{"split_type":"EstimatedFeature"}"#))
        }
    }

    @Test("a tree a million deep, and one of a few levels too many")
    func deep() {
        let open = #"{"left":"#
        for depth in [64, 1_000_000] {
            expectError(.limitExceeded, "nested more than 64 deep", "trees[0].left.left") {
                _ = try CatBoostFaultTests.model(CatBoostFaultTests.tree("\"trees\":[" + String(repeating: open, count: depth)))
            }
        }
        let splits = Array(repeating: CatBoostFaultTests.split, count: 17).joined(separator: ",")
        expectError(.limitExceeded, "more than 16 deep") { _ = try CatBoostFaultTests.model(CatBoostFaultTests.symmetric(splits)) }
    }

    @Test("50,000 damaged files")
    func damaged() throws {
        let seeds = [
            Array(CatBoostFaultTests.symmetric().utf8),
            Array(
                CatBoostFaultTests.tree(
                    "\"trees\":[{\"split\":\(CatBoostFaultTests.split),\"left\":{\"value\":1,\"weight\":3},\"right\":{\"value\":-2.5,\"weight\":1}}]",
                    rest: #","model_info":{"class_params":{"class_names":[0,1]},"params":{"loss_function":{"type":"Logloss"}}}"#
                ).utf8),
        ]
        var generator = SeededRandom(seed: 33)
        for round in 0..<FuzzRounds.count(50_000) {
            do throws(WhenceError) {
                let model = try Model.read(.bytes(Mutation.mutate(seeds[round % 2], &generator), name: "m"))
                if model.featureCount < 100 { _ = try model.predict(Array(repeating: 0.75, count: model.featureCount * 2), rows: 2) }
            } catch { if error.place.isEmpty { Issue.record("\(error)") } }
        }
    }
}
