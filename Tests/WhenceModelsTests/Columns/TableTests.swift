import Foundation
import Testing
import WhenceCore

@testable import WhenceModels

/// Tables of pandas with categories of each kind give what the library makes of them, whatever the types of their columns are.
@Suite("Tables of pandas") struct TableTests {
    /// `NAME.table.json` of `Tests/Fixtures/Models/tables`.
    private struct Table {
        var columns: [(name: String, values: [CategoryValue?])] = []
        var predicted: [Double] = []
        let model: Model

        init(_ file: String) throws {
            let folder = Fixture.directory.appending(path: "tables")
            model = try Model.read(.file(folder.appending(path: file).path))
            let path = folder.appending(path: file.components(separatedBy: ".")[0] + ".table.json").path
            var reader = try JSONReader(ModelStream(.file(path), bytesMax: 1 << 24))
            try reader.beginObject()
            while let key = try reader.nextKey() {
                guard key == "columns" else {
                    try reader.doubles(into: &predicted, max: 1000)
                    continue
                }
                try reader.beginObject()
                while let name = try reader.nextKey() {
                    var values: [CategoryValue?] = []
                    try reader.beginArray()
                    while try reader.nextElement() {
                        switch try reader.kind() {
                        case .string: values.append(.text(try reader.string()))
                        case .bool: values.append(.bool(try reader.bool()))
                        case .null:
                            try reader.null()
                            values.append(nil)
                        default: values.append(try reader.category())
                        }
                    }
                    columns.append((name, values))
                }
            }
            try reader.finish()
        }

        /// The features of the rows, with each column of its type.
        func features(
            _ types: [String: FeatureType], _ spelling: (CategoryValue) -> String = \.text
        ) throws -> [Double] {
            let types = TableTests.natural.merging(types) { $1 }
            let batch = try FeatureColumnsTests.batch(
                columns.map { name, values in
                    let type = types[name] ?? .float64
                    return (name, type, values.map { $0.map { Table.value($0, type, spelling) } ?? .null })
                })
            var features: [Double] = []
            try FeatureColumns(model, columns: batch.names).fill(batch, rows: 0..<predicted.count, into: &features)
            return features
        }

        private static func value(_ value: CategoryValue, _ type: FeatureType, _ spelling: (CategoryValue) -> String) -> Value {
            let number: Double =
                switch value {
                case .whole(let number): Double(number)
                case .real(let number): number
                case .bool(let value): value ? 1 : 0
                case .text: 0
                }
            return switch type {
            case .scalar(.string): .string(spelling(value))
            case .scalar(.bool): .bool(number == 1)
            case .scalar(.int64): .int64(Int64(number))
            case .scalar(.int32): .int32(Int32(number))
            case .scalar(.float32): .float32(Float(number))
            default: .float64(number)
            }
        }

        /// Checks the predictions, to the bit.
        func check(_ types: [String: FeatureType], _ spelling: (CategoryValue) -> String = \.text, _ what: String = "") throws {
            let found = try model.predict(try features(types, spelling), rows: predicted.count)
            for row in predicted.indices where found[row] != predicted[row] {
                Issue.record("\(types) \(what), row \(row): \(found[row]) and not \(predicted[row])")
                return
            }
        }
    }

    /// What the columns are in a table of Arrow that pandas wrote.
    private static let natural: [String: FeatureType] = ["hour": .int64, "only": .string, "late": .bool, "city": .string]

    /// The ways in which texts stand for values.
    private static let spellings: [(String, @Sendable (CategoryValue) -> String)] = [
        ("as Python has them", { $0.text }),
        (
            "whole numbers with a point, as pandas has columns with gaps",
            { if case .whole(let number) = $0 { "\(number).0" } else { $0.text } }
        ),
        ("fractions without a point where they are whole", { if case .real(2) = $0 { "2" } else { $0.text } }),
        ("truth as JSON has it", { if case .bool(let value) = $0 { value ? "true" : "false" } else { $0.text } }),
        ("truth as numbers", { if case .bool(let value) = $0 { value ? "1" : "0" } else { $0.text } }),
    ]

    @Test("LightGBM: columns of their own types, of other types of numbers, and texts in all spellings")
    func lightGBM() throws {
        let table = try Table("lightgbm.txt")
        #expect(table.predicted.count == 60 && Set(table.predicted).count > 12)
        #expect(table.model.features.map(\.values.count) == [4, 1, 2, 0, 4, 5] && !table.model.features[1].isUsed)
        try table.check([:])
        for type in [FeatureType.int32, .float64, .float32] { try table.check(["hour": type]) }
        for type in [FeatureType.int64, .float64] { try table.check(["late": type]) }
        try table.check(["size": .float32])
        let texts: [String: FeatureType] = ["hour": .string, "late": .string, "size": .string]
        for (what, spelling) in TableTests.spellings { try table.check(texts, spelling, what) }
        // What no rule looks at may be anything.
        try table.check(["only": .float64])
        expectError(.invalidValue, "column city", "a column of int64 cannot stand for one of the model's categories", "such as '20'") {
            _ = try table.features(["city": .int64])
        }
    }

    @Test("A number is never a category's number where the model knows the values")
    func numbersAreValues() throws {
        let table = try Table("lightgbm.txt")
        var features: [Double] = []
        for (name, values, due) in [
            ("hour", [Value.int64(0), .int64(1), .int64(10), .int64(40)], [.nan, .nan, 0, 3]),
            ("size", [.float64(0), .float64(-0.0625), .float64(.nan), .float64(.infinity)], [.nan, 0, .nan, .nan]),
            ("city", [.string("20"), .string("20.0"), .string("True"), .string("true")], [0, .nan, .nan, 3] as [Double]),
        ] {
            let type: FeatureType = name == "hour" ? .int64 : name == "size" ? .float64 : .string
            let batch = try FeatureColumnsTests.batch([(name, type, values)])
            try FeatureColumns(table.model, columns: [name]).fill(batch, rows: 0..<4, into: &features)
            let index = try #require(table.model.features.firstIndex { $0.name == name })
            #expect((0..<4).map { features[$0 * 6 + index].bitPattern } == due.map(\.bitPattern), "\(name)")
        }
    }

    @Test("Texts are told apart by their bytes") func composedTexts() {
        let codes = CategoryCodes([.text("e\u{301}"), .text("\u{E9}")])
        #expect(codes.isUnique && codes.code(.text("e\u{301}")) == 0 && codes.code(.text("\u{E9}")) == 1)
    }

    @Test("Whole numbers beyond 2^53 are exact, and a number that stands twice is seen") func greatNumbers() {
        let codes = CategoryCodes([.whole(1 << 53), .whole(1 << 53 + 1), .real(0.1), .bool(false)])
        #expect(codes.isUnique && codes.code(.text("9007199254740993")) == 1 && codes.code(.whole(1 << 53)) == 0)
        #expect(codes.code(.real(0.1)) == 2 && codes.code(.real(Double(Float(0.1)))).isNaN && codes.code(.text("1e-1")) == 2)
        #expect(codes.code(.whole(0)) == 3 && codes.code(.text("-0.0")) == 3 && codes.code(.text("FALSE")) == 3)
        for twins in [[CategoryValue.whole(2), .real(2)], [.bool(true), .whole(1)], [.text("a"), .text("a")]] {
            #expect(!CategoryCodes(twins).isUnique)
        }
    }

    @Test("XGBoost: values of whole numbers and of texts", arguments: ["xgboost.json", "xgboost.ubj"])
    func xgboost(file: String) throws {
        let table = try Table(file)
        #expect(table.model.features.map(\.values.count) == [4, 0, 5] && Set(table.predicted).count > 12)
        for type in [FeatureType.int64, .int32, .float64, .string] { try table.check(["hour": type]) }
        // XGBoost itself refuses what it was not trained on.
        for (name, type, value) in [
            ("hour", FeatureType.int64, Value.int64(0)), ("hour", .string, .string("x")), ("city", .string, .string("x")),
        ] {
            let batch = try FeatureColumnsTests.batch([(name, type, [value])])
            var features: [Double] = []
            let columns = try FeatureColumns(table.model, columns: [name])
            expectError(.invalidValue, "column \(name)", "is none of the categories", "leave it empty") {
                try columns.fill(batch, rows: 0..<1, into: &features)
            }
        }
    }

    @Test("XGBoost: texts beyond ASCII, which it cuts in the wrong places, are given by their numbers")
    func spoiledTexts() throws {
        let path = Fixture.directory.appending(path: "tables/xgboost.json")
        // "Rom" and what follows it become "Łódź", of which XGBoost would keep four bytes.
        let text = try String(contentsOf: path, encoding: .utf8).replacing("76,111,100,122", with: "-59,-127,-61,-77")
        let model = try Model.read(.bytes(Array(text.utf8), name: "m.json"))
        #expect(
            model.features.map(\.values.count) == [4, 0, 0]
                && model.notes.contains { $0.text.contains("city") && $0.text.contains(".cat.codes") })
        var features: [Double] = []
        let texts = try FeatureColumnsTests.batch([("city", .string, [.string("Rom")])])
        let columns = try FeatureColumns(model, columns: ["city"])
        expectError(.invalidValue, "column city", "a column of string cannot stand for the number of a category", ".cat.codes") {
            try columns.fill(texts, rows: 0..<1, into: &features)
        }
        try columns.fill(try FeatureColumnsTests.batch([("city", .int64, [.int64(2)])]), rows: 0..<1, into: &features)
        #expect(features[2] == 2)
    }

    @Test("CatBoost: truth values count as 1 and 0, texts as themselves") func catBoost() throws {
        let table = try Table("catboost.json")
        try table.check(["v": .float32])
        try table.check(["late": .int64, "v": .float32])
        try table.check(
            ["late": .string, "v": .float32], { if case .bool(let value) = $0 { table.model.text(of: value) } else { $0.text } })
        let features = try table.features(["late": .string, "v": .float32])
        let place = try #require(table.model.features.firstIndex { $0.name == "late" })
        #expect(table.predicted.indices.allSatisfy { features[$0 * 2 + place] == -1 })
    }
}
