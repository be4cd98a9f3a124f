import RandomFixtures
import Testing
import WhenceCore

@testable import WhenceModels

/// Damages a model by the thousand, and checks that each gives an error for people, or a model that predicts.
enum DamagedModels {
    static func check(_ seed: [UInt8], rounds: Int, seedNumber: UInt64) {
        var generator = SeededRandom(seed: seedNumber)
        var limits = ModelLimits()
        // What a file of a few kilobytes may ask for.
        limits.outputs = 1000
        limits.memoryBytes = 64 << 20
        var models = 0
        for round in 0..<rounds {
            let bytes = round == 0 ? seed : Mutation.mutate(seed, &generator)
            do throws(WhenceError) {
                let model = try Model.read(.bytes(bytes, name: "damaged"), limits: limits)
                models += 1
                guard model.featureCount < 1000 else { continue }
                let values: [Double] = [.nan, 0, 1, -1.5, 1e300, 7, -.infinity]
                let features = (0..<(6 * model.featureCount)).map { values[$0 % 7] }
                _ = try model.predict(features, rows: 6)
                if model.treeCount > 0 { _ = try model.leafIndices(features, rows: 6) }
                if model.hasContributions { _ = try model.contributions(Array(features[..<model.featureCount]), rows: 1) }
            } catch { #expect(!error.message.isEmpty && !error.place.isEmpty, "\(error), seed \(seedNumber), round \(round)") }
        }
        #expect(models > 0)
    }
}
