/// One value of a feature, for the edges of the system where convenience counts more than speed.
public enum Value: Sendable, Hashable {
    case null
    case bool(Bool)
    case int32(Int32)
    case int64(Int64)
    case float32(Float)
    case float64(Double)
    case string(String)
    case bytes([UInt8])
    case timestamp(Timestamp)
    case vector([Float])
    case list([Value])

    /// The value as an error message can show it.
    var excerpt: String {
        let text = Array("\(self)".utf8)
        return unsafe String(clipping: text.span.bytes)
    }

    /// Equality to the bit: two NaNs of the same bits are equal, and 0.0 and -0.0 are not; nor are two strings of
    /// different UTF-8 that Unicode calls equivalent.
    public func isIdentical(to other: Value) -> Bool {
        switch (self, other) {
        case (.float32(let a), .float32(let b)): a.bitPattern == b.bitPattern
        case (.float64(let a), .float64(let b)): a.bitPattern == b.bitPattern
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.vector(let a), .vector(let b)): a.map(\.bitPattern) == b.map(\.bitPattern)
        case (.list(let a), .list(let b)): a.count == b.count && zip(a, b).allSatisfy { $0.isIdentical(to: $1) }
        default: self == other
        }
    }
}

/// One join key's value. Two of them are equal exactly where their keys are the same bytes, so strings compare by their
/// UTF-8 and not by what Unicode calls equivalent.
public enum KeyValue: Sendable, Hashable, CustomStringConvertible {
    case int64(Int64)
    case string(String)
    case bytes([UInt8])
    case bool(Bool)

    /// The type that this value has.
    public var type: KeyType {
        switch self {
        case .int64: .int64
        case .string: .string
        case .bytes: .bytes
        case .bool: .bool
        }
    }

    public var description: String {
        switch self {
        case .int64(let value): String(value)
        case .string(let value): value
        case .bytes(let value): "0x" + value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        case .bool(let value): String(value)
        }
    }
}

extension KeyValue {
    public static func == (a: KeyValue, b: KeyValue) -> Bool {
        switch (a, b) {
        case (.int64(let a), .int64(let b)): a == b
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.bytes(let a), .bytes(let b)): a == b
        case (.bool(let a), .bool(let b)): a == b
        default: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(type)
        switch self {
        case .int64(let value): hasher.combine(value)
        case .string(var value): value.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        case .bytes(let value): hasher.combine(value)
        case .bool(let value): hasher.combine(value)
        }
    }
}
