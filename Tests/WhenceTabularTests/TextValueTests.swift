import Foundation
import Testing
import WhenceCore

@testable import WhenceTabular

@Suite("Values from text") struct TextValueTests {
    static var times: TimeParser { TimeParser() }

    static func value(_ text: String, _ type: FeatureType, _ state: RecordField.State = .text) throws -> Value? {
        let bytes = Array(text.utf8)
        return try unsafe TextValue.value(RecordField(state: state, bytes: bytes.span.bytes), as: type, times: times)
    }

    static func key(_ text: String, _ type: KeyType, _ state: RecordField.State = .text) throws -> [KeyValue] {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        try unsafe TextValue.appendKey(RecordField(state: state, bytes: bytes.span.bytes), as: type, to: &out)
        return try EntityKey(encoded: out).values()
    }

    @Test("each type reads its text")
    func types() throws {
        #expect(try TextValueTests.value("TRUE", .bool) == .bool(true))
        #expect(try TextValueTests.value("0", .bool) == .bool(false))
        #expect(try TextValueTests.value("-2147483648", .int32) == .int32(.min))
        #expect(try TextValueTests.value("9223372036854775807", .int64) == .int64(.max))
        #expect(try TextValueTests.value("-9223372036854775808", .int64) == .int64(.min))
        #expect(try TextValueTests.value("2004.0", .int32) == .int32(2004))
        #expect(try TextValueTests.value("1e3", .float32) == .float32(1000))
        #expect(try TextValueTests.value("-inf", .float64) == .float64(-.infinity))
        #expect(
            try TextValueTests.value("2013-01-01T05:00:00-05:00", .timestamp) == .timestamp(try Timestamp(parsing: "2013-01-01T10:00:00Z")))
        #expect(try TextValueTests.value("0x00fF10", .bytes) == .bytes([0, 255, 16]))
        #expect(try TextValueTests.value("AP8Q", .bytes) == .bytes([0, 255, 16]))
        #expect(try TextValueTests.value("AP8=", .bytes, .string) == .bytes([0, 255]))
        #expect(try TextValueTests.value("[1, 2.5]", .vector(dimension: 2)) == .vector([1, 2.5]))
        #expect(try TextValueTests.value("[\"\\u00e9\", \"\"]", .list(.string), .structure) == .list([.string("é"), .string("")]))
        #expect(try TextValueTests.value("[]", .list(.string)) == .list([]))
        #expect(try TextValueTests.value("Infinity", .float64, .string) == .float64(.infinity))
        #expect(try TextValueTests.value("", .string, .quotedText) == .string(""))
        #expect(try TextValueTests.value("", .string, .null) == .null)
        #expect(try TextValueTests.value("", .string, .absent) == nil)
    }

    @Test(
        "what a type cannot hold is refused",
        arguments: [
            ("yes", "bool", RecordField.State.text), ("1", "bool", .number), ("2147483648", "int32", .text), ("1.5", "int32", .text),
            ("9223372036854775808", "int64", .text), ("", "int64", .quotedText), ("abc", "int64", .text), ("5", "int64", .string),
            ("1e999", "float64", .text), ("1e39", "float32", .text), ("0x10", "float64", .text), ("1.2.3", "float64", .text),
            (".", "float64", .text),
            ("1e", "float64", .text), ("- 1", "float64", .text), ("5", "float64", .string), ("2013-01-01T00:00:00", "timestamp", .text),
            ("1600000000", "timestamp", .text), ("true", "timestamp", .bool), ("5", "string", .number), ("true", "string", .bool),
            ("0x123", "bytes", .text), ("0xzz", "bytes", .text), ("AP8", "bytes", .text), ("AP9=", "bytes", .string),
            ("0x001", "bytes", .string),
            ("[1]", "vector<2>", .text), ("[1,2,3]", "vector<2>", .structure), ("[1,null]", "vector<2>", .text),
            ("[1,null]", "list<int64>", .structure),
            ("[1,\"2\"]", "list<int64>", .structure), ("[[1]]", "list<int64>", .text), ("1,2", "list<int64>", .text),
            ("[1] x", "list<int64>", .text),
            ("[1", "list<int64>", .text), ("[1]", "list<int64>", .string), ("[1.5]", "list<int64>", .text),
        ] as [(String, String, RecordField.State)])
    func refused(text: String, type: String, state: RecordField.State) throws {
        let type = try FeatureType(named: type)
        #expect(throws: WhenceError.self) { try TextValueTests.value(text, type, state) }
    }

    @Test("text that is no UTF-8, and a value too long, are refused")
    func strings() throws {
        let bad: [UInt8] = [0x61, 0xFF]
        #expect(throws: WhenceError.self) {
            try unsafe TextValue.value(RecordField(state: .text, bytes: bad.span.bytes), as: .string, times: TextValueTests.times)
        }
        #expect { try TextValueTests.value(String(repeating: "x", count: Limits.valueBytes + 1), .string) } throws: {
            ($0 as? WhenceError)?.code == .limitExceeded
        }
    }

    @Test("a whole row goes into an encoder; what is absent stays absent")
    func encoder() throws {
        let reader = Samples.ndjson("{\"a\":1.5,\"b\":null,\"d\":[1,2],\"e\":\"x\"}")
        let types: [FeatureType] = [.float64, .int32, .bool, .vector(dimension: 2), .string]
        let names = ["a", "b", "c", "d", "e"]
        let layout = RowLayout(
            Schema(id: 1, fields: zip(names, types).enumerated().map { SchemaField(id: UInt32($0), name: $1.0, type: $1.1) }))
        #expect(try reader.next())
        var encoder = RowEncoder(layout)
        encoder.begin(availability: nil)
        var plain = RowEncoder(layout)
        plain.begin(availability: nil)
        for (index, name) in names.enumerated() {
            guard let column = reader.index(of: name) else { continue }
            try TextValue.set(reader.field(column), as: types[index], index: index, times: TextValueTests.times, into: &encoder)
        }
        try plain.set(0, .float64(1.5))
        plain.setNull(1)
        try plain.set(3, .vector([1, 2]))
        try plain.set(4, .string("x"))
        var bytes: [UInt8] = []
        var expected: [UInt8] = []
        try encoder.finish(into: &bytes)
        try plain.finish(into: &expected)
        #expect(bytes == expected)
    }

    @Test("join keys: text is parsed in CSV, and typed in JSON")
    func keys() throws {
        #expect(try TextValueTests.key("-5", .int64) == [.int64(-5)])
        #expect(try TextValueTests.key("12", .int64, .number) == [.int64(12)])
        #expect(try TextValueTests.key("N14228", .string) == [.string("N14228")])
        #expect(try TextValueTests.key("NaN", .string, .quotedText) == [.string("NaN")])
        #expect(try TextValueTests.key("0x0001", .bytes) == [.bytes([0, 1])])
        #expect(try TextValueTests.key("true", .bool, .bool) == [.bool(true)])
        #expect(try TextValue.key("42", as: .int64) == .int64(42))
        let refused: [(String, KeyType, RecordField.State)] = [
            ("", .string, .quotedText), ("", .string, .null), ("", .int64, .absent), ("nan", .int64, .text), ("NaN", .string, .text),
            ("NaN", .int64, .string), ("1.5", .int64, .text), ("1.5", .int64, .number), ("9223372036854775808", .int64, .text),
            ("12", .int64, .string), ("12", .string, .number), ("x", .int64, .text), ("2", .bool, .text), ("[1]", .string, .structure),
        ]
        for (text, type, state) in refused {
            #expect("\(text) as \(type)") { try TextValueTests.key(text, type, state) } throws: {
                ($0 as? WhenceError)?.code == .invalidKey
            }
        }
        #expect { try TextValueTests.key(String(repeating: "k", count: 2000), .string) } throws: {
            ($0 as? WhenceError)?.code == .limitExceeded
        }
    }

    @Test("numbers are the nearest ones, as the standard library reads them")
    func nearest() throws {
        var generator = SeededGenerator(state: 7)
        var texts = [
            "0", "-0", "0.1", "1e22", "1e23", "9007199254740993", "9007199254740992.5", "18446744073709551615", "5e-324",
            "2.4703282292062327e-324",
            "1.7976931348623157e308", "2.2250738585072011e-308", "0.000000000000000000000000000000000000001",
            "123456789012345678901234567890", "1e-400",
            "8.5", "00012.500", ".5", "5.", "+7", "1.17549435e-38", "16777217", "16777217.0000000000000000000000001", "3.4028235e38", "1E5",
            "9223372036854775807e-27", "4503599627370496.5", "4503599627370497.5",
        ]
        for _ in 0..<30_000 {
            let bits = UInt64.random(in: .min ... .max, using: &generator)
            let digits = Int.random(in: 1...19, using: &generator)
            let number = Double(bitPattern: bits)
            if number.isFinite { texts.append(number.description) }
            texts.append("\(bits % UInt64(pow(10, Double(digits))))e\(Int.random(in: -30...30, using: &generator))")
            texts.append("\(Int64(bitPattern: bits) % 1_000_000_000).\(bits % 1_000_000_007)")
            texts.append(Float(bitPattern: UInt32(truncatingIfNeeded: bits)).description)
        }
        for text in texts {
            let bytes = Array(text.utf8)
            if case .value(let number) = unsafe DecimalText.float64(bytes.span.bytes), let expected = Double(text) {
                if number.bitPattern != expected.bitPattern, !number.isNaN { Issue.record("\(text) gave \(number), not \(expected)") }
            } else if Double(text)?.isFinite == true {
                Issue.record("\(text) was refused")
            }
            if case .value(let number) = unsafe DecimalText.float32(bytes.span.bytes), let expected = Float(text) {
                if number.bitPattern != expected.bitPattern, !number.isNaN {
                    Issue.record("\(text) gave \(number), not \(expected) as float")
                }
            } else if Float(text)?.isFinite == true {
                Issue.record("\(text) was refused as float")
            }
        }
    }
}
