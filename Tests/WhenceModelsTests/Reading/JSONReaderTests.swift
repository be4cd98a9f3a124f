import RandomFixtures
import Testing
import WhenceCore

@testable import WhenceModels

@Suite("JSON") struct JSONReaderTests {
    static func reader(_ text: String) throws -> JSONReader {
        try JSONReader(ModelStream(.bytes(Array(text.utf8), name: "m.json"), bytesMax: 1 << 30))
    }

    @Test("an object is read member by member")
    func example() throws {
        var reader = try JSONReaderTests.reader(
            #" {"name": "a\u00e9\ud83d\ude00\n", "w": [1, 2.5e-1, -3], "deep": {"x": [true, null]}, "n": "7"} "#)
        try reader.beginObject()
        var weights: [Float] = []
        while let key = try reader.nextKey() {
            switch key {
            case "name": #expect(try reader.string() == "aé😀\n")
            case "w": try reader.floats(into: &weights, max: 3)
            default: try reader.skip()
            }
        }
        try reader.finish()
        #expect(weights == [1, 0.25, -3])
    }

    @Test("where the blocks of the file end makes no difference")
    func blocks() throws {
        var generator = SeededRandom(seed: 4)
        for _ in 0..<200 {
            let text = JSONReaderTests.document(&generator, depth: 4)
            let whole = try DocumentText.json(text)
            let padded = String(repeating: " ", count: Int.random(in: 0...300, using: &generator)) + text
            #expect(try DocumentText.json(padded, blockBytes: 256) == whole)
        }
    }

    static func document(_ generator: inout SeededRandom, depth: Int) -> String {
        switch Int.random(in: depth > 0 ? 0..<8 : 2..<8, using: &generator) {
        case 0:
            let members = (0..<Int.random(in: 0..<6, using: &generator)).map { "\"k\($0)\" : \(document(&generator, depth: depth - 1))" }
            return "{" + members.joined(separator: ",\n") + "}"
        case 1:
            return "["
                + (0..<Int.random(in: 0..<6, using: &generator)).map { _ in document(&generator, depth: depth - 1) }.joined(separator: " ,")
                + "]"
        case 2: return "\"" + String(repeating: "aé\\n\\u00e9😀", count: Int.random(in: 0..<40, using: &generator)) + "\""
        case 3: return ["true", "false", "null", "NaN", "-Infinity"].randomElement(using: &generator) ?? ""
        case 4: return "\(Int64.random(in: .min ... .max, using: &generator))"
        default: return "\(Double(bitPattern: UInt64.random(in: 0..<0x7FF0_0000_0000_0000, using: &generator)))"
        }
    }

    @Test("doubles and floats are read to the bit")
    func numbers() throws {
        var generator = SeededRandom(seed: 9)
        for _ in 0..<5000 {
            let double = Double(bitPattern: UInt64.random(in: .min ... .max, using: &generator))
            let float = Float(bitPattern: UInt32.random(in: .min ... .max, using: &generator))
            if double.isFinite {
                var reader = try JSONReaderTests.reader("\(double)")
                #expect(try reader.double().bitPattern == double.bitPattern)
            }
            if float.isFinite {
                var reader = try JSONReaderTests.reader("\(float)")
                #expect(try reader.float().bitPattern == float.bitPattern)
            }
        }
        // Between two floats: by way of a double it would be rounded twice, and wrongly.
        var reader = try JSONReaderTests.reader("[1.00000017881393432617187499]")
        var floats: [Float] = []
        try reader.floats(into: &floats, max: 1)
        #expect(floats == [1.0000001])
    }

    @Test(
        "whole numbers",
        arguments: [("12", 12), ("-12", -12), ("12.0", 12), ("1e2", 100), ("true", 1), ("0", 0), ("9223372036854775807", .max)])
    func ints(text: String, value: Int) throws {
        var reader = try JSONReaderTests.reader(text)
        #expect(try reader.int() == value)
        try reader.finish()
    }

    @Test(
        "what is no JSON is refused with its place",
        arguments: [
            ("", "the file ends"), ("{", "the file ends"), (#"{"a":[1,2"#, "at a[1]"), (#"{"a":[1 2]}"#, "'2' stands where ',' or ']'"),
            (#"{"a":1,}"#, "key in double quotes"), ("[1,]", "']' stands where a value"), (#"{"a":1,"b":2,"a":3}"#, "'a' stands twice"),
            ("[01]", "begins with 0"), ("[1.]", "ends with its point"), ("[1e]", "exponent"), ("[-]", "digit"), ("[+1]", "'+'"),
            (#"["\x"]"#, "no escape"), (#"["\ud800"]"#, "surrogate"), ("[\"a", "within a string"), ("[\"\u{1}\"]", "control character"),
            ("[1e999]", "out of the range"), ("[truth]", "none of true"), ("[1] 2", "the end of the file"), ("{\"a\" 1}", "':'"),
            ("[" + String(repeating: "1", count: 200) + "]", "more than 128 characters"),
            ("\n\n  {\"trees\": [{\"x\": 1}, {\"y\": ]}", "m.json:3, byte 31, at trees[1].y"),
        ])
    func faults(text: String, says: String) {
        expectError(says.contains("more than") ? .limitExceeded : .malformedInput, says) {
            var reader = try JSONReaderTests.reader(text)
            _ = try DocumentText.read(&reader)
            try reader.finish()
        }
    }

    @Test("nesting of 100,000 levels is refused, read or skipped", arguments: ["[", "{\"a\":"])
    func nesting(mark: String) {
        let text = String(repeating: mark, count: 100_000)
        expectError(.limitExceeded, "nested more than 64 deep") { _ = try DocumentText.json(text) }
        expectError(.limitExceeded, "nested more than 64 deep") {
            var reader = try JSONReaderTests.reader(text)
            try reader.skip()
        }
    }

    @Test("keys are noticed when they stand twice, among many too")
    func duplicates() {
        let keys = (0..<100).map { "\"k\($0)\":0" }.joined(separator: ",")
        for key in [0, 31, 32, 99] {
            expectError(.malformedInput, "'k\(key)' stands twice") { _ = try DocumentText.json("{\(keys),\"k\(key)\":1}") }
        }
    }

    @Test("the wrong kind of value says both kinds")
    func kinds() throws {
        expectError(.malformedInput, "a string stands where a number should", "at a") {
            var reader = try JSONReaderTests.reader(#"{"a":"x"}"#)
            try reader.beginObject()
            _ = try reader.nextKey()
            _ = try reader.double()
        }
        expectError(.limitExceeded, "more than 2 elements") {
            var reader = try JSONReaderTests.reader("[1,2,3]")
            var ints: [Int32] = []
            try reader.ints(into: &ints, max: 2)
        }
    }
}
