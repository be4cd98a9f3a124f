import Testing
import WhenceCore

@testable import WhenceModels

@Suite("XGBoost agrees with itself") struct XGBoostAgreementTests {
    static let json = Fixture.names("xgboost", suffix: ".json")
    static let ubjson = Fixture.names("xgboost", suffix: ".ubj")

    @Test("JSON: raw sums to the bit, transformed within one unit in the last place, the same leaves and contributions", arguments: json)
    func documents(name: String) throws { try check(name, ".json") }

    @Test("UBJSON: the same", arguments: ubjson)
    func binaryDocuments(name: String) throws { try check(name, ".ubj") }

    private func check(_ name: String, _ suffix: String) throws {
        let agreement = try Agreement("xgboost", name, suffix: suffix)
        try agreement.checkRaw()
        try agreement.checkPredicted(isFloat: true)
        try agreement.checkLeaves()
        try agreement.checkContributions(relative: 2e-5)
        if name.contains("vector") { try checkSums(agreement) }
    }

    /// Contributions of vector leaves, which XGBoost cannot tell, add up to the raw sums.
    private func checkSums(_ agreement: Agreement) throws {
        let shares = try agreement.model.contributions(agreement.features, rows: agreement.rows)
        let width = agreement.model.featureCount + 1
        for (place, sum) in try #require(agreement.table("raw")).enumerated() {
            let added = shares[(place * width)..<((place + 1) * width)].reduce(0, +)
            #expect(abs(added - sum) <= 2e-6 * max(1, abs(sum)), "\(agreement.fixture.path): contributions add up to \(added), not \(sum)")
        }
    }

    @Test("There are fixtures") func fixtures() {
        #expect(XGBoostAgreementTests.json.count >= 25 && XGBoostAgreementTests.ubjson.count >= 4)
    }
}
