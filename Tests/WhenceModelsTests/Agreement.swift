import Testing
import WhenceCore

@testable import WhenceModels

/// Compares a model with what its library said of the fixture's rows.
struct Agreement {
    let fixture: Fixture
    let model: Model
    let features: [Double]
    let rows: Int

    init(_ folder: String, _ name: String, suffix: String) throws {
        fixture = try Fixture(folder, name, suffix: suffix)
        model = try Model.read(.file(fixture.path))
        rows = fixture.rows.count
        features = fixture.rows.flatMap { $0.map(\.number) }
    }

    func table(_ name: String) -> [Double]? { fixture.tables[name]?.flatMap { $0.map(\.number) } }

    /// Iterations of the tables `raw_part` and `predicted_part`.
    var part: Range<Int> { min(1, model.iterationCount)..<min(3, model.iterationCount) }

    /// Raw sums equal the library's to the last bit, whichever walk and instructions are used.
    func checkRaw() throws {
        for (table, range) in [("raw", nil), ("raw_part", part)] {
            guard let expected = self.table(table) else { continue }
            let found = try model.predictRaw(features, rows: rows, iterations: range)
            expectBits(found, expected, "\(table) of all rows")
            let each = try (0..<rows).flatMap { row in
                try model.predictRaw(self.row(row), rows: 1, iterations: range)
            }
            expectBits(each, expected, "\(table) row by row")
        }
    }

    func row(_ row: Int) -> [Double] { Array(features[(row * model.featureCount)..<((row + 1) * model.featureCount)]) }

    /// Transformed predictions are within one unit in the last place.
    func checkPredicted(isFloat: Bool) throws {
        for (table, range) in [("predicted", nil), ("predicted_part", part)] {
            guard let expected = self.table(table) else { continue }
            let found = try model.predict(features, rows: rows, iterations: range)
            #expect(found.count == expected.count, "\(fixture.path) \(table)")
            for (index, pair) in zip(found, expected).enumerated() {
                let unit = isFloat ? Double(Float(pair.1).ulp) : pair.1.ulp
                let isNear = pair.0 == pair.1 || pair.0.isNaN && pair.1.isNaN || abs(pair.0 - pair.1) <= unit
                #expect(isNear, "\(fixture.path) \(table) \(index): \(pair.0) and not \(pair.1)")
            }
        }
    }

    func checkLeaves() throws {
        guard let expected = table("leaves") else { return }
        let found = try model.leafIndices(features, rows: rows)
        #expect(found.map { Double($0) } == expected, "\(fixture.path) leaves")
    }

    /// Contributions agree within `relative` of the greatest one of their row.
    func checkContributions(relative: Double) throws {
        guard let expected = table("contributions"), model.hasContributions else { return }
        let found = try model.contributions(features, rows: rows)
        #expect(found.count == expected.count, "\(fixture.path) contributions")
        guard found.count == expected.count, rows > 0 else { return }
        let width = found.count / rows
        for row in 0..<rows {
            let greatest = expected[(row * width)..<((row + 1) * width)].reduce(1e-30) { max($0, abs($1)) }
            for index in (row * width)..<((row + 1) * width) where !(abs(found[index] - expected[index]) <= relative * greatest) {
                Issue.record(
                    "\(fixture.path) contribution \(index - row * width) of row \(row): \(found[index]) and not \(expected[index])")
                return
            }
        }
    }

    func expectBits(_ found: [Double], _ expected: [Double], _ what: String) {
        #expect(found.count == expected.count, "\(fixture.path) \(what)")
        for (index, pair) in zip(found, expected).enumerated() where !(pair.0.isNaN && pair.1.isNaN) && pair.0 != pair.1 {
            Issue.record("\(fixture.path) \(what), number \(index): \(pair.0) and not \(pair.1)")
            return
        }
    }
}
