import WhenceCore

/// JSON text (RFC 8259) as a document, from a stream, one block of memory at a time.
///
/// `NaN`, `Infinity` and `-Infinity` are taken as numbers, as XGBoost writes them. Numbers are rounded once, to the
/// nearest double or float.
struct JSONReader: DocumentReader, ~Copyable {
    /// Characters of one number. The longest double that any library writes has 25; this leaves room for patience.
    static let numberBytesMax = 128
    /// Bytes of one key.
    static let keyBytesMax = 64 << 10

    private var stream: ModelStream
    private var location = DocumentPath()
    private var text: [UInt8] = []

    /// Takes over a stream; a byte order mark is passed over.
    init(_ stream: consuming ModelStream) throws(WhenceError) {
        self.stream = stream
        if try self.stream.ensure(3) >= 3, self.stream.byte(0) == 0xEF, self.stream.byte(1) == 0xBB, self.stream.byte(2) == 0xBF {
            self.stream.advance(3)
        }
    }

    var depth: Int { location.depth }
    var isInArray: Bool { location.isInArray }
    var path: String { location.text }

    func fault(_ code: WhenceError.Code, _ message: String, hint: String) -> WhenceError {
        WhenceError(code, message, place: place, hint: hint)
    }

    var place: String {
        let path = location.text
        return "\(stream.name):\(stream.line), byte \(stream.offset)" + (path.isEmpty ? "" : ", at \(path)")
    }

    // MARK: Structure

    @inline(__always)
    private mutating func skipSpace() throws(WhenceError) -> UInt8 {
        while true {
            let byte = try stream.peek()
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            stream.advance(1)
        }
    }

    mutating func kind() throws(WhenceError) -> DocumentKind {
        switch try skipSpace() {
        case 0x7B: return .object
        case 0x5B: return .array
        case 0x22: return .string
        case 0x2D, 0x30...0x39, 0x49, 0x4E: return .number
        case 0x74, 0x66: return .bool
        case 0x6E: return .null
        default: throw try unexpected("a value")
        }
    }

    /// What to say where `expected` should stand and something else does.
    private mutating func unexpected(_ expected: String) throws(WhenceError) -> WhenceError {
        if try stream.isAtEnd() {
            return fault("the file ends where \(expected) should stand", hint: "it was cut short; get it or export it again")
        }
        let byte = try stream.peek()
        let shown = byte > 0x20 && byte < 0x7F ? "'\(Character(UnicodeScalar(byte)))'" : "the byte \(byte)"
        return fault("\(shown) stands where \(expected) should")
    }

    private mutating func begin(_ mark: UInt8, isArray: Bool) throws(WhenceError) {
        guard try skipSpace() == mark else {
            throw notOf(isArray ? "an array" : "an object", try kind())
        }
        guard location.push(isArray: isArray) else {
            throw fault(
                .limitExceeded, "objects and arrays are nested more than \(DocumentPath.nestingMax) deep",
                hint: "no model file is; this is another file, or a damaged one")
        }
        stream.advance(1)
    }

    mutating func beginObject() throws(WhenceError) { try begin(0x7B, isArray: false) }
    mutating func beginArray() throws(WhenceError) { try begin(0x5B, isArray: true) }

    mutating func nextElement() throws(WhenceError) -> Bool {
        var byte = try skipSpace()
        if byte == 0x5D {
            stream.advance(1)
            location.pop()
            return false
        }
        if location.count > 0 {
            guard byte == 0x2C else { throw try unexpected("',' or ']'") }
            stream.advance(1)
            byte = try skipSpace()
            guard byte != 0x5D else { throw try unexpected("a value") }
        }
        location.nextElement()
        return true
    }

    mutating func nextKey() throws(WhenceError) -> String? {
        var byte = try skipSpace()
        if byte == 0x7D {
            stream.advance(1)
            location.pop()
            return nil
        }
        if location.count > 0 {
            guard byte == 0x2C else { throw try unexpected("',' or '}'") }
            stream.advance(1)
            byte = try skipSpace()
        }
        guard byte == 0x22 else { throw try unexpected("a key in double quotes") }
        let key = try takeString(bytesMax: JSONReader.keyBytesMax)
        guard location.nextMember(key) else {
            if location.count > DocumentPath.membersMax {
                throw fault(.limitExceeded, "this object has more than \(DocumentPath.membersMax) members", hint: "")
            }
            throw fault(
                "the key '\(key.prefix(80))' stands twice in this object", hint: "the file is damaged, or was edited; export it again")
        }
        guard try skipSpace() == 0x3A else { throw try unexpected("':'") }
        stream.advance(1)
        return key
    }

    mutating func finish() throws(WhenceError) {
        _ = try skipSpace()
        guard try stream.isAtEnd() else { throw try unexpected("the end of the file") }
    }

    // MARK: Strings

    mutating func string(bytesMax: Int) throws(WhenceError) -> String {
        guard try skipSpace() == 0x22 else { throw notOf("a string", try kind()) }
        return try takeString(bytesMax: bytesMax)
    }

    /// Takes a string; its opening quote stands next.
    private mutating func takeString(bytesMax: Int) throws(WhenceError) -> String {
        text.removeAll(keepingCapacity: true)
        stream.advance(1)
        while true {
            // As many plain bytes as are at hand in one go.
            let available = try stream.ensure(1)
            guard available > 0 else { throw endsInString() }
            var count = 0
            while count < available, case let byte = stream.byte(count), byte != 0x22, byte != 0x5C, byte >= 0x20 { count &+= 1 }
            guard text.count + count <= bytesMax else {
                throw fault(.limitExceeded, "this string has more than \(bytesMax) bytes", hint: "the file is damaged, or no model")
            }
            _ = try stream.take(count, into: &text)
            guard count < available else { continue }
            let mark = try stream.peek()
            guard mark >= 0x20 else { throw fault("a control character stands in a string") }
            stream.advance(1)
            if mark == 0x22 { break }
            try takeEscape()
        }
        guard let string = String(validating: text, as: UTF8.self) else { throw fault("this string is not valid UTF-8") }
        return string
    }

    private func endsInString() -> WhenceError {
        fault("the file ends within a string", hint: "it was cut short; get it or export it again")
    }

    /// Takes what follows a backslash, and appends what it stands for.
    private mutating func takeEscape() throws(WhenceError) {
        let mark = try stream.peek()
        switch mark {
        case 0x22, 0x5C, 0x2F: text.append(mark)
        case 0x62: text.append(0x08)
        case 0x66: text.append(0x0C)
        case 0x6E: text.append(0x0A)
        case 0x72: text.append(0x0D)
        case 0x74: text.append(0x09)
        case 0x75:
            stream.advance(1)
            var unit = try takeHex()
            if unit & 0xFC00 == 0xD800 {
                guard try stream.ensure(2) >= 2, stream.byte(0) == 0x5C, stream.byte(1) == 0x75 else { throw loneSurrogate() }
                stream.advance(2)
                let low = try takeHex()
                guard low & 0xFC00 == 0xDC00 else { throw loneSurrogate() }
                unit = 0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF)
            }
            guard let scalar = UnicodeScalar(unit) else { throw loneSurrogate() }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            return
        default: throw try stream.isAtEnd() ? endsInString() : fault("a backslash stands before what is no escape")
        }
        stream.advance(1)
    }

    private func loneSurrogate() -> WhenceError { fault("half of a surrogate pair stands alone in a string") }

    private mutating func takeHex() throws(WhenceError) -> UInt32 {
        guard try stream.ensure(4) >= 4 else { throw endsInString() }
        var unit: UInt32 = 0
        for index in 0..<4 {
            let byte = stream.byte(index)
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x37
            case 0x61...0x66: digit = byte - 0x57
            default: throw fault("\\u is not followed by four hexadecimal digits")
            }
            unit = unit << 4 | UInt32(digit)
        }
        stream.advance(4)
        return unit
    }

    // MARK: Numbers and words

    /// The length of the number that stands next, all of it at hand, checked for JSON's grammar.
    private mutating func numberLength() throws(WhenceError) -> Int {
        _ = try skipSpace()
        let available = min(try stream.ensure(JSONReader.numberBytesMax + 1), JSONReader.numberBytesMax + 1)
        var at = 0
        func digits(_ stream: borrowing ModelStream) -> Int {
            let start = at
            while at < available, stream.byte(at) &- 0x30 <= 9 { at &+= 1 }
            return at &- start
        }
        if at < available, stream.byte(at) == 0x2D { at &+= 1 }
        let first = at < available ? stream.byte(at) : 0
        if first == 0x49 || first == 0x4E, let length = wordLength(from: at, of: first == 0x49 ? "Infinity" : "NaN", available) {
            return length
        }
        let whole = digits(stream)
        guard whole > 0 else {
            if at == 0, available > 0 { throw notOf("a number", try kind()) }
            if at < available { stream.advance(at) }
            throw try unexpected("a digit")
        }
        guard whole == 1 || first != 0x30 else { throw fault("a number begins with 0") }
        if at < available, stream.byte(at) == 0x2E {
            at &+= 1
            guard digits(stream) > 0 else { throw fault("a number ends with its point") }
        }
        if at < available, stream.byte(at) | 0x20 == 0x65 {
            at &+= 1
            if at < available, stream.byte(at) == 0x2B || stream.byte(at) == 0x2D { at &+= 1 }
            guard digits(stream) > 0 else { throw fault("a number has an exponent without digits") }
        }
        guard at <= JSONReader.numberBytesMax else {
            throw fault(.limitExceeded, "this number has more than \(JSONReader.numberBytesMax) characters", hint: "")
        }
        return at
    }

    /// The length of what stands next with `word` at its end, or nil where that is something else.
    private func wordLength(from start: Int, of word: StaticString, _ available: Int) -> Int? {
        let length = start + word.utf8CodeUnitCount
        guard length <= available else { return nil }
        return UTF8Text.isEqual(stream.bytes(length).extracting(start..<length), exactly: word) ? length : nil
    }

    mutating func double() throws(WhenceError) -> Double {
        let length = try numberLength()
        guard case .value(let value) = DecimalText.float64(stream.bytes(length)) else {
            throw fault("\(String(clipping: stream.bytes(length))) is out of the range of a double")
        }
        stream.advance(length)
        return value
    }

    mutating func float() throws(WhenceError) -> Float {
        let length = try numberLength()
        guard case .value(let value) = DecimalText.float32(stream.bytes(length)) else {
            throw fault("\(String(clipping: stream.bytes(length))) is out of the range of a float32")
        }
        stream.advance(length)
        return value
    }

    mutating func int() throws(WhenceError) -> Int {
        let next = try skipSpace()
        if next == 0x74 || next == 0x66 { return try bool() ? 1 : 0 }
        // Up to 18 digits cannot overflow; what is longer or has a fraction goes the long way.
        let available = min(try stream.ensure(24), 24)
        var at = next == 0x2D ? 1 : 0
        let start = at
        var value = 0
        while at < available, case let digit = stream.byte(at) &- 0x30, digit <= 9, at &- start < 18 {
            value = value &* 10 &+ Int(digit)
            at &+= 1
        }
        let after = at < available ? stream.byte(at) : 0
        let isWhole = at > start && (at - start == 1 || stream.byte(start) != 0x30)
        if isWhole, !(after &- 0x30 <= 9 || after == 0x2E || after | 0x20 == 0x65) {
            stream.advance(at)
            return start == 1 ? -value : value
        }
        let length = try numberLength()
        if case .value(let exact) = DecimalText.int64(stream.bytes(length)) {
            stream.advance(length)
            return Int(exact)
        }
        if case .value(let number) = DecimalText.float64(stream.bytes(length)), let exact = Int(exactly: number) {
            stream.advance(length)
            return exact
        }
        throw fault("\(String(clipping: stream.bytes(length))) is no whole number, or out of range")
    }

    /// A number as what it is written as: a whole number where it has neither fraction nor exponent and an Int64 holds it.
    mutating func category() throws(WhenceError) -> CategoryValue {
        let length = try numberLength()
        if case .value(let whole) = DecimalText.int64(stream.bytes(length)) {
            stream.advance(length)
            return .whole(whole)
        }
        return .real(try double())
    }

    private mutating func take(_ word: StaticString) throws(WhenceError) {
        let length = word.utf8CodeUnitCount
        guard try stream.ensure(length) >= length, UTF8Text.isEqual(stream.bytes(length), exactly: word) else {
            throw fault("a word stands here that is none of true, false and null")
        }
        stream.advance(length)
    }

    mutating func bool() throws(WhenceError) -> Bool {
        switch try skipSpace() {
        case 0x74:
            try take("true")
            return true
        case 0x66:
            try take("false")
            return false
        default: throw notOf("true or false", try kind())
        }
    }

    mutating func null() throws(WhenceError) {
        guard try skipSpace() == 0x6E else { throw notOf("null", try kind()) }
        try take("null")
    }

    mutating func skipScalar() throws(WhenceError) {
        switch try kind() {
        case .string: try skipString()
        case .number: stream.advance(try numberLength())
        case .bool: _ = try bool()
        case .null: try null()
        case .object, .array: preconditionFailure("the caller opens these")
        }
    }

    /// Passes over a string of any length; it is checked for its end only.
    private mutating func skipString() throws(WhenceError) {
        stream.advance(1)
        while true {
            let available = try stream.ensure(1)
            guard available > 0 else { throw endsInString() }
            var count = 0
            while count < available, case let byte = stream.byte(count), byte != 0x22, byte != 0x5C { count &+= 1 }
            stream.advance(count)
            guard count < available else { continue }
            let isEnd = try stream.peek() == 0x22
            stream.advance(1)
            if isEnd { return }
            guard try stream.ensure(1) > 0 else { throw endsInString() }
            stream.advance(1)
        }
    }

    // MARK: Arrays of numbers

    mutating func floats(into array: inout [Float], max: Int) throws(WhenceError) {
        try beginArray()
        while try nextElement() {
            guard location.count <= max else { throw tooMany(max) }
            array.append(try float())
        }
    }

    mutating func doubles(into array: inout [Double], max: Int) throws(WhenceError) {
        try beginArray()
        while try nextElement() {
            guard location.count <= max else { throw tooMany(max) }
            array.append(try double())
        }
    }

    mutating func ints(into array: inout [Int32], max: Int) throws(WhenceError) {
        try beginArray()
        while try nextElement() {
            guard location.count <= max else { throw tooMany(max) }
            let value = try int()
            guard let narrow = Int32(exactly: value) else { throw fault("\(value) is out of the range of an int32") }
            array.append(narrow)
        }
    }
}
