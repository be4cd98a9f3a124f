import Foundation
import WhenceCore

/// A JSON value that keeps the order of its members: what answers for programs are made of, on the command line and over the wire.
public indirect enum JSON: Sendable {
    case null
    case bool(Bool)
    case int(Int)
    /// Text that is JSON already.
    case raw(String)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    public init(_ time: Timestamp?) { self = time.map { .string($0.description) } ?? .null }

    public init(_ number: Double) {
        self = number.isFinite ? .raw(number.description) : .string(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity")
    }

    /// As tables in NDJSON have it: bytes in base64, times as RFC 3339, what is no number as a string.
    public init(_ value: Value) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .int32(let number): self = .int(Int(number))
        case .int64(let number): self = .int(Int(number))
        case .float32(let number): self = number.isFinite ? .raw(number.description) : JSON(Double(number))
        case .float64(let number): self = JSON(number)
        case .string(let text): self = .string(text)
        case .bytes(let bytes): self = .string(Data(bytes).base64EncodedString())
        case .timestamp(let time): self = JSON(time)
        case .vector(let numbers): self = .array(numbers.map { JSON(.float32($0)) })
        case .list(let values): self = .array(values.map { JSON($0) })
        }
    }

    public init(_ error: WhenceError) {
        self = .object([
            ("code", .int(error.code.rawValue)), ("name", .string("\(error.code)")), ("message", .string(error.message)),
            ("place", .string(error.place)), ("hint", .string(error.hint)), ("retryable", .bool(error.isRetryable)),
        ])
    }

    /// On one line.
    public var text: String {
        var text = ""
        append(to: &text)
        return text
    }

    private func append(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let flag): text += flag ? "true" : "false"
        case .int(let number): text += String(number)
        case .raw(let json): text += json
        case .string(let string): JSON.append(string, to: &text)
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += "," }
                element.append(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                JSON.append(member.0, to: &text)
                text += ":"
                member.1.append(to: &text)
            }
            text += "}"
        }
    }

    private static func append(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
