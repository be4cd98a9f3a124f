import Foundation
import RandomFixtures

@testable import WhenceCore
@testable import WhenceProtocol

/// `Formats/vectors/wire-protocol.json`; its generator says how fields are written.
enum GoldenVectors {
    struct File: Decodable {
        struct Entry: Decodable {
            var name: String
            var kind: String
            var code: UInt8
            var request: UInt32
            var fields: Fields
            var hex: String
        }
        struct Refused: Decodable {
            var name: String
            var from: String
            var hex: String
            var schema: Fields?
        }
        struct Sum: Decodable {
            var hex: String
            var crc32c: UInt32
        }
        var version: Int
        var checksums: [Sum]
        var messages: [Entry]
        var refused: [Refused]
    }

    static func read() throws -> File {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let data = try Data(contentsOf: root.appendingPathComponent("Formats/vectors/wire-protocol.json"))
        return try JSONDecoder().decode(File.self, from: data)
    }
}

/// A value of JSON that is asked for what it should be.
@dynamicMemberLookup
indirect enum Fields: Decodable, Sendable {
    case null
    case flag(Bool)
    case number(Int64)
    case text(String)
    case list([Fields])
    case object([String: Fields])

    struct Unexpected: Error { var what: String }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Int64.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let list = try? container.decode([Fields].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: Fields].self))
        }
    }

    subscript(dynamicMember name: String) -> Fields { self[name] }

    subscript(name: String) -> Fields {
        guard case .object(let members) = self, let member = members[name] else { return .text("no field \(name)") }
        return member
    }

    var string: String {
        get throws {
            guard case .text(let text) = self else { throw Unexpected(what: "\(self) for text") }
            return text
        }
    }

    var bool: Bool {
        get throws {
            guard case .flag(let flag) = self else { throw Unexpected(what: "\(self) for a flag") }
            return flag
        }
    }

    /// A number, written as such or as text.
    func number<T: FixedWidthInteger>(_: T.Type = T.self) throws -> T {
        switch self {
        case .number(let number): if let exact = T(exactly: number) { return exact }
        case .text(let text): if let exact = T(text) { return exact }
        default: break
        }
        throw Unexpected(what: "\(self) for a number")
    }

    func optionalNumber<T: FixedWidthInteger>(_: T.Type = T.self) throws -> T? {
        if case .null = self { return nil }
        return try number()
    }

    var bytes: [UInt8] { get throws { [UInt8](hex: try string) } }

    var items: [Fields] {
        get throws {
            guard case .list(let items) = self else { throw Unexpected(what: "\(self) for a list") }
            return items
        }
    }

    var strings: [String] { get throws { try items.map { try $0.string } } }

    var asTime: Timestamp { get throws { Timestamp(microseconds: try number()) } }

    var optionalTime: Timestamp? {
        get throws {
            if case .null = self { return nil }
            return try asTime
        }
    }

    /// A timeout; what is beyond 64 bits with a sign is the longest that there is.
    var asTimeout: Duration? {
        get throws {
            let microseconds: UInt64 = try number()
            return microseconds == 0 ? nil : .microseconds(Int64(clamping: microseconds))
        }
    }

    var schema: BatchSchema {
        get throws {
            let columns = try items.map { try $0.items }
            return BatchSchema(names: try columns.map { try $0[0].string }, types: try columns.map { try FeatureType(named: $0[1].string) })
        }
    }

    var options: StreamOptions {
        get throws {
            StreamOptions(credit: try self.credit.number(), batchRows: try self.batch_rows.number(), compress: try self.compress.bool)
        }
    }

    var selection: ReadSelection {
        get throws {
            let service = try self.service.string
            return service.isEmpty ? .features(try self.features.strings) : .service(service)
        }
    }

    /// The batch of `schema` and `columns`.
    var batch: ColumnBatch {
        get throws {
            let schema = try self["schema"].schema
            let count: Int = try self.columns["rows"].number()
            var columns: [Column] = []
            for (type, values) in zip(schema.types, try self.columns["columns"].items) {
                let builder = ColumnBuilder(type)
                for value in try values.items { try builder.append(value.value(type)) }
                columns.append(try builder.finish())
            }
            return ColumnBatch(names: schema.names, columns: columns, count: count)
        }
    }

    var optionalBatch: ColumnBatch? {
        get throws {
            if case .null = self { return nil }
            return try batch
        }
    }

    func value(_ type: FeatureType) throws -> Value {
        if case .null = self { return .null }
        switch type {
        case .scalar(.bool): return .bool(try bool)
        case .scalar(.int32): return .int32(try number())
        case .scalar(.int64): return .int64(try number())
        case .scalar(.timestamp): return .timestamp(try asTime)
        case .scalar(.string): return .string(try string)
        case .scalar(.bytes): return .bytes(try bytes)
        case .scalar(.float32): return .float32(try float)
        case .scalar(.float64):
            guard let bits = UInt64(try string, radix: 16) else { throw Unexpected(what: "\(self) for a float64") }
            return .float64(Double(bitPattern: bits))
        case .vector: return .vector(try items.map { try $0.float })
        case .list(let scalar): return .list(try items.map { try $0.value(.scalar(scalar)) })
        }
    }

    private var float: Float {
        get throws {
            guard let bits = UInt32(try string, radix: 16) else { throw Unexpected(what: "\(self) for a float32") }
            return Float(bitPattern: bits)
        }
    }
}
