import WhenceCore

/// Limits of the wire protocol (`Formats/wire-protocol.md`), checked before anything is allocated.
public enum WireLimits {
    /// The protocol's version that this code speaks.
    @inlinable public static var version: UInt16 { 1 }
    /// The bytes `WHNC`.
    @inlinable public static var magic: UInt32 { 0x434E_4857 }
    /// A frame's header, in bytes.
    @inlinable public static var headerBytes: Int { 16 }
    /// What the length field of a frame counts beside the payload.
    @inlinable public static var countedHeaderBytes: Int { 12 }
    /// The longest payload before a session is authenticated, and the least that a side may state as its longest.
    @inlinable public static var openingPayloadBytes: Int { 65_536 }
    /// The most that a side may state as its longest payload.
    @inlinable public static var payloadBytes: Int { 64 << 20 }
    /// A string that names something.
    @inlinable public static var nameBytes: Int { 512 }
    /// Any other string.
    @inlinable public static var textBytes: Int { 65_536 }
    /// One text of definitions.
    @inlinable public static var definitionBytes: Int { 4 << 20 }
    /// Items of a list of names.
    @inlinable public static var names: Int { 16_384 }
    /// Columns of a schema.
    @inlinable public static var columns: Int { 16_384 }
    /// Rows of a frame.
    @inlinable public static var rows: Int { 4 << 20 }
    /// Rows of an online read.
    @inlinable public static var onlineRows: Int { 10_000 }
    /// An idempotency key.
    @inlinable public static var idempotencyKeyBytes: Int { 128 }
    /// Credit, in bytes.
    @inlinable public static var credit: Int64 { 1 << 40 }
}
