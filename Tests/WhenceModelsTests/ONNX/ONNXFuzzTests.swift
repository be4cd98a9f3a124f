import Foundation
import RandomFixtures
import Testing
import WhenceCore

@testable import WhenceModels

/// Damaged models by the ten thousand: each gives an error, or a graph that runs.
@Suite("Damaged ONNX") struct ONNXFuzzTests {
    static let seeds = ["classes_one", "trees_v5_float", "encoders", "linear_regression", "network_operators"]

    @Test("50,000 files", arguments: seeds)
    func files(name: String) throws {
        let seed = try Fixture("onnx", name, suffix: ".onnx").bytes
        let rounds = FuzzRounds.count(10_000)
        var generator = SeededRandom(seed: UInt64(seed.count))
        var graphs = 0
        for round in 0..<rounds {
            let bytes = round == 0 ? seed : Mutation.mutate(seed, &generator)
            do throws(WhenceError) {
                let graph = try ONNXAgreementTests.graph(.bytes(bytes, name: "m"))
                graphs += 1
                guard graph.featureCount < 1000, graph.outputCount < 10_000 else { continue }
                let features = (0..<(3 * graph.featureCount)).map { [Double.nan, 0, 1, -1.5, 1e300][$0 % 5] }
                var answers = Array(repeating: 0.0, count: 3 * graph.outputCount)
                var span = answers.mutableSpan
                try graph.predict(features.span, rows: 3, into: &span)
            } catch { #expect(!error.message.isEmpty && !error.place.isEmpty, "\(error)") }
        }
        #expect(graphs > 0)
    }
}
