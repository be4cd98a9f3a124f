import Foundation
public import NIOCore
public import WhenceCore

/// Reads a payload from front to end. Whatever does not fit throws `protocolViolation`; nothing is allocated for a count or a
/// length before the bytes are known to be there.
public struct PayloadReader {
    private let payload: ByteBuffer
    /// Bytes read.
    public private(set) var offset = 0

    public init(_ payload: ByteBuffer) { self.payload = payload }

    /// Bytes not read yet.
    public var left: Int { payload.readableBytes - offset }

    /// All of the payload, what has been read too.
    var whole: RawSpan {
        @_lifetime(borrow self)
        borrowing get { payload.readableBytesSpan }
    }

    /// The bytes not read yet.
    var rest: RawSpan {
        @_lifetime(borrow self)
        borrowing get { payload.readableBytesSpan.extracting(offset...) }
    }

    private func short(_ what: String) -> WhenceError {
        .violation("a message ends within \(what)", place: "byte \(offset) of the payload")
    }

    func invalid(_ what: String) -> WhenceError { .violation(what, place: "byte \(offset) of the payload") }

    /// A copy of the bytes between here and where `later`, a copy of this reader that went on, stands.
    func bytes(upTo later: PayloadReader) -> ByteBuffer {
        var between = ByteBuffer()
        if let shared = payload.getSlice(at: payload.readerIndex + offset, length: later.offset - offset) {
            between.writeImmutableBuffer(shared)
        }
        return between
    }

    /// Throws where bytes are left.
    public func finish() throws(WhenceError) {
        if left > 0 { throw invalid("a message has \(left) bytes too many") }
    }

    mutating func integer<T: FixedWidthInteger>(_: T.Type = T.self) throws(WhenceError) -> T {
        guard let value = payload.getInteger(at: payload.readerIndex + offset, endianness: .little, as: T.self) else {
            throw short("a number")
        }
        offset += MemoryLayout<T>.size
        return value
    }

    mutating func flag() throws(WhenceError) -> Bool {
        let value: UInt8 = try integer()
        guard value <= 1 else { throw invalid("a flag is \(value)") }
        return value == 1
    }

    mutating func time() throws(WhenceError) -> Timestamp { Timestamp(microseconds: try integer()) }

    mutating func optionalTime() throws(WhenceError) -> Timestamp? { try flag() ? try time() : nil }

    mutating func zeros(_ count: Int) throws(WhenceError) {
        for _ in 0..<count {
            let value: UInt8 = try integer()
            guard value == 0 else { throw invalid("a byte that should be 0 is \(value)") }
        }
    }

    private mutating func length(limit: Int, _ what: String) throws(WhenceError) -> Int {
        let count = Int(try integer(UInt32.self))
        guard count <= limit else { throw invalid("\(what) of \(count) bytes is longer than \(limit)") }
        guard count <= left else { throw short(what) }
        return count
    }

    mutating func string(limit: Int = WireLimits.textBytes) throws(WhenceError) -> String {
        let count = try length(limit: limit, "a string")
        let text = rest.extracting(0..<count).utf8Text
        guard let text else { throw invalid("a string is not UTF-8") }
        offset += count
        return text
    }

    mutating func name() throws(WhenceError) -> String { try string(limit: WireLimits.nameBytes) }

    mutating func bytes(limit: Int) throws(WhenceError) -> [UInt8] {
        let count = try length(limit: limit, "a run of bytes")
        let bytes = payload.getBytes(at: payload.readerIndex + offset, length: count) ?? []
        offset += count
        return bytes
    }

    /// The count of a list whose items take at least `itemBytes` each.
    mutating func count(limit: Int = .max, itemBytes: Int) throws(WhenceError) -> Int {
        let count = Int(try integer(UInt32.self))
        guard count <= limit else { throw invalid("a list of \(count) items is longer than \(limit)") }
        guard count <= left / itemBytes else { throw short("a list of \(count) items") }
        return count
    }

    mutating func names() throws(WhenceError) -> [String] {
        let count = try count(limit: WireLimits.names, itemBytes: 4)
        var names: [String] = []
        names.reserveCapacity(count)
        for _ in 0..<count { names.append(try name()) }
        return names
    }

    /// Moves to the next offset that is divisible by 8. What lies between is not looked at.
    mutating func align() throws(WhenceError) { try skip(-offset & 7) }

    mutating func skip(_ count: Int) throws(WhenceError) {
        guard count <= left else { throw short("padding") }
        offset += count
    }

    mutating func timeout() throws(WhenceError) -> Duration? {
        let microseconds: UInt64 = try integer()
        return microseconds == 0 ? nil : .microseconds(Int64(clamping: microseconds))
    }
}

extension RawSpan {
    /// Whether the other bytes are the same.
    func isIdentical(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return unsafe withUnsafeBytes { a in
            unsafe other.withUnsafeBytes { b in
                guard let left = a.baseAddress, let right = b.baseAddress else { return true }
                return unsafe memcmp(left, right, a.count) == 0
            }
        }
    }

    /// The text that these bytes are, or nil where they are not UTF-8.
    var utf8Text: String? {
        unsafe withUnsafeBytes { bytes -> String? in
            unsafe String(validating: bytes, as: UTF8.self)
        }
    }
}
