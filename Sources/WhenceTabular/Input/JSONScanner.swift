import WhenceCore

/// Why a text is no JSON, and where in it.
struct JSONFault: Error {
    let message: String
    let offset: Int
}

/// Walks JSON text (RFC 8259) value by value, without building anything. The text must be valid UTF-8.
struct JSONScanner: ~Escapable {
    /// What kind of value stands at a place.
    enum Kind { case string, number, bool, null, array, object }

    /// A value's place: for a string what is between its quotes.
    struct Item {
        let kind: Kind
        let range: Range<Int>
        let hasEscapes: Bool
    }

    let text: RawSpan
    /// The next byte to look at.
    private(set) var position = 0

    @_lifetime(copy text)
    init(_ text: RawSpan) { self.text = text }

    /// The byte at `position`, or 0 at the end; a 0 in the text is no JSON either.
    @inline(__always)
    var byte: UInt8 { position < text.byteCount ? text[position] : 0 }

    var isAtEnd: Bool { position >= text.byteCount }

    func fault(_ message: String) -> JSONFault { JSONFault(message: message, offset: position) }

    @_lifetime(self: copy self)
    mutating func skipSpace() {
        while byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A { position &+= 1 }
    }

    /// Skips white space and takes `expected` where it stands next.
    @_lifetime(self: copy self)
    mutating func take(_ expected: UInt8) -> Bool {
        skipSpace()
        guard byte == expected, !isAtEnd else { return false }
        position &+= 1
        return true
    }

    /// Takes the next value whole; arrays may nest `depth` deep, and objects are refused.
    @_lifetime(self: copy self)
    mutating func value(depth: Int) throws(JSONFault) -> Item {
        skipSpace()
        switch byte {
        case 0x22: return try string()
        case 0x2D, 0x30...0x39: return try number()
        case 0x74: return try literal("true", .bool)
        case 0x66: return try literal("false", .bool)
        case 0x6E: return try literal("null", .null)
        case 0x5B:
            guard depth > 0 else { throw fault("arrays are nested too deep") }
            let start = position
            position += 1
            if take(0x5D) { return Item(kind: .array, range: start..<position, hasEscapes: false) }
            repeat { _ = try value(depth: depth - 1) } while take(0x2C)
            guard take(0x5D) else { throw fault("expected ',' or ']'") }
            return Item(kind: .array, range: start..<position, hasEscapes: false)
        case 0x7B: throw fault("an object stands where a value should")
        default: throw fault(isAtEnd ? "it ends where a value should stand" : "this is no JSON value")
        }
    }

    /// Takes a string; `position` is at its opening quote.
    @_lifetime(self: copy self)
    mutating func string() throws(JSONFault) -> Item {
        guard byte == 0x22 else { throw fault("expected a string in double quotes") }
        position += 1
        let start = position
        var hasEscapes = false
        while position < text.byteCount {
            let next = text[position]
            if next == 0x22 {
                position &+= 1
                return Item(kind: .string, range: start..<(position - 1), hasEscapes: hasEscapes)
            }
            guard next >= 0x20 else { throw fault("a control character stands in a string; write it as \\u00XX") }
            if next == 0x5C {
                hasEscapes = true
                position += 1
                try escape()
            } else {
                position &+= 1
            }
        }
        throw fault("a string does not end")
    }

    /// Takes what follows a backslash.
    @_lifetime(self: copy self)
    private mutating func escape() throws(JSONFault) {
        switch byte {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: position += 1
        case 0x75:
            let unit = try hexUnit()
            guard unit & 0xFC00 != 0xDC00 else { throw fault("half of a surrogate pair stands alone") }
            if unit & 0xFC00 == 0xD800 {
                guard byte == 0x5C else { throw fault("half of a surrogate pair stands alone") }
                position += 1
                guard byte == 0x75, try hexUnit() & 0xFC00 == 0xDC00 else { throw fault("half of a surrogate pair stands alone") }
            }
        default: throw fault("there is no such escape in JSON")
        }
    }

    /// Takes the letter u and four hexadecimal digits.
    @_lifetime(self: copy self)
    private mutating func hexUnit() throws(JSONFault) -> UInt32 {
        position += 1
        guard position + 4 <= text.byteCount, let unit = JSONScanner.hex(text, position) else {
            throw fault("\\u takes four hexadecimal digits")
        }
        position += 4
        return unit
    }

    private static func hex(_ text: RawSpan, _ at: Int) -> UInt32? {
        var unit: UInt32 = 0
        for index in at..<(at + 4) {
            guard let digit = BytesText.hexDigit(text[index]) else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }

    @_lifetime(self: copy self)
    private mutating func number() throws(JSONFault) -> Item {
        let start = position
        if byte == 0x2D { position += 1 }
        if byte == 0x30 {
            position += 1
        } else {
            try digits()
        }
        if byte == 0x2E {
            position += 1
            try digits()
        }
        if byte | 0x20 == 0x65 {
            position += 1
            if byte == 0x2B || byte == 0x2D { position += 1 }
            try digits()
        }
        guard !(byte >= 0x30 && byte <= 0x39) else { throw fault("a number does not begin with 0") }
        return Item(kind: .number, range: start..<position, hasEscapes: false)
    }

    @_lifetime(self: copy self)
    private mutating func digits() throws(JSONFault) {
        guard byte >= 0x30, byte <= 0x39 else { throw fault("a digit is missing in a number") }
        while byte >= 0x30 && byte <= 0x39 { position &+= 1 }
    }

    @_lifetime(self: copy self)
    private mutating func literal(_ word: StaticString, _ kind: Kind) throws(JSONFault) -> Item {
        let start = position
        for index in 0..<word.utf8CodeUnitCount {
            guard byte == (unsafe word.utf8Start[index]) else { throw fault("this is no JSON value") }
            position += 1
        }
        return Item(kind: kind, range: start..<position, hasEscapes: false)
    }

    /// Gives the bytes of a string that `string()` has accepted, its escapes resolved.
    static func unescape(_ bytes: RawSpan, _ put: (UInt8) -> Void) {
        var at = 0
        while at < bytes.byteCount {
            let byte = bytes[at]
            at += 1
            guard byte == 0x5C, at < bytes.byteCount else {
                put(byte)
                continue
            }
            let kind = bytes[at]
            at += 1
            switch kind {
            case 0x62: put(0x08)
            case 0x66: put(0x0C)
            case 0x6E: put(0x0A)
            case 0x72: put(0x0D)
            case 0x74: put(0x09)
            case 0x75:
                var scalar = hex(bytes, at) ?? 0xFFFD
                at += 4
                if scalar & 0xFC00 == 0xD800 {
                    let low = hex(bytes, at + 2) ?? 0xDC00
                    at += 6
                    scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
                }
                for unit in UTF8.encode(Unicode.Scalar(scalar) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter { put(unit) }
            default: put(kind)
            }
        }
    }
}
