import Foundation
import WhenceCore

@testable import WhenceModels

/// A model file of `Tests/Fixtures/Models` and what its library made of some rows (`NAME.rows.json`).
struct Fixture {
    /// A number, or a text for a category.
    enum Cell: Equatable {
        case number(Double)
        case text(String)

        var number: Double { if case .number(let value) = self { value } else { .nan } }
    }

    let path: String
    var rows: [[Cell]] = []
    /// The tables beside `rows`, by their keys; those within `outputs` too.
    var tables: [String: [[Cell]]] = [:]

    /// Where the models are: in the tree, or where `WHENCE_MODEL_FIXTURES` says that the scripts of `Tests/Fixtures/Models` have made
    /// others, from another seed.
    static let directory =
        ProcessInfo.processInfo.environment["WHENCE_MODEL_FIXTURES"].map { URL(filePath: $0) }
        ?? URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/Models").standardizedFileURL

    /// The names of the models in a directory of the fixtures.
    static func names(_ folder: String, suffix: String) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: directory.appending(path: folder).path)) ?? []
        return files.filter { $0.hasSuffix(suffix) && !$0.hasSuffix(".rows.json") }.map { String($0.dropLast(suffix.count)) }.sorted()
    }

    init(_ folder: String, _ name: String, suffix: String) throws {
        path = Fixture.directory.appending(path: "\(folder)/\(name)\(suffix)").path
        let rowsPath = Fixture.directory.appending(path: "\(folder)/\(name).rows.json").path
        var reader = try JSONReader(ModelStream(.file(rowsPath), bytesMax: 1 << 24))
        try reader.beginObject()
        while let key = try reader.nextKey() {
            if key == "outputs" {
                try reader.beginObject()
                while let name = try reader.nextKey() { tables[name] = try Fixture.table(&reader) }
            } else {
                tables[key] = try Fixture.table(&reader)
            }
        }
        try reader.finish()
        rows = tables.removeValue(forKey: "rows") ?? []
    }

    private static func table(_ reader: inout JSONReader) throws -> [[Cell]] {
        var table: [[Cell]] = []
        try reader.beginArray()
        while try reader.nextElement() {
            var row: [Cell] = []
            try reader.beginArray()
            while try reader.nextElement() {
                row.append(try reader.kind() == .string ? .text(try reader.string()) : .number(try reader.double()))
            }
            table.append(row)
        }
        return table
    }

    var bytes: [UInt8] { (try? Data(contentsOf: URL(filePath: path))).map { Array($0) } ?? [] }
}
