/// The JSON that stored entries are made of: strings, integers, arrays and objects, and one way only of writing each.
enum JSONValue: Equatable, Sendable {
    case string(String)
    case integer(Int64)
    case array([JSONValue])
    case object([String: JSONValue])
    /// Only in what is printed for programs; stored entries have no truth values, and the reader knows none.
    case truth(Bool)

    /// The canonical text: members sorted by the bytes of their names, no white space, UTF-8, and no escapes but those
    /// that JSON needs (`Formats/catalog.md`).
    var canonical: [UInt8] {
        var out: [UInt8] = []
        append(to: &out)
        return out
    }

    private func append(to out: inout [UInt8]) {
        switch self {
        case .string(let text): JSONValue.append(text, to: &out)
        case .integer(let number): out += String(number).utf8
        case .truth(let flag): out += (flag ? "true" : "false").utf8
        case .array(let elements):
            out.append(0x5B)
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(0x2C) }
                element.append(to: &out)
            }
            out.append(0x5D)
        case .object(let members):
            out.append(0x7B)
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            for (index, member) in sorted.enumerated() {
                if index > 0 { out.append(0x2C) }
                JSONValue.append(member.key, to: &out)
                out.append(0x3A)
                member.value.append(to: &out)
            }
            out.append(0x7D)
        }
    }

    private static func append(_ text: String, to out: inout [UInt8]) {
        out.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C: out += [0x5C, byte]
            case 0x08: out += [0x5C, 0x62]
            case 0x09: out += [0x5C, 0x74]
            case 0x0A: out += [0x5C, 0x6E]
            case 0x0C: out += [0x5C, 0x66]
            case 0x0D: out += [0x5C, 0x72]
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                out += "\\u00\(digits.count == 1 ? "0" : "")\(digits)".utf8
            default: out.append(byte)
            }
        }
        out.append(0x22)
    }
}
