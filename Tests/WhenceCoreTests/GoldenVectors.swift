import Foundation
import RandomFixtures

@testable import WhenceCore

/// The files in `Formats/vectors`, as far as this room reads them. The pages say what the fields mean.
enum GoldenVectors {
    static func read<T: Decodable>(_ name: String, as _: T.Type) throws -> T {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let data = try Data(contentsOf: root.appendingPathComponent("Formats/vectors/\(name)"))
        return try JSONDecoder().decode(T.self, from: data)
    }

    struct Keys: Decodable {
        struct Entity: Decodable {
            var name: String
            var values: [Element]
            var hex: String
        }
        struct Version: Decodable {
            var values: [Element]
            var event_time: String
            var commit_time: String
            var hex: String?
        }
        struct Sorted: Decodable {
            var name: String
            var keys: [[Element]]
        }
        struct Refused: Decodable {
            var name: String
            var hex: String
        }
        var version: Int
        var entities: [Entity]
        var versions: [Version]
        var sorted: [Sorted]
        var sorted_versions: [Version]
        var refused: [Refused]
    }

    /// One element of a key: an object with its type as the only name.
    struct Element: Decodable {
        var int64: String?
        var string: String?
        var bytes: String?
        var bool: Bool?

        var value: KeyValue {
            if let int64, let number = Int64(int64) { return .int64(number) }
            if let string { return .string(string) }
            if let bytes { return .bytes([UInt8](hex: bytes)) }
            return .bool(bool ?? false)
        }
    }

    struct Rows: Decodable {
        struct Field: Decodable {
            var id: UInt32
            var name: String
            var type: String
        }
        struct Fields: Decodable {
            var id: UInt32
            var fields: [Field]
        }
        struct Row: Decodable {
            var name: String
            var schema: String
            var availability: String?
            var over_deletion: Bool
            var over_retraction: Bool
            var values: [String: JSONValue]
            var hex: String
        }
        struct Tombstone: Decodable {
            var kind: String
            var availability: String?
            var hex: String
        }
        struct Refused: Decodable {
            var name: String
            var schema: String
            var hex: String
            var code: String
        }
        var version: Int
        var schemas: [String: Fields]
        var rows: [Row]
        var tombstones: [Tombstone]
        var refused: [Refused]

        func layout(_ name: String) throws -> RowLayout {
            guard let schema = schemas[name] else { throw Malformed(what: "schema \(name)") }
            let fields = try schema.fields.map { SchemaField(id: $0.id, name: $0.name, type: try FeatureType(named: $0.type)) }
            return RowLayout(Schema(id: schema.id, fields: fields))
        }
    }

    struct Malformed: Error { var what: String }

    static func time(_ text: String?) -> Timestamp? { text.flatMap { Int64($0) }.map { Timestamp(microseconds: $0) } }
}

/// A feature's value as the vectors write it: int64 and timestamp as decimal text, floats as the hexadecimal digits of
/// their bits, bytes as hexadecimal.
enum JSONValue: Decodable {
    case null
    case bool(Bool)
    case number(Int64)
    case text(String)
    case list([JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .bool(flag)
        } else if let number = try? container.decode(Int64.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .list(try container.decode([JSONValue].self))
        }
    }

    func value(_ type: FeatureType) throws -> Value {
        switch (type, self) {
        case (_, .null): return .null
        case (.scalar(.bool), .bool(let flag)): return .bool(flag)
        case (.scalar(.int32), .number(let number)): return .int32(Int32(number))
        case (.scalar(.string), .text(let text)): return .string(text)
        case (.scalar(.bytes), .text(let text)): return .bytes([UInt8](hex: text))
        case (.scalar(.int64), .text(let text)): if let number = Int64(text) { return .int64(number) }
        case (.scalar(.timestamp), .text(let text)): if let time = GoldenVectors.time(text) { return .timestamp(time) }
        case (.scalar(.float32), .text(let text)): if let bits = UInt32(text, radix: 16) { return .float32(Float(bitPattern: bits)) }
        case (.scalar(.float64), .text(let text)): if let bits = UInt64(text, radix: 16) { return .float64(Double(bitPattern: bits)) }
        case (.list(let scalar), .list(let elements)): return .list(try elements.map { try $0.value(.scalar(scalar)) })
        case (.vector, .list(let elements)):
            let floats = try elements.compactMap { element -> Float? in
                guard case .float32(let number) = try element.value(.float32) else { return nil }
                return number
            }
            return .vector(floats)
        default: break
        }
        throw GoldenVectors.Malformed(what: "\(self) as \(type.name)")
    }
}
