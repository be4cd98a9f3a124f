import Foundation
import Testing
import WhenceCore

@testable import WhenceModels

@Suite("Damaged XGBoost models") struct XGBoostFaultTests {
    static let seeds = ["tiny", "tiny_dart", "tiny_vector", "tiny_linear", "tiny_categorical"]

    @Test("50,000 files of JSON", arguments: seeds)
    func documents(name: String) throws {
        let seed = try Fixture("xgboost", name, suffix: ".json").bytes
        DamagedModels.check(seed, rounds: FuzzRounds.count(10_000), seedNumber: UInt64(seed.count))
    }

    @Test("50,000 files of UBJSON", arguments: seeds)
    func binaryDocuments(name: String) throws {
        let seed = try Fixture("xgboost", name + "_ubj", suffix: ".ubj").bytes
        DamagedModels.check(seed, rounds: FuzzRounds.count(10_000), seedNumber: UInt64(seed.count))
    }

    private let whole: String

    init() throws { whole = String(decoding: try Fixture("xgboost", "tiny", suffix: ".json").bytes, as: UTF8.self) }

    private func expect(_ code: WhenceError.Code, _ pattern: String, _ to: String, _ parts: String...) {
        guard let range = whole.range(of: pattern, options: .regularExpression) else {
            Issue.record("'\(pattern)' is not in the model")
            return
        }
        let text = whole.replacingCharacters(in: range, with: to)
        do throws(WhenceError) {
            _ = try Model.read(.bytes(Array(text.utf8), name: "m.json"))
            Issue.record("no error, where \(parts) was due")
        } catch {
            #expect(error.code == code, "\(error)")
            for part in parts + ["m.json"] { #expect(error.description.contains(part), "\(part) is not in: \(error)") }
        }
    }

    @Test("Cut short anywhere") func cut() {
        let bytes = Array(whole.utf8)
        for length in stride(from: 30, to: bytes.count - 1, by: 7) {
            #expect(throws: WhenceError.self) { try Model.read(.bytes(Array(bytes[..<length]), name: "m.json")) }
        }
    }

    @Test("Edited trees") func trees() {
        expect(.malformedInput, "\"left_children\":\\[1,", "\"left_children\":[99,", "trees[0]", "child 99, which is not there")
        expect(.malformedInput, "\"left_children\":\\[1,", "\"left_children\":[0,", "trees[0]", "below itself")
        expect(.malformedInput, "\"left_children\":\\[1,", "\"left_children\":[2,", "two parents")
        expect(.malformedInput, "\"left_children\":\\[1,", "\"left_children\":[1,1,", "trees[0]", "one element for each node")
        expect(.malformedInput, "\"split_conditions\":\\[[^,]*,", "\"split_conditions\":[NaN,", "threshold of split 0 is NaN")
        expect(.malformedInput, "\"split_indices\":\\[[^,]*,", "\"split_indices\":[77,", "feature 77")
        expect(.malformedInput, "\"split_type\":\\[0", "\"split_type\":[1", "categorical, and has no categories")
        expect(.malformedInput, "\"num_trees\":\"1\"", "\"num_trees\":\"2\"", "'num_trees' says 2")
        expect(.malformedInput, "\"iteration_indptr\":\\[0,1\\]", "\"iteration_indptr\":[0,3]", "iterations")
    }

    @Test("Edited parameters") func parameters() {
        expect(.unknownFormat, "\"name\":\"binary:logistic\"", "\"name\":\"binary:magic\"", "'binary:magic' is not known")
        // XGBoost itself refuses a file without them.
        expect(.malformedInput, "\"objective\":\\{", "\"objection\":{", "learner.objective.name", "does not say its objective")
        expect(.malformedInput, "\"name\":\"binary:logistic\"", "\"nome\":\"binary:logistic\"", "learner.objective.name", "does not say")
        expect(.unknownFormat, "\"name\":\"binary:logistic\"", "\"name\":\"\"", "learner.objective.name", "'' is not known")
        expect(.malformedInput, "\"base_score\":", "\"base_scare\":", "learner_model_param.base_score", "does not say its base score")
        expect(.unknownFormat, "\"name\":\"gbtree\"", "\"name\":\"gbforest\"", "'gbforest' is not known")
        expect(.malformedInput, "\"base_score\":\"[^\"]*\"", "\"base_score\":\"[2E0]\"", "base score 2.0 is out of range")
        expect(.malformedInput, "\"num_feature\":\"5\",\"num_target\"", "\"num_feature\":\"-5\",\"num_target\"", "num_feature")
        expect(
            .malformedInput, "\"feature_names\":\\[\\]", "\"feature_names\":[\"a\",\"b\",\"a\",\"c\",\"d\"]", "two features are named 'a'")
    }

    @Test("Edited values of categories") func categories() throws {
        let text = try String(contentsOf: Fixture.directory.appending(path: "tables/xgboost.json"), encoding: .utf8)
        for (from, to, part) in [
            ("\"offsets\":[0,2,", "\"offsets\":[0,7,", "out of order"), ("\"offsets\":[0,2,", "\"offsets\":[-1,2,", "out of order"),
            ("12,16],\"values\"", "12,99],\"values\"", "out of order"), ("[10,20,30,40]", "[10,20,30,10]", "have the same value"),
            ("[10,20,30,40]", "[10,20,30,4.5]", "whole number"), ("[10,20,30,40]", "{}", "enc"),
            ("{\"offsets\":[],\"values\":[]},", "", "the categories of 2 features, and there are 3"),
        ] {
            try #require(text.contains(from), "'\(from)' is not in the model")
            expectError(.malformedInput, "m.json", part) {
                _ = try Model.read(.bytes(Array(text.replacing(from, with: to).utf8), name: "m.json"))
            }
        }
    }
}
