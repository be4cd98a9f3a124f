import WhenceCore

/// The wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding/), read forward field by field.
///
/// A message is read as `while let field = try reader.nextField() { switch field { … default: try reader.skip() } }`, where
/// each case takes exactly the one value. Lengths are checked against what is left of the enclosing message before anything
/// is allocated. Groups, which ONNX does not use, are refused.
struct ProtobufReader: ~Copyable {
    private struct Message {
        let name: String
        let index: Int?
        /// Where in the file it ends.
        let end: Int
    }

    static let nestingMax = 64
    /// The greatest number of a field.
    private static let fieldMax: UInt64 = (1 << 29) - 1

    private var stream: ModelStream
    private var messages: [Message] = []
    /// The message whose end was met last: what its reader finds wrong now is wrong in it.
    private var closed: Message?
    private var end: Int
    /// The wire type of the field whose number was returned last.
    private var wire: UInt8 = 0

    init(_ stream: consuming ModelStream) {
        end = stream.totalBytes
        self.stream = stream
    }

    /// Where the reader is, as `graph.node[3].attribute[2]`.
    var path: String {
        (messages + (closed.map { [$0] } ?? [])).map { $0.index.map { [name = $0.name] in "\(name)[\($0)]" } ?? $0.name }.joined(
            separator: ".")
    }

    func fault(_ message: String, hint: String = "", code: WhenceError.Code = .malformedInput) -> WhenceError {
        let path = path
        return WhenceError(code, message, place: "\(stream.name), byte \(stream.offset)" + (path.isEmpty ? "" : ", at \(path)"), hint: hint)
    }

    private func cutShort() -> WhenceError {
        fault("a value reaches beyond the end of its message", hint: "the file was cut short or is damaged; get it or export it again")
    }

    // MARK: Structure

    /// The number of the next field, or nil, and the end of the message with it.
    mutating func nextField() throws(WhenceError) -> Int? {
        if stream.offset >= end {
            guard stream.offset == end else { throw cutShort() }
            closed = messages.popLast()
            if closed != nil { end = messages.last?.end ?? stream.totalBytes }
            return nil
        }
        closed = nil
        let tag = try takeVarint()
        let field = tag >> 3
        wire = UInt8(tag & 7)
        guard field >= 1, field <= ProtobufReader.fieldMax, [0, 1, 2, 5].contains(wire) else {
            throw fault("there is no field \(field) of wire type \(wire)", hint: "this is no ONNX file, or a damaged one")
        }
        return Int(field)
    }

    /// Opens the message that is the current field's value; `name` and `index` are for errors.
    mutating func beginMessage(_ name: String, _ index: Int? = nil) throws(WhenceError) {
        guard messages.count < ProtobufReader.nestingMax else {
            throw fault("messages are nested more than \(ProtobufReader.nestingMax) deep", code: .limitExceeded)
        }
        let length = try takeLength()
        end = stream.offset + length
        messages.append(Message(name: name, index: index, end: end))
    }

    /// Passes over the current field's value.
    mutating func skip() throws(WhenceError) {
        switch wire {
        case 0: _ = try takeVarint()
        case 1: try pass(8)
        case 5: try pass(4)
        default: try pass(try takeLength())
        }
    }

    private mutating func pass(_ count: Int) throws(WhenceError) {
        guard count <= end - stream.offset, try stream.skip(count) else { throw cutShort() }
    }

    private func check(_ expected: UInt8, _ what: String) throws(WhenceError) {
        guard wire == expected else { throw fault("the wire type \(wire) stands where \(what) should") }
    }

    private mutating func takeVarint() throws(WhenceError) -> UInt64 {
        let left = min(10, end - stream.offset)
        let available = min(left, try stream.ensure(10))
        var value: UInt64 = 0
        for index in 0..<max(0, available) {
            let byte = stream.byte(index)
            // The tenth byte has room for one bit.
            if index == 9, byte > 1 { break }
            value |= UInt64(byte & 0x7F) << UInt64(7 * index)
            if byte < 0x80 {
                stream.advance(index + 1)
                return value
            }
        }
        throw available < 10 ? cutShort() : fault("a number has more than 64 bits")
    }

    private mutating func takeLength() throws(WhenceError) -> Int {
        try check(2, "a message, a string or an array")
        let length = try takeVarint()
        guard length <= UInt64(max(0, end - stream.offset)) else { throw cutShort() }
        return Int(length)
    }

    private mutating func takeFixed<T: FixedWidthInteger>(_: T.Type) throws(WhenceError) -> T {
        let width = MemoryLayout<T>.size
        guard width <= end - stream.offset, try stream.ensure(width) >= width else { throw cutShort() }
        var value: T = 0
        for index in 0..<width { value |= T(truncatingIfNeeded: stream.byte(index)) << T(8 * index) }
        stream.advance(width)
        return value
    }

    /// Bytes of the message that is being read, or of the file, behind the reader.
    var bytesLeft: Int { max(0, end - stream.offset) }

    // MARK: Values

    mutating func int64() throws(WhenceError) -> Int64 {
        try check(0, "a whole number")
        return Int64(bitPattern: try takeVarint())
    }

    mutating func float() throws(WhenceError) -> Float {
        try check(5, "a float")
        return Float(bitPattern: try takeFixed(UInt32.self))
    }

    /// Takes bytes, of which there may be `max`.
    mutating func bytes(max: Int) throws(WhenceError) -> [UInt8] {
        let length = try takeLength()
        guard length <= max else { throw fault("\(length) bytes are announced; at most \(max) can be read", code: .limitExceeded) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        guard try stream.take(length, into: &bytes) else { throw cutShort() }
        return bytes
    }

    mutating func string(max: Int = 1 << 16) throws(WhenceError) -> String {
        let bytes = try bytes(max: max)
        guard let string = String(validating: bytes, as: UTF8.self) else { throw fault("this string is not valid UTF-8") }
        return string
    }

    /// Appends one float, or an array of them, so that there are at most `max`.
    mutating func floats(into array: inout [Float], max: Int) throws(WhenceError) {
        guard wire == 2 else { return try append(try float(), to: &array, max) }
        let count = try fixedCount(4, array.count, max)
        array.reserveCapacity(array.count + count)
        for _ in 0..<count { array.append(Float(bitPattern: try takeFixed(UInt32.self))) }
    }

    /// Appends one double, or an array of them, so that there are at most `max`.
    mutating func doubles(into array: inout [Double], max: Int) throws(WhenceError) {
        guard wire == 2 else {
            try check(1, "a double")
            return try append(Double(bitPattern: try takeFixed(UInt64.self)), to: &array, max)
        }
        let count = try fixedCount(8, array.count, max)
        array.reserveCapacity(array.count + count)
        for _ in 0..<count { array.append(Double(bitPattern: try takeFixed(UInt64.self))) }
    }

    /// Appends one whole number, or an array of them, so that there are at most `max`.
    mutating func ints(into array: inout WholeNumbers, max: Int) throws(WhenceError) {
        guard wire == 2 else {
            let number = try int64()
            guard array.count < max else { throw tooMany(max) }
            return array.append(number)
        }
        let length = try takeLength()
        let outer = end
        end = stream.offset + length
        while stream.offset < end {
            let number = Int64(bitPattern: try takeVarint())
            guard array.count < max else { throw tooMany(max) }
            array.append(number)
        }
        end = outer
    }

    private mutating func fixedCount(_ width: Int, _ count: Int, _ max: Int) throws(WhenceError) -> Int {
        let length = try takeLength()
        guard length % width == 0 else { throw fault("an array of \(width)-byte numbers has \(length) bytes") }
        guard length / width <= max - count else { throw tooMany(max) }
        return length / width
    }

    private func append<T>(_ value: T, to array: inout [T], _ max: Int) throws(WhenceError) {
        guard array.count < max else { throw tooMany(max) }
        array.append(value)
    }

    private func tooMany(_ max: Int) -> WhenceError {
        fault("this array has more than \(max) elements", hint: "the model is larger than the limits", code: .limitExceeded)
    }
}
