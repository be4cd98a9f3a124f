import Testing
import WhenceCore

@testable import WhenceModels

@Suite("LightGBM agrees with itself") struct LightGBMAgreementTests {
    static let names = Fixture.names("lightgbm", suffix: ".txt")

    @Test("Raw sums to the bit, transformed within one unit in the last place, the same leaves and contributions", arguments: names)
    func predictions(name: String) throws {
        let agreement = try Agreement("lightgbm", name, suffix: ".txt")
        try agreement.checkRaw()
        try agreement.checkPredicted(isFloat: false)
        try agreement.checkLeaves()
        try agreement.checkContributions(relative: 1e-9)
    }

    @Test("There are fixtures") func fixtures() { #expect(LightGBMAgreementTests.names.count >= 25) }
}
