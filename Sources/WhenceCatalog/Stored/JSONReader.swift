import WhenceCore

/// Reads canonical JSON from bytes that may be anything at all. What is not canonical is refused by the caller, who
/// writes the value again and compares; this reader has only to be safe, and to read everything that is canonical.
struct JSONReader {
    private let bytes: [UInt8]
    private var at = 0
    private static let depthLimit = 16

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads one value that fills `bytes`. Throws `corruption` otherwise.
    static func read(_ bytes: [UInt8]) throws(WhenceError) -> JSONValue {
        var reader = JSONReader(bytes)
        let value = try reader.value(depth: 0)
        guard reader.at == bytes.count else { throw reader.refuse("there is something after its end") }
        return value
    }

    private func refuse(_ why: String) -> WhenceError {
        WhenceError(.corruption, "these bytes are no JSON of a catalog entry: \(why)", place: "byte \(at)")
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ byte: UInt8, _ what: String) throws(WhenceError) {
        guard next == byte else { throw refuse("expected \(what)") }
        at += 1
    }

    private mutating func value(depth: Int) throws(WhenceError) -> JSONValue {
        guard depth < JSONReader.depthLimit else { throw refuse("it is nested too deeply") }
        switch next {
        case 0x22: return .string(try string())
        case 0x5B:
            at += 1
            var elements: [JSONValue] = []
            if next == 0x5D {
                at += 1
                return .array([])
            }
            while true {
                elements.append(try value(depth: depth + 1))
                if next == 0x5D { break }
                try take(0x2C, "',' or ']'")
            }
            at += 1
            return .array(elements)
        case 0x7B:
            at += 1
            var members: [String: JSONValue] = [:]
            if next == 0x7D {
                at += 1
                return .object([:])
            }
            while true {
                let name = try string()
                try take(0x3A, "':'")
                guard members.updateValue(try value(depth: depth + 1), forKey: name) == nil else {
                    throw refuse("a member is there twice")
                }
                if next == 0x7D { break }
                try take(0x2C, "',' or '}'")
            }
            at += 1
            return .object(members)
        default: return .integer(try integer())
        }
    }

    private mutating func integer() throws(WhenceError) -> Int64 {
        let start = at
        if next == 0x2D { at += 1 }
        while let byte = next, byte >= 0x30, byte <= 0x39 { at += 1 }
        guard let number = Int64(String(decoding: bytes[start..<at], as: UTF8.self)) else { throw refuse("expected a value") }
        return number
    }

    private mutating func string() throws(WhenceError) -> String {
        try take(0x22, "a string")
        var raw: [UInt8] = []
        while true {
            guard let byte = next else { throw refuse("a string does not end") }
            at += 1
            if byte == 0x22 { break }
            guard byte == 0x5C else {
                raw.append(byte)
                continue
            }
            guard let escape = next else { throw refuse("a string does not end") }
            at += 1
            switch escape {
            case 0x22, 0x5C: raw.append(escape)
            case 0x62: raw.append(0x08)
            case 0x74: raw.append(0x09)
            case 0x6E: raw.append(0x0A)
            case 0x66: raw.append(0x0C)
            case 0x72: raw.append(0x0D)
            case 0x75:
                // Canonical text escapes control characters only, so that the code fits a byte.
                guard at + 4 <= bytes.count, let code = UInt8(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16), code < 0x20
                else { throw refuse("there is an escape that canonical text does not use") }
                at += 4
                raw.append(code)
            default: throw refuse("there is an escape that canonical text does not use")
            }
        }
        guard let text = String(validating: raw, as: UTF8.self) else { throw refuse("a string is not UTF-8") }
        return text
    }
}
