public import NIOCore
public import WhenceCore

/// Writes frames one behind the other into one buffer: whoever sends takes `buffer` away and leaves an empty one.
///
/// Its methods other than `write` put down one primitive each, and are for the messages' own `encode`.
public struct FrameWriter: Sendable {
    /// The frames so far.
    public var buffer: ByteBuffer
    /// The longest payload that the other side takes.
    public var maximumPayloadBytes: Int
    /// Where the payload begins that is being written.
    private var payloadStart = 0

    public init(buffer: ByteBuffer = ByteBuffer(), maximumPayloadBytes: Int = WireLimits.openingPayloadBytes) {
        self.buffer = buffer
        self.maximumPayloadBytes = maximumPayloadBytes
    }

    /// Writes `message` as a frame. Throws `limitExceeded`, and leaves the buffer as it was, where the other side would not take it.
    public mutating func write<M: Message>(_ message: M, requestID: UInt32) throws(WhenceError) {
        try frame(M.kind, requestID: requestID) { writer throws(WhenceError) in try message.encode(into: &writer) }
    }

    /// Writes a frame whose payload `body` puts down. Returns its length in bytes, which is what it takes of a credit.
    @discardableResult
    mutating func frame(
        _ kind: MessageKind, isCompressed: Bool = false, requestID: UInt32,
        _ body: (inout FrameWriter) throws(WhenceError) -> Void
    ) throws(WhenceError) -> Int {
        let start = buffer.writerIndex
        buffer.writeMultipleIntegers(
            UInt32(0), UInt32(0), kind.rawValue, UInt8(isCompressed ? 1 : 0), UInt16(0), requestID, endianness: .little)
        payloadStart = buffer.writerIndex
        do throws(WhenceError) {
            try body(&self)
            let payloadBytes = buffer.writerIndex - payloadStart
            guard payloadBytes <= maximumPayloadBytes else {
                throw WhenceError(
                    .limitExceeded,
                    "a message of \(payloadBytes) bytes is longer than the \(maximumPayloadBytes) that the other side takes",
                    hint: "send fewer rows at a time")
            }
        } catch {
            buffer.moveWriterIndex(to: start)
            throw error
        }
        let end = buffer.writerIndex
        buffer.setInteger(UInt32(end - start - 4), at: start, endianness: .little)
        let covered = start + 8 - buffer.readerIndex..<end - buffer.readerIndex
        let checksum = Checksum.crc32c(buffer.readableBytesSpan.extracting(covered))
        buffer.setInteger(checksum, at: start + 4, endianness: .little)
        return end - start
    }

    // MARK: Primitives

    /// Bytes of the payload so far.
    var payloadBytes: Int { buffer.writerIndex - payloadStart }

    mutating func integer<T: FixedWidthInteger>(_ value: T) { buffer.writeInteger(value, endianness: .little) }

    mutating func flag(_ value: Bool) { buffer.writeInteger(UInt8(value ? 1 : 0)) }

    mutating func time(_ value: Timestamp) { integer(value.microseconds) }

    mutating func option(_ value: Timestamp?) {
        flag(value != nil)
        if let value { time(value) }
    }

    /// A string of at most `limit` bytes.
    mutating func string(_ text: String, _ what: @autoclosure () -> String, limit: Int = WireLimits.textBytes) throws(WhenceError) {
        let count = text.utf8.count
        guard count <= limit else {
            throw WhenceError(.limitExceeded, "\(what()) has \(count) bytes, more than \(limit)")
        }
        integer(UInt32(count))
        buffer.writeString(text)
    }

    /// A string that names something.
    mutating func name(_ text: String, _ what: @autoclosure () -> String = "a name") throws(WhenceError) {
        try string(text, what(), limit: WireLimits.nameBytes)
    }

    /// As much of `text` as `limit` bytes hold: for what is said to people.
    mutating func clipped(_ text: String, limit: Int = WireLimits.textBytes) {
        var bytes = Substring(text).utf8
        if bytes.count > limit {
            var end = bytes.index(bytes.startIndex, offsetBy: limit)
            while end > bytes.startIndex, bytes[end] & 0xC0 == 0x80 { bytes.formIndex(before: &end) }
            bytes = bytes[..<end]
        }
        integer(UInt32(bytes.count))
        buffer.writeBytes(bytes)
    }

    mutating func bytes(_ bytes: [UInt8], limit: Int, _ what: @autoclosure () -> String) throws(WhenceError) {
        guard bytes.count <= limit else {
            throw WhenceError(.limitExceeded, "\(what()) has \(bytes.count) bytes, more than \(limit)")
        }
        integer(UInt32(bytes.count))
        buffer.writeBytes(bytes)
    }

    mutating func names(_ names: [String], _ what: @autoclosure () -> String) throws(WhenceError) {
        guard names.count <= WireLimits.names else {
            throw WhenceError(.limitExceeded, "\(names.count) \(what()) are more than \(WireLimits.names)")
        }
        integer(UInt32(names.count))
        for text in names { try name(text) }
    }

    /// Zeros up to the next offset within the payload that is divisible by 8.
    mutating func pad() {
        let left = -payloadBytes & 7
        if left > 0 { buffer.writeRepeatingByte(0, count: left) }
    }

    /// The request's timeout; nil, the server's default, is 0.
    mutating func timeout(_ timeout: Duration?) {
        integer(timeout.map { UInt64(max(1, $0.microseconds)) } ?? 0)
    }
}
