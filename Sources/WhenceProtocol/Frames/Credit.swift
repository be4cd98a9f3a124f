public import WhenceCore

/// What a sender of `rows` may still send, in bytes of whole frames. A frame goes while it is above 0, and may take it below.
public struct Credit: Sendable, Equatable {
    public private(set) var bytes: Int64

    public init(_ bytes: UInt32) { self.bytes = Int64(bytes) }

    /// Whether a frame may be sent.
    public var isOpen: Bool { bytes > 0 }

    /// A frame of `byteCount` bytes is sent. Precondition: `isOpen`.
    public mutating func spend(_ byteCount: Int) {
        precondition(bytes > 0 && byteCount > 0)
        bytes -= Int64(byteCount)
    }

    /// The receiver gives more. Throws `protocolViolation` above 2^40.
    public mutating func add(_ more: UInt32) throws(WhenceError) {
        bytes += Int64(more)
        guard bytes <= WireLimits.credit else { throw .violation("a credit of \(bytes) bytes is more than \(WireLimits.credit)") }
    }
}

/// A receiver's side of the same: what it has given, and when to give more.
public struct CreditLedger: Sendable, Equatable {
    /// What is out at most, in bytes.
    public let window: UInt32
    private var consumed: Int64 = 0
    private var outstanding: Int64

    public init(window: UInt32) {
        self.window = window
        outstanding = Int64(window)
    }

    /// A frame of `byteCount` bytes has come. Throws `protocolViolation` where the sender had no credit for it.
    public mutating func receive(_ byteCount: Int) throws(WhenceError) {
        guard outstanding > 0 else { throw .violation("rows came without credit") }
        outstanding -= Int64(byteCount)
    }

    /// What came with `byteCount` bytes has been used. Returns the credit to give, or nil while it is not worth a message: until half
    /// of the window is used up.
    public mutating func consume(_ byteCount: Int) -> UInt32? {
        consumed += Int64(byteCount)
        guard consumed >= Int64(window) / 2 || outstanding <= 0 else { return nil }
        let grant = UInt32(clamping: consumed)
        consumed -= Int64(grant)
        outstanding += Int64(grant)
        return grant > 0 ? grant : nil
    }
}
