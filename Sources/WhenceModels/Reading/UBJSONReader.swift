import WhenceCore

/// Universal Binary JSON (https://ubjson.org, draft 12) as a document: what XGBoost writes by default.
///
/// Numbers are big-endian. Containers may state their count (`#`) and the type of their elements (`$`); a stated count is
/// checked against the bytes that are left before anything is allocated. No-ops (`N`) are passed over.
struct UBJSONReader: DocumentReader, ~Copyable {
    /// What is known of an open container.
    private struct Container {
        /// Elements that it says it has; nil where an end mark ends it.
        var count: Int?
        /// The type of every element; 0 where each has its own mark.
        var type: UInt8
    }

    /// Types of elements that have no bytes: a count of them could be anything.
    private static let emptyTypes: Set<UInt8> = [0x5A, 0x4E, 0x54, 0x46]

    private var stream: ModelStream
    private var location = DocumentPath()
    private var containers: [Container] = []
    /// The mark of the next value where it was taken already; 0 where not.
    private var mark: UInt8 = 0

    init(_ stream: consuming ModelStream) { self.stream = stream }

    var depth: Int { location.depth }
    var isInArray: Bool { location.isInArray }
    var path: String { location.text }

    func fault(_ code: WhenceError.Code, _ message: String, hint: String) -> WhenceError {
        WhenceError(code, message, place: place, hint: hint)
    }

    var place: String {
        let path = location.text
        return "\(stream.name), byte \(stream.offset)" + (path.isEmpty ? "" : ", at \(path)")
    }

    private func cutShort() -> WhenceError {
        fault("the file ends too early", hint: "it was cut short; get it or export it again")
    }

    // MARK: Marks and whole numbers

    /// The next byte that is no no-op, not taken.
    private mutating func peekMark() throws(WhenceError) -> UInt8 {
        while true {
            guard try stream.ensure(1) > 0 else { throw cutShort() }
            let byte = stream.byte(0)
            if byte != 0x4E { return byte }
            stream.advance(1)
        }
    }

    private mutating func valueMark() throws(WhenceError) -> UInt8 {
        if mark != 0 { return mark }
        if let type = containers.last?.type, type != 0 {
            mark = type
        } else {
            mark = try peekMark()
            stream.advance(1)
        }
        return mark
    }

    /// The next `T`, big-endian.
    private mutating func take<T: FixedWidthInteger>(_: T.Type) throws(WhenceError) -> T {
        let width = MemoryLayout<T>.size
        guard try stream.ensure(width) >= width else { throw cutShort() }
        var value: T = 0
        for index in 0..<width {
            value = width == 1 ? T(truncatingIfNeeded: stream.byte(0)) : value << 8 | T(truncatingIfNeeded: stream.byte(index))
        }
        stream.advance(width)
        return value
    }

    /// A whole number of the type `mark`, or nil where that is none.
    private mutating func whole(_ mark: UInt8) throws(WhenceError) -> Int? {
        switch mark {
        case 0x69: Int(try take(Int8.self))
        case 0x55: Int(try take(UInt8.self))
        case 0x49: Int(try take(Int16.self))
        case 0x6C: Int(try take(Int32.self))
        case 0x4C: Int(try take(Int64.self))
        default: nil
        }
    }

    /// A length: a whole number with its mark, of `0...max`, of things of at least `width` bytes each.
    private mutating func length(max: Int, width: Int, of things: String) throws(WhenceError) -> Int {
        guard try stream.ensure(1) > 0 else { throw cutShort() }
        let mark = stream.byte(0)
        stream.advance(1)
        guard let count = try whole(mark) else { throw fault("a length should stand here, and its type is byte \(mark)") }
        guard count >= 0 else { throw fault("the length \(count) is negative") }
        let left = stream.bytesLeft
        guard count <= left / width else {
            throw fault(
                "\(count) \(things) are announced, and only \(left) bytes are left",
                hint: "the file was cut short or is damaged; get it or export it again")
        }
        guard count <= max else { throw fault(.limitExceeded, "\(count) \(things) are announced; at most \(max) can be read", hint: "") }
        return count
    }

    private static func width(_ mark: UInt8) -> Int? {
        switch mark {
        case 0x69, 0x55, 0x43: 1
        case 0x49: 2
        case 0x6C, 0x64: 4
        case 0x4C, 0x44: 8
        default: nil
        }
    }

    // MARK: Structure

    private static func kind(_ mark: UInt8) -> DocumentKind? {
        switch mark {
        case 0x7B: .object
        case 0x5B: .array
        case 0x53, 0x43: .string
        case 0x69, 0x55, 0x49, 0x6C, 0x4C, 0x64, 0x44, 0x48: .number
        case 0x54, 0x46: .bool
        case 0x5A: .null
        default: nil
        }
    }

    mutating func kind() throws(WhenceError) -> DocumentKind {
        let mark = try valueMark()
        guard let kind = UBJSONReader.kind(mark) else { throw fault("the byte \(mark) is no type of UBJSON") }
        return kind
    }

    private mutating func begin(_ expected: DocumentKind) throws(WhenceError) {
        let found = try kind()
        guard found == expected else { throw notOf(expected.name, found) }
        guard location.push(isArray: expected == .array) else {
            throw fault(
                .limitExceeded, "objects and arrays are nested more than \(DocumentPath.nestingMax) deep",
                hint: "no model file is; this is another file, or a damaged one")
        }
        mark = 0
        var container = Container(count: nil, type: 0)
        if try peekMark() == 0x24 {
            stream.advance(1)
            container.type = try take(UInt8.self)
            guard UBJSONReader.kind(container.type) != nil, !UBJSONReader.emptyTypes.contains(container.type) else {
                throw fault("the byte \(container.type) is no type that the elements of a container can have")
            }
            guard try stream.peek() == 0x23 else { throw fault("a container states a type and no count") }
        }
        if try stream.peek() == 0x23 {
            stream.advance(1)
            // A member has a length, too.
            let width = (UBJSONReader.width(container.type) ?? 1) + (expected == .object ? 2 : 0)
            container.count = try length(max: Int.max, width: width, of: expected == .array ? "elements" : "members")
        }
        containers.append(container)
    }

    mutating func beginObject() throws(WhenceError) { try begin(.object) }
    mutating func beginArray() throws(WhenceError) { try begin(.array) }

    /// Whether the innermost container has another element; leaves it where not.
    private mutating func goesOn(_ endMark: UInt8) throws(WhenceError) -> Bool {
        if let count = containers[containers.count - 1].count {
            if location.count < count { return true }
        } else {
            if try peekMark() != endMark { return true }
            stream.advance(1)
        }
        containers.removeLast()
        location.pop()
        return false
    }

    mutating func nextElement() throws(WhenceError) -> Bool {
        guard try goesOn(0x5D) else { return false }
        location.nextElement()
        return true
    }

    mutating func nextKey() throws(WhenceError) -> String? {
        guard try goesOn(0x7D) else { return nil }
        _ = try peekMark()
        let key = try takeString(bytesMax: JSONReader.keyBytesMax)
        guard location.nextMember(key) else {
            if location.count > DocumentPath.membersMax {
                throw fault(.limitExceeded, "this object has more than \(DocumentPath.membersMax) members", hint: "")
            }
            throw fault(
                "the key '\(key.prefix(80))' stands twice in this object", hint: "the file is damaged, or was edited; export it again")
        }
        return key
    }

    mutating func finish() throws(WhenceError) {
        while try !stream.isAtEnd() {
            guard stream.byte(0) == 0x4E else { throw fault("bytes follow the document", hint: "the file is damaged; export it again") }
            stream.advance(1)
        }
    }

    // MARK: Values

    private mutating func takeString(bytesMax: Int) throws(WhenceError) -> String {
        let count = try length(max: bytesMax, width: 1, of: "bytes")
        var bytes: [UInt8] = []
        guard try stream.take(count, into: &bytes) else { throw cutShort() }
        guard let string = String(validating: bytes, as: UTF8.self) else { throw fault("this string is not valid UTF-8") }
        return string
    }

    mutating func string(bytesMax: Int) throws(WhenceError) -> String {
        let found = try kind()
        guard found == .string else { throw notOf("a string", found) }
        let isCharacter = mark == 0x43
        mark = 0
        guard isCharacter else { return try takeString(bytesMax: bytesMax) }
        let code = try take(UInt8.self)
        guard code < 0x80 else { throw fault("the byte \(code) is no character") }
        return String(UnicodeScalar(code))
    }

    mutating func double() throws(WhenceError) -> Double {
        let found = try kind()
        guard found == .number else { throw notOf("a number", found) }
        let type = mark
        mark = 0
        switch type {
        case 0x64: return Double(Float(bitPattern: try take(UInt32.self)))
        case 0x44: return Double(bitPattern: try take(UInt64.self))
        case 0x48:
            let text = Array(try takeString(bytesMax: JSONReader.numberBytesMax).utf8)
            guard case .value(let value) = unsafe DecimalText.float64(text.span.bytes) else {
                throw fault("this is no number in the range of a double")
            }
            return value
        default: return Double(try whole(type) ?? 0)
        }
    }

    mutating func float() throws(WhenceError) -> Float {
        let found = try kind()
        guard found == .number else { throw notOf("a number", found) }
        let type = mark
        switch type {
        case 0x64:
            mark = 0
            return Float(bitPattern: try take(UInt32.self))
        case 0x48:
            mark = 0
            let text = Array(try takeString(bytesMax: JSONReader.numberBytesMax).utf8)
            guard case .value(let value) = unsafe DecimalText.float32(text.span.bytes) else {
                throw fault("this is no number in the range of a float32")
            }
            return value
        case 0x44:
            let wide = try double()
            let value = Float(wide)
            guard value.isFinite || !wide.isFinite else { throw fault("\(wide) is out of the range of a float32") }
            return value
        default:
            mark = 0
            return Float(try whole(type) ?? 0)
        }
    }

    mutating func int() throws(WhenceError) -> Int {
        switch try kind() {
        case .bool: return try bool() ? 1 : 0
        case .number:
            if UBJSONReader.width(mark) != nil, mark != 0x64, mark != 0x44 {
                let type = mark
                mark = 0
                return try whole(type) ?? 0
            }
            let number = try double()
            guard let value = Int(exactly: number) else { throw fault("\(number) is no whole number, or out of range") }
            return value
        case let found: throw notOf("a whole number", found)
        }
    }

    mutating func bool() throws(WhenceError) -> Bool {
        let found = try kind()
        guard found == .bool else { throw notOf("true or false", found) }
        let isTrue = mark == 0x54
        mark = 0
        return isTrue
    }

    mutating func null() throws(WhenceError) {
        let found = try kind()
        guard found == .null else { throw notOf("null", found) }
        mark = 0
    }

    mutating func skipScalar() throws(WhenceError) {
        let found = try kind()
        let type = mark
        mark = 0
        let count: Int
        if let width = UBJSONReader.width(type) {
            count = width
        } else if type == 0x53 || type == 0x48 {
            count = try length(max: Int.max, width: 1, of: "bytes")
        } else {
            precondition(found == .bool || found == .null)
            return
        }
        guard try stream.skip(count) else { throw cutShort() }
    }

    // MARK: Arrays of numbers

    /// Opens an array of numbers, checks its count against `max`, and makes room for what the file has bytes for.
    private mutating func beginNumbers<T>(_ array: inout [T], _ max: Int) throws(WhenceError) -> Container {
        try beginArray()
        let container = containers[containers.count - 1]
        if let count = container.count {
            guard count <= max else { throw tooMany(max) }
            array.reserveCapacity(array.count + count)
        }
        return container
    }

    mutating func floats(into array: inout [Float], max: Int) throws(WhenceError) {
        let container = try beginNumbers(&array, max)
        if container.type == 0x64, let count = container.count {
            for _ in 0..<count { array.append(Float(bitPattern: try take(UInt32.self))) }
            return endNumbers()
        }
        while try nextElement() {
            guard location.count <= max else { throw tooMany(max) }
            array.append(try float())
        }
    }

    mutating func doubles(into array: inout [Double], max: Int) throws(WhenceError) {
        _ = try beginNumbers(&array, max)
        while try nextElement() {
            guard location.count <= max else { throw tooMany(max) }
            array.append(try double())
        }
    }

    mutating func ints(into array: inout [Int32], max: Int) throws(WhenceError) {
        let container = try beginNumbers(&array, max)
        if container.type == 0x6C, let count = container.count {
            for _ in 0..<count { array.append(try take(Int32.self)) }
            return endNumbers()
        }
        while try nextElement() {
            guard location.count <= max else { throw tooMany(max) }
            let value = try int()
            guard let narrow = Int32(exactly: value) else { throw fault("\(value) is out of the range of an int32") }
            array.append(narrow)
        }
    }

    private mutating func endNumbers() {
        containers.removeLast()
        location.pop()
    }
}
