import Foundation
import Testing
import WhenceCore

@testable import WhenceModels

/// Every fixture gives what CatBoost gives: raw sums and leaves to the bit, predictions within a unit in the last place; those of
/// softmax and of counts, where CatBoost takes a fast exponential of its own, to the bit, too.
@Suite("CatBoost's own predictions") struct CatBoostAgreementTests {
    static let names = Fixture.names("catboost", suffix: ".json").filter { $0 != "counts" }

    static func model(_ source: ModelSource) throws(WhenceError) -> Model { try CatBoostReader.read(source, limits: ModelLimits()) }

    static func features(_ rows: [[Fixture.Cell]], _ model: Model) -> [Double] {
        rows.flatMap { row in
            row.enumerated().map { index, cell in
                switch cell {
                case .number(let value): return value
                case .text(let text):
                    let bytes = Array(text.utf8)
                    return unsafe model.code(of: bytes.span.bytes, feature: index)
                }
            }
        }
    }

    @Test("as they were made", arguments: names)
    func agreement(name: String) throws {
        let fixture = try Fixture("catboost", name, suffix: ".json")
        let model = try CatBoostAgreementTests.model(.file(fixture.path))
        let rows = fixture.rows.count
        let features = CatBoostAgreementTests.features(fixture.rows, model)
        let raw = try model.predictRaw(features, rows: rows)
        let due = try #require(fixture.tables["raw"]).flatMap { $0.map(\.number) }
        #expect(raw.map(\.bitPattern) == due.map(\.bitPattern))
        // Some iterations, without the bias that the first of them has.
        let part = min(1, model.iterationCount)..<min(3, model.iterationCount)
        let duePart = fixture.tables["raw_part"]?.flatMap { $0.map(\.number) } ?? []
        #expect(duePart.isEmpty == (model.iterationCount < 2))
        if !duePart.isEmpty {
            #expect(try model.predictRaw(features, rows: rows, iterations: part).map(\.bitPattern) == duePart.map(\.bitPattern))
        }
        // One row at a time takes another way.
        for row in 0..<rows {
            let own = Array(features[(row * model.featureCount)..<((row + 1) * model.featureCount)])
            let one = try model.predictRaw(own, rows: 1)
            #expect(one.map(\.bitPattern) == due[(row * one.count)..<((row + 1) * one.count)].map(\.bitPattern), "row \(row)")
            guard !duePart.isEmpty else { continue }
            let some = try model.predictRaw(own, rows: 1, iterations: part)
            #expect(some.map(\.bitPattern) == duePart[(row * one.count)..<((row + 1) * one.count)].map(\.bitPattern), "row \(row)")
        }
        // As the model numbers them that CatBoost reads from the file.
        let leaves = fixture.tables["leaves"] ?? []
        #expect(!leaves.isEmpty)
        #expect(try model.leafIndices(features, rows: rows) == leaves.flatMap { $0.map { Int32($0.number) } })
        let isTold =
            name.hasSuffix("_complete") || ["symmetric_words", "symmetric_many_targets", "symmetric_one_against_all"].contains(name)
        if isTold { #expect(model.hasContributions && fixture.tables["contributions"] != nil) }
        if model.hasContributions {
            let shares = try model.contributions(features, rows: rows)
            let width = model.featureCount + 1
            for (sums, iterations) in [(raw, nil), (duePart, part)] where !sums.isEmpty {
                let shares = try model.contributions(features, rows: rows, iterations: iterations)
                for (place, sum) in sums.enumerated() {
                    let added = shares[(place * width)..<((place + 1) * width)].reduce(0, +)
                    #expect(abs(added - sum) <= 1e-9 * max(1, abs(sum)), "contributions add up to \(added), not \(sum)")
                }
            }
            // Of a mean and its variance CatBoost tells only what the features contribute to the mean.
            let told = model.objective == "RMSEWithUncertainty" ? 1 : model.outputCount
            for (row, due) in (fixture.tables["contributions"] ?? []).enumerated() {
                try #require(due.count == told * width)
                let greatest = due.reduce(1e-30) { max($0, abs($1.number)) }
                for (index, due) in due.enumerated() {
                    let share = shares[row * model.outputCount * width + index]
                    #expect(abs(share - due.number) <= 1e-9 * greatest, "contribution \(index) of row \(row): \(share), not \(due.number)")
                }
            }
        }
        let predictions = try model.predict(features, rows: rows)
        for (row, due) in try #require(fixture.tables["probability"]).enumerated() {
            // For two classes CatBoost answers both probabilities; the second is the model's output.
            let due = due.count == model.outputCount ? due : [due[1]]
            let units = ["MultiClass", "Poisson", "Tweedie", "RMSEWithUncertainty"].contains(model.objective) ? 0.0 : 1.0
            for index in due.indices {
                let answer = predictions[row * model.outputCount + index]
                #expect(
                    abs(answer - due[index].number) <= units * due[index].number.ulp,
                    "row \(row): \(answer), and CatBoost has \(due[index].number)")
            }
        }
    }

    @Test("there are fixtures") func fixtures() { #expect(CatBoostAgreementTests.names.count >= 15) }

    @Test("a level of a symmetric tree is one split, in counts and importances", arguments: names.filter { $0.hasPrefix("symmetric") })
    func splitsOfLevels(name: String) throws {
        let fixture = try Fixture("catboost", name, suffix: ".json")
        let file = try JSONSerialization.jsonObject(with: Data(fixture.bytes)) as? [String: Any]
        let trees = try #require(file?["oblivious_trees"] as? [[String: Any]])
        let splits = trees.reduce(0) { $0 + (($1["splits"] as? [Any])?.count ?? 0) }
        let leaves = trees.reduce(0) { $0 + 1 << (($1["splits"] as? [Any])?.count ?? 0) }
        let model = try CatBoostAgreementTests.model(.file(fixture.path))
        #expect(model.splitCounts.reduce(0, +) == splits && model.nodeCount == splits + leaves)
    }

    @Test("the exponential of CatBoost: exact at 0, 0 or the least normal number at the far end, as CatBoost 1.2.10 answers")
    func exponential() {
        #expect(CatBoostExponential.of(0) == 1 && CatBoostExponential.of(-710) == 0 && CatBoostExponential.of(710) == .infinity)
        var row = [-2133.83345356, -1918.34224638, -1360.44547594, -645.62532282, 0, -720]
        var span = row.mutableSpan
        OutputTransform.catBoostSoftmax.apply(&span)
        #expect(row[..<3] == [0x1p-1022, 0x1p-1022, 0x1p-1022] && row[4...] == [1, 0])
        let errors = (-700...700).map { abs(CatBoostExponential.of(Double($0)) / exp(Double($0)) - 1) }
        #expect((errors.max() ?? 1) < 1e-12)
    }

    @Test("a model with target statistics is refused by name")
    func counts() throws {
        let fixture = try Fixture("catboost", "counts", suffix: ".json")
        expectError(.unknownFormat, "OnlineCtr", "oblivious_trees[", "one_hot_max_size") {
            _ = try CatBoostAgreementTests.model(.file(fixture.path))
        }
    }
}
