import WhenceCore

/// Reads the lines of LightGBM's text format forward: `key=value`, where a value is text or numbers apart by spaces. Lines may be of
/// any length: arrays of numbers are taken number by number.
struct LightGBMLines: ~Copyable {
    private static let keyBytesMax = 256
    private static let numberBytesMax = 64

    private var stream: ModelStream
    /// The line's key, as far as `nextKey` has got.
    private(set) var key = ""
    /// Whether a value follows the key on its line.
    private(set) var hasValue = false
    /// What the reader is in the midst of, as `Tree=3`, for errors.
    var part = ""

    init(_ stream: consuming ModelStream) { self.stream = stream }

    var bytesLeft: Int { stream.bytesLeft }
    /// The file.
    var name: String { stream.name }

    /// Where the reader is, without the file's name, which errors of `TreeBuilder` say themselves.
    var place: String { "line \(stream.line)" + (part.isEmpty ? "" : ", \(part)") }

    func fault(_ message: String, hint: String = "the file is damaged; export it again", code: WhenceError.Code = .malformedInput)
        -> WhenceError
    {
        let where_ = key.isEmpty ? place : "\(place), \(key)"
        return WhenceError(code, message, place: "\(stream.name), \(where_)", hint: hint)
    }

    func cutShort() -> WhenceError {
        fault("the file ends here, in the midst of the model", hint: "it was cut short; get it or export it again")
    }

    /// Goes to the next line that is not empty and takes its key: what stands before `=`, or the whole line where there is none. Nil
    /// at the end of the file. The value must have been taken, or skipped.
    mutating func nextKey() throws(WhenceError) -> String? {
        key = ""
        var bytes: [UInt8] = []
        while true {
            let available = try stream.ensure(1)
            if available == 0 {
                hasValue = false
                guard !bytes.isEmpty else { return nil }
                break
            }
            let byte = stream.byte(0)
            stream.advance(1)
            if byte == 0x0A {
                hasValue = false
                if bytes.isEmpty { continue }
                break
            }
            if byte == 0x0D { continue }
            if byte == 0x3D {
                hasValue = true
                break
            }
            guard bytes.count < LightGBMLines.keyBytesMax else { throw fault("a line has no '=' in its first bytes") }
            bytes.append(byte)
        }
        key = String(decoding: bytes, as: UTF8.self)
        return key
    }

    /// Goes to the next line that is not empty and takes all of it; nil at the end of the file. The value must have been taken, or skipped.
    mutating func nextLine(bytesMax: Int) throws(WhenceError) -> [UInt8]? {
        key = ""
        while try stream.ensure(1) > 0 {
            hasValue = true
            let bytes = try rest(bytesMax: bytesMax)
            if !bytes.isEmpty { return bytes }
        }
        return nil
    }

    /// Takes the value as text, of at most `bytesMax` bytes, without the end of the line.
    mutating func text(bytesMax: Int) throws(WhenceError) -> String {
        guard let text = String(validating: try rest(bytesMax: bytesMax), as: UTF8.self) else {
            throw fault("the value is not valid UTF-8")
        }
        return text
    }

    /// Takes what is left of the line, without its end.
    private mutating func rest(bytesMax: Int) throws(WhenceError) -> [UInt8] {
        var bytes: [UInt8] = []
        while hasValue {
            let available = try stream.ensure(1)
            if available == 0 { break }
            var count = 0
            while count < available, stream.byte(count) != 0x0A { count &+= 1 }
            guard bytes.count + count <= bytesMax else {
                throw fault("the value has more than \(bytesMax) bytes", code: .limitExceeded)
            }
            _ = try stream.take(count, into: &bytes)
            if count < available {
                stream.advance(1)
                break
            }
        }
        hasValue = false
        if bytes.last == 0x0D { bytes.removeLast() }
        return bytes
    }

    /// Passes over the value.
    mutating func skip() throws(WhenceError) {
        while hasValue {
            let available = try stream.ensure(1)
            if available == 0 { break }
            let count = stream.firstLineFeed()
            stream.advance(min(available, count + 1))
            if count < available { break }
        }
        hasValue = false
    }

    /// Goes to the next number of the value and returns its length, all of it at hand; 0 at the end of the line, which is taken.
    private mutating func nextNumber() throws(WhenceError) -> Int {
        guard hasValue else { return 0 }
        while true {
            let next = try stream.peek()
            if next == 0x20 || next == 0x0D {
                stream.advance(1)
                continue
            }
            break
        }
        let available = min(try stream.ensure(LightGBMLines.numberBytesMax), LightGBMLines.numberBytesMax)
        var count = 0
        while count < available, stream.byte(count) > 0x20 { count &+= 1 }
        if count == 0 {
            if available > 0 {
                guard stream.byte(0) == 0x0A else { throw fault("a control character stands among the numbers") }
                stream.advance(1)
            }
            hasValue = false
            return 0
        }
        guard count < LightGBMLines.numberBytesMax else { throw fault("a number has \(count) characters or more") }
        return count
    }

    private func noNumber(_ count: Int) -> WhenceError {
        fault("'\(UTF8Text.string(stream.bytes(count)))' is not a number that can stand here")
    }

    private func wrongCount(_ found: String, _ due: Int) -> WhenceError { fault("there are \(found) numbers, where \(due) are due") }

    /// Makes room for as many numbers as are due, and not for more than the file can have.
    private func prepare<Number>(_ array: inout [Number], _ due: Int) {
        array.removeAll(keepingCapacity: true)
        array.reserveCapacity(min(due, bytesLeft / 2 + 1))
    }

    /// Takes the value as `count` doubles. `areShort`: most of them are whole numbers of a few digits.
    mutating func doubles(into array: inout [Double], count due: Int, areShort: Bool = false) throws(WhenceError) {
        prepare(&array, due)
        while hasValue, array.count < due {
            if areShort, let number = try shortNumber() {
                array.append(Double(number))
                continue
            }
            // A plain number with its end at hand is looked at once; whatever else it is goes the long way.
            let window = min(try stream.ensure(LightGBMLines.numberBytesMax), LightGBMLines.numberBytesMax)
            if let number = DecimalText.float64(prefixOf: stream.bytes(window)), number.byteCount < window,
                stream.byte(number.byteCount) == 0x20
            {
                array.append(number.value)
                stream.advance(number.byteCount &+ 1)
                continue
            }
            let length = try nextNumber()
            guard length > 0 else { break }
            guard case .value(let value) = DecimalText.float64(stream.bytes(length)) else { throw noNumber(length) }
            array.append(value)
            stream.advance(length)
        }
        guard try nextNumber() == 0 else { throw wrongCount("more than \(due)", due) }
        guard array.count == due else { throw wrongCount("\(array.count)", due) }
    }

    /// Takes the value as `count` whole numbers.
    mutating func ints(into array: inout [Int32], count due: Int) throws(WhenceError) {
        prepare(&array, due)
        while hasValue, array.count < due {
            if let number = try shortNumber() {
                array.append(number)
                continue
            }
            let length = try nextNumber()
            guard length > 0 else { break }
            array.append(try int32(length))
        }
        guard try nextNumber() == 0 else { throw wrongCount("more than \(due)", due) }
        guard array.count == due else { throw wrongCount("\(array.count)", due) }
    }

    /// Takes a whole number of up to nine digits and the space behind it, as nearly all are; nil, and takes nothing, where something
    /// else stands next.
    @inline(__always)
    private mutating func shortNumber() throws(WhenceError) -> Int32? {
        let available = try stream.ensure(11)
        guard available >= 11 else { return nil }
        let start = stream.byte(0) == 0x2D ? 1 : 0
        var at = start
        var value: Int32 = 0
        while at &- start < 9, case let digit = stream.byte(at) &- 0x30, digit <= 9 {
            value = value &* 10 &+ Int32(digit)
            at &+= 1
        }
        guard at > start, stream.byte(at) == 0x20 else { return nil }
        stream.advance(at &+ 1)
        return start == 1 ? 0 &- value : value
    }

    /// Takes the value as words of bits.
    mutating func words(into array: inout [UInt32], count due: Int) throws(WhenceError) {
        array.removeAll(keepingCapacity: true)
        while case let length = try nextNumber(), length > 0 {
            guard array.count < due else { throw wrongCount("more than \(due)", due) }
            guard case .value(let value) = DecimalText.int64(stream.bytes(length)), let word = UInt32(exactly: value) else {
                throw noNumber(length)
            }
            array.append(word)
            stream.advance(length)
        }
        guard array.count == due else { throw wrongCount("\(array.count)", due) }
    }

    private mutating func int32(_ length: Int) throws(WhenceError) -> Int32 {
        guard case .value(let wide) = DecimalText.int64(stream.bytes(length)), let narrow = Int32(exactly: wide) else {
            throw noNumber(length)
        }
        stream.advance(length)
        return narrow
    }

    /// Takes the value as one whole number in `range`.
    mutating func int(in range: ClosedRange<Int>) throws(WhenceError) -> Int {
        let length = try nextNumber()
        guard length > 0 else { throw fault("a number should stand here") }
        let value = Int(try int32(length))
        guard range.contains(value) else {
            throw fault("\(value) is out of range: \(range.lowerBound) to \(range.upperBound) can stand here")
        }
        guard try nextNumber() == 0 else { throw fault("one number should stand here, and there are more") }
        return value
    }
}
