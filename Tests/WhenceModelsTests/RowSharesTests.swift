import RandomFixtures
import Testing
import WhenceCore

@testable import WhenceModels

@Suite("Several threads") struct RowSharesTests {
    @Test(
        "answer what one does, to the bit",
        arguments: [
            ("lightgbm", "multiclass", ".txt"), ("lightgbm", "linear", ".txt"), ("lightgbm", "forest", ".txt"),
            ("xgboost", "softprob", ".json"),
            ("xgboost", "softmax", ".json"), ("xgboost", "tiny_linear", ".json"), ("catboost", "symmetric_words", ".json"),
            ("onnx", "network_operators", ".onnx"),
        ])
    func sameBits(folder: String, name: String, suffix: String) throws {
        let model = try Model.read(.file(try Fixture(folder, name, suffix: suffix).path))
        var random = SeededRandom(seed: 12)
        // Some shares, and a part of one.
        let rows = 3 * RowShares.shareRows + 77
        let features = (0..<(rows * model.featureCount)).map { _ in
            Int.random(in: 0..<20, using: &random) == 0 ? Double.nan : Double.random(in: -3...3, using: &random)
        }
        func bits(_ answers: [Double]) -> [UInt64] { answers.map(\.bitPattern) }
        let raw = bits(try model.predictRaw(features, rows: rows))
        let predicted = bits(try model.predict(features, rows: rows))
        for threads in [2, 3, 64] {
            #expect(bits(try model.predictRaw(features, rows: rows, threads: threads)) == raw)
            #expect(bits(try model.predict(features, rows: rows, threads: threads)) == predicted)
            if try model.leavesPerRow() > 0 {
                #expect(try model.leafIndices(features, rows: rows, threads: threads) == model.leafIndices(features, rows: rows))
            }
        }
        if model.hasContributions {
            let some = Array(features[..<((RowShares.shareRows + 9) * model.featureCount)])
            let alone = bits(try model.contributions(some, rows: RowShares.shareRows + 9))
            #expect(bits(try model.contributions(some, rows: RowShares.shareRows + 9, threads: 2)) == alone)
        }
        // What one row gets does not depend on its neighbours, either.
        let last = Array(features[((rows - 1) * model.featureCount)...])
        #expect(bits(try model.predictRaw(last, rows: 1)) == Array(raw[(raw.count - model.rawOutputCount)...]))
    }

    @Test("say what is wrong with the first bad row") func faults() throws {
        let model = try Model.read(.file(try Fixture("onnx", "columns_error", suffix: ".onnx").path))
        let fixture = try Fixture("onnx", "columns_error", suffix: ".onnx")
        let good = try #require(fixture.rows.first)
        let row = good.enumerated().map { index, cell in
            switch cell {
            case .number(let value): return value
            case .text(let text):
                let bytes = Array(text.utf8)
                return unsafe model.code(of: bytes.span.bytes, feature: index)
            }
        }
        let rows = 5 * RowShares.shareRows
        var features = Array((0..<rows).map { _ in row }.joined())
        _ = try model.predict(features, rows: rows, threads: 4)
        let text = try #require(good.firstIndex { if case .text = $0 { true } else { false } })
        for bad in [rows - 1, 2 * RowShares.shareRows + 5] { features[bad * model.featureCount + text] = -1 }
        expectError(.invalidValue, "unknown to the model", "rows 2049 to") { _ = try model.predict(features, rows: rows, threads: 4) }
        expectError(.invalidValue, "unknown to the model") { _ = try model.predict(features, rows: rows) }
    }
}
