import Testing
import WhenceCore

@testable import WhenceModels

@Suite("Features from columns") struct FeatureColumnsTests {
    static func batch(_ columns: [(String, FeatureType, [Value])]) throws -> ColumnBatch {
        var built: [Column] = []
        for (_, type, values) in columns {
            let builder = ColumnBuilder(type)
            for value in values { try builder.append(value) }
            built.append(try builder.finish())
        }
        return ColumnBatch(names: columns.map(\.0), columns: built, count: columns[0].2.count)
    }

    @Test("columns are found by name, in any order and type")
    func byName() throws {
        let model = try LinearModelTests.model(LinearModelTests.example)
        let batch = try FeatureColumnsTests.batch([
            ("carrier", .string, [.string("AA"), .string("UA"), .null]), ("tail", .string, [.null, .null, .null]),
            ("distance", .int64, [.int64(1000), .null, .int64(-1)]), ("dep_delay", .float32, [.float32(32.5), .float32(0.5), .null]),
        ])
        let columns = try FeatureColumns(model, columns: batch.names)
        #expect(columns.missing.isEmpty && columns.surplus == ["tail"])
        var features: [Double] = []
        try columns.fill(batch, rows: 0..<3, into: &features)
        #expect(features.map { $0.isNaN ? "NaN" : "\($0)" } == ["32.5", "1000.0", "0.0", "0.5", "NaN", "-1.0", "NaN", "-1.0", "NaN"])
    }

    @Test("what is missing is said, and what cannot be told apart is refused")
    func faults() throws {
        let model = try LinearModelTests.model(LinearModelTests.example)
        let columns = try FeatureColumns(model, columns: ["distance", "x"])
        #expect(columns.missing == ["dep_delay", "carrier"] && columns.surplus == ["x"])
        expectError(.invalidArgument, "two columns are named 'x'") { _ = try FeatureColumns(model, columns: ["x", "x"]) }
        let batch = try FeatureColumnsTests.batch([("distance", .string, [.string("far")])])
        expectError(.invalidValue, "column distance", "string", "number") {
            var features: [Double] = []
            try FeatureColumns(model, columns: ["distance"]).fill(batch, rows: 0..<1, into: &features)
        }
    }

    @Test("whole numbers stand for their text where the model wants one, as CatBoost has it")
    func numbersAsTexts() throws {
        let model = try LinearModelTests.model(
            #"{"format":"whence-linear","version":1,"features":[{"name":"hour","equals":"7"}],"outputs":[{"coefficients":[1]}]}"#)
        let batch = try FeatureColumnsTests.batch([("hour", .int64, [.int64(7), .int64(8)])])
        var features: [Double] = []
        try FeatureColumns(model, columns: ["hour"]).fill(batch, rows: 0..<2, into: &features)
        #expect(try model.predict(features, rows: 2) == [1, 0])
    }

    @Test("a column that LightGBM would have renamed is found") func nearColumns() throws {
        let model = try LinearModelTests.model(
            #"{"format":"whence-linear","version":1,"features":["my_col","a_b_c","x"],"outputs":[{"coefficients":[1,2,3]}]}"#)
        let columns = try FeatureColumns(model, columns: ["a_b c", "my col", "y"])
        #expect((0..<3).map { columns.nearColumn($0, among: ["a_b c", "my col", "y"]) } == ["my col", "a_b c", nil])
        #expect(columns.missing == ["my_col", "a_b_c", "x"])
    }
}
