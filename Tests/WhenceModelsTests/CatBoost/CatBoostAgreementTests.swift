import Testing
import WhenceCore

@testable import WhenceModels

/// Every fixture gives what CatBoost gives: raw sums and leaves to the bit, predictions within a unit in the
/// last place; those of softmax within eight, for CatBoost takes a fast exponential there that is off by as much.
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
        // One row at a time takes another way.
        for row in 0..<rows {
            let one = try model.predictRaw(Array(features[(row * model.featureCount)..<((row + 1) * model.featureCount)]), rows: 1)
            #expect(one.map(\.bitPattern) == due[(row * one.count)..<((row + 1) * one.count)].map(\.bitPattern), "row \(row)")
        }
        let leaves = fixture.tables["leaves"] ?? []
        if !leaves.isEmpty {
            #expect(try model.leafIndices(features, rows: rows) == leaves.flatMap { $0.map { Int32($0.number) } })
        }
        if model.hasContributions {
            let shares = try model.contributions(features, rows: rows)
            let width = model.featureCount + 1
            for (place, sum) in raw.enumerated() {
                let added = shares[(place * width)..<((place + 1) * width)].reduce(0, +)
                #expect(abs(added - sum) <= 1e-9 * max(1, abs(sum)), "contributions add up to \(added), not \(sum)")
            }
        }
        let predictions = try model.predict(features, rows: rows)
        for (row, due) in try #require(fixture.tables["probability"]).enumerated() {
            // For two classes CatBoost answers both probabilities; the second is the model's output.
            let due = due.count == model.outputCount ? due : [due[1]]
            let units = model.objective == "MultiClass" ? 8.0 : 1.0
            for index in due.indices {
                let answer = predictions[row * model.outputCount + index]
                #expect(
                    abs(answer - due[index].number) <= units * due[index].number.ulp,
                    "row \(row): \(answer), and CatBoost has \(due[index].number)")
            }
        }
    }

    @Test("a model with target statistics is refused by name")
    func counts() throws {
        let fixture = try Fixture("catboost", "counts", suffix: ".json")
        expectError(.unknownFormat, "OnlineCtr", "oblivious_trees[", "one_hot_max_size") {
            _ = try CatBoostAgreementTests.model(.file(fixture.path))
        }
    }
}
