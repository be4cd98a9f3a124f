import Foundation
import Testing
import WhenceCore
import WhenceTabular

/// Small inputs and outputs that the tests share.
enum Samples {
    static func csv(_ text: String, _ options: CSVReader.Options = .init()) throws(WhenceError) -> CSVReader {
        try CSVReader(ByteSource(bytes: Array(text.utf8), name: "t.csv"), options: options)
    }

    static func ndjson(_ text: String) -> NDJSONReader { NDJSONReader(ByteSource(bytes: Array(text.utf8), name: "t.ndjson")) }

    /// What a field shows in a test: `-` absent, `null`, or its kind and its text.
    static func show(_ field: RecordField) -> String {
        switch field.state {
        case .absent: "-"
        case .null: "null"
        default: "\(field.state):\(String(clipping: field.bytes, limit: 1000))"
        }
    }

    /// All records: the fields of those that are good, and the place and message of those that are not.
    static func records(_ reader: any RecordReader) -> [String] {
        let reader = reader
        var shown: [String] = []
        while true {
            do throws(WhenceError) {
                guard try reader.next() else { return shown }
                var fields: [String] = []
                for index in 0..<reader.fieldCount { fields.append(show(reader.field(index))) }
                shown.append(fields.joined(separator: " | "))
            } catch {
                shown.append("\(error.place): \(error.message)")
                if !reader.canContinue { return shown }
            }
        }
    }

    /// A path in a directory of its own that is removed afterwards.
    static func withDirectory(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("whence-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    /// Every type of feature, with a null, an empty value and the ends of its range.
    static func everyType() throws -> ColumnBatch {
        let values: [(String, FeatureType, [Value])] = [
            ("flag", .bool, [.bool(true), .null, .bool(false)]),
            ("small", .int32, [.int32(.min), .int32(.max), .null]),
            ("large", .int64, [.int64(.min), .int64(.max), .int64(0)]),
            ("single", .float32, [.float32(0.1), .null, .float32(-.infinity)]),
            ("double", .float64, [.float64(0.1), .float64(.infinity), .float64(-0.0)]),
            ("text", .string, [.string(""), .null, .string("a \"b\",\nü€😀\\")]),
            ("raw", .bytes, [.bytes([]), .bytes([0, 255, 16]), .null]),
            ("time", .timestamp, [.timestamp(.earliest), .timestamp(.latest), .timestamp(Timestamp(microseconds: 1))]),
            ("embedding", .vector(dimension: 3), [.vector([1, -2.5, 1e-10]), .null, .vector([0, 0, 0])]),
            ("numbers", .list(.int64), [.list([.int64(1), .int64(-2)]), .list([]), .null]),
            ("words", .list(.string), [.list([.string("a,b"), .string("\"")]), .null, .list([])]),
            ("flags", .list(.bool), [.list([.bool(true), .bool(false), .bool(true)]), .null, .list([.bool(true)])]),
            ("blobs", .list(.bytes), [.null, .list([.bytes([1, 2]), .bytes([])]), .list([])]),
        ]
        var columns: [Column] = []
        for (_, type, rows) in values {
            let builder = ColumnBuilder(type)
            for value in rows { try builder.append(value) }
            columns.append(try builder.finish())
        }
        return ColumnBatch(names: values.map(\.0), columns: columns, count: 3)
    }

    static func columns(_ batch: ColumnBatch) -> [TableColumn] { zip(batch.names, batch.columns).map { TableColumn($0, $1.type) } }

    /// The rows of a batch, to the bit.
    static func rows(_ batch: ColumnBatch) -> [[Value]] { (0..<batch.count).map { row in batch.columns.map { $0.value(row) } } }
}

/// A generator with a seed, so that a failing input can be made again (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
