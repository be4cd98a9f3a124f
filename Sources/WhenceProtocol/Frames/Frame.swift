public import NIOCore
import WhenceCore

/// One frame as it came, its checksum verified. The payload shares the memory that it was received in.
public struct Frame: Sendable {
    /// The kind as it stands in the frame; of a known kind, or of a range that is kept for later.
    public let kindCode: UInt8
    /// Whether the payload is compressed; see `rowsPayload`.
    public let isCompressed: Bool
    /// 0 for the connection's own messages.
    public let requestID: UInt32
    /// The payload, from its first byte on.
    public let payload: ByteBuffer

    public init(kindCode: UInt8, isCompressed: Bool, requestID: UInt32, payload: ByteBuffer) {
        self.kindCode = kindCode
        self.isCompressed = isCompressed
        self.requestID = requestID
        self.payload = payload
    }

    /// The kind, or nil for one of a range that is kept for later.
    @inlinable public var kind: MessageKind? { MessageKind(rawValue: kindCode) }

    /// Bytes of the whole frame as it was sent: what it takes of a credit.
    @inlinable public var byteCount: Int { WireLimits.headerBytes + payload.readableBytes }
}

extension WhenceError {
    /// The other side broke the protocol; the connection ends with it.
    @usableFromInline static func violation(_ message: String, place: String = "") -> WhenceError {
        WhenceError(.protocolViolation, message, place: place, hint: "the connection is closed")
    }
}
