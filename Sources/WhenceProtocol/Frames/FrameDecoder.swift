public import NIOCore
public import WhenceCore

/// Takes bytes as they arrive and gives frames. No sockets and no handlers: feed it, then call `next` until it returns nil.
///
/// Nothing is held for a frame before its header has been checked, and never more than the frame and what came with it. After an
/// error the connection is lost: `next` throws the same again.
public struct FrameDecoder: Sendable {
    /// Whose messages come in.
    public enum Peer: Sendable { case client, server }

    /// The longest payload that is taken.
    public var maximumPayloadBytes: Int
    private let peer: Peer
    private var buffer = ByteBuffer()
    private var failure: WhenceError?

    public init(from peer: Peer, maximumPayloadBytes: Int = WireLimits.openingPayloadBytes) {
        self.peer = peer
        self.maximumPayloadBytes = maximumPayloadBytes
    }

    /// Bytes that wait for the rest of their frame.
    public var bufferedBytes: Int { buffer.readableBytes }

    /// Takes bytes that have been received.
    public mutating func feed(_ bytes: consuming ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
            return
        }
        if let needed = missingBytes, needed > bytes.readableBytes {
            // A long frame grows by doubling, so that a peer pays with bytes for the memory that it makes us hold.
            buffer.reserveCapacity(minimumWritableBytes: min(needed, max(bytes.readableBytes, buffer.readableBytes)))
        }
        buffer.writeImmutableBuffer(bytes)
    }

    /// The next whole frame, or nil until more bytes come. Throws `protocolViolation`.
    public mutating func next() throws(WhenceError) -> Frame? {
        if let failure { throw failure }
        do throws(WhenceError) {
            if let frame = try take() { return frame }
            if buffer.readerIndex > 0, buffer.readableBytes > 0 { detach() }
            return nil
        } catch {
            failure = error
            buffer = ByteBuffer()
            throw error
        }
    }

    /// Bytes that the frame at the front still lacks, or nil where its header is not whole.
    private var missingBytes: Int? {
        guard let length: UInt32 = buffer.getInteger(at: buffer.readerIndex, endianness: .little) else { return nil }
        return 4 + min(Int(length), WireLimits.countedHeaderBytes + maximumPayloadBytes) - buffer.readableBytes
    }

    private mutating func take() throws(WhenceError) -> Frame? {
        let start = buffer.readerIndex
        guard let lengthField: UInt32 = buffer.getInteger(at: start, endianness: .little) else { return nil }
        let length = Int(lengthField)
        guard length >= WireLimits.countedHeaderBytes else {
            throw .violation("a frame of \(length) bytes is shorter than its header")
        }
        let payloadBytes = length - WireLimits.countedHeaderBytes
        guard payloadBytes <= maximumPayloadBytes else {
            throw .violation("a payload of \(payloadBytes) bytes is longer than the \(maximumPayloadBytes) that are taken")
        }
        guard
            let (checksum, kindCode, flags, zero, requestID) = buffer.getMultipleIntegers(
                at: start + 4, endianness: .little, as: (UInt32, UInt8, UInt8, UInt16, UInt32).self)
        else { return nil }
        let kind = MessageKind(rawValue: kindCode)
        guard (kindCode & 0x80 != 0) == (peer == .server), kind != nil || MessageKind.isKept(kindCode) else {
            throw .violation("there is no message of kind \(kindCode)")
        }
        guard flags & 0xFE == 0, zero == 0 else { throw .violation("a frame has bits set that should be 0") }
        guard flags == 0 || kind?.mayBeCompressed == true else {
            throw .violation("a message of kind \(kindCode) must not be compressed")
        }
        guard buffer.readableBytes >= 4 + length else { return nil }
        let computed = Checksum.crc32c(buffer.readableBytesSpan.extracting(8..<4 + length))
        guard computed == checksum else { throw .violation("a frame's checksum is wrong") }
        buffer.moveReaderIndex(forwardBy: WireLimits.headerBytes)
        guard let payload = buffer.readSlice(length: payloadBytes) else { return nil }
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
        return Frame(kindCode: kindCode, isCompressed: flags & 1 != 0, requestID: requestID, payload: payload)
    }

    /// Moves the beginning of a frame to memory of its own, where the rest may be appended without copying what is shared with
    /// frames that were given out.
    private mutating func detach() {
        var own = ByteBufferAllocator().buffer(capacity: max(4096, 2 * buffer.readableBytes))
        own.writeImmutableBuffer(buffer)
        buffer = own
    }
}
