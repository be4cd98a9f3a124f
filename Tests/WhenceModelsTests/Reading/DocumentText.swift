import Testing
import WhenceCore

@testable import WhenceModels

/// What a reader makes of a document, in one canonical text; and documents as both formats write them.
enum DocumentText {
    /// Reads everything. Recursion is fine here: the reader refuses what is nested too deep.
    static func read<Reader: DocumentReader & ~Copyable>(_ reader: inout Reader) throws(WhenceError) -> String {
        switch try reader.kind() {
        case .object:
            var parts: [String] = []
            try reader.beginObject()
            while let key = try reader.nextKey() { parts.append("\(key):\(try read(&reader))") }
            return "{" + parts.joined(separator: " ") + "}"
        case .array:
            var parts: [String] = []
            try reader.beginArray()
            while try reader.nextElement() { parts.append(try read(&reader)) }
            return "[" + parts.joined(separator: " ") + "]"
        case .string: return "'\(try reader.string())'"
        case .number: return "\(try reader.double())"
        case .bool: return "\(try reader.bool())"
        case .null:
            try reader.null()
            return "null"
        }
    }

    static func json(_ text: String, blockBytes: Int = 1 << 18) throws(WhenceError) -> String {
        var reader = try JSONReader(
            ModelStream(.bytes(Array(text.utf8), name: "t.json"), bytesMax: 1 << 30, blockBytes: blockBytes))
        let answer = try read(&reader)
        try reader.finish()
        return answer
    }

    static func ubjson(_ bytes: [UInt8]) throws(WhenceError) -> String {
        var reader = UBJSONReader(try ModelStream(.bytes(bytes, name: "t.ubj"), bytesMax: 1 << 30))
        let answer = try read(&reader)
        try reader.finish()
        return answer
    }
}

/// Checks that `body` throws, and what it says.
func expectError(_ code: WhenceError.Code, _ parts: String..., body: () throws -> Void) {
    do {
        try body()
        Issue.record("no error, where \(parts) was due")
    } catch let error as WhenceError {
        let text = error.description
        #expect(error.code == code, "\(text)")
        for part in parts { #expect(text.contains(part), "\(part) is not in: \(text)") }
    } catch {
        Issue.record("\(error)")
    }
}
