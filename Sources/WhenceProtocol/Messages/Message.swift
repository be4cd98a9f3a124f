public import NIOCore
public import WhenceCore

/// What a frame says: one struct for each kind of the protocol whose payload stands for itself. (`rows` is read by a schema that
/// went before, see `Rows`; an online answer may be, see `OnlineAnswer`.)
public protocol Message: Sendable {
    static var kind: MessageKind { get }

    /// Puts the payload down. Throws `limitExceeded` for what the other side would refuse.
    func encode(into writer: inout FrameWriter) throws(WhenceError)

    /// Reads the payload; `decode` looks after what is left behind it. Throws `protocolViolation`.
    init(from reader: inout PayloadReader) throws(WhenceError)
}

extension Message {
    /// Appends the message as a whole frame to `buffer`. Throws `limitExceeded`, and leaves the buffer as it was, for a payload longer
    /// than `maximumPayloadBytes`.
    public func append(to buffer: inout ByteBuffer, requestID: UInt32, maximumPayloadBytes: Int) throws(WhenceError) {
        // Moved there and back, so that it stays the only reference to its memory and is not copied.
        var writer = FrameWriter(maximumPayloadBytes: maximumPayloadBytes)
        swap(&writer.buffer, &buffer)
        defer { swap(&writer.buffer, &buffer) }
        try writer.write(self, requestID: requestID)
    }

    /// Reads the payload of a frame of this kind. Throws `protocolViolation`, which ends the connection, for bytes that are not
    /// such a message; `limitExceeded` for what is refused but may be answered.
    public init(decoding frame: Frame) throws(WhenceError) {
        precondition(frame.kindCode == Self.kind.rawValue)
        var reader = PayloadReader(frame.payload)
        try self.init(from: &reader)
        try reader.finish()
    }
}
