/// The kinds of messages. Those of the server have the high bit set.
public enum MessageKind: UInt8, Sendable, CaseIterable {
    case hello = 1
    case authenticate = 2
    case ping = 3
    case cancel = 4
    /// A client's credit for a download.
    case credit = 5
    /// Rows that a client uploads.
    case uploadRows = 6
    case uploadEnd = 7
    case plan = 16
    case apply = 17
    case catalogList = 18
    case catalogShow = 19
    case describe = 20
    case write = 32
    case onlineRead = 33
    case history = 34
    case scan = 35
    case join = 36
    case backfill = 37
    case stats = 48
    case compact = 49
    case retain = 50
    case erase = 51

    case welcome = 128
    case challenge = 129
    case authenticated = 130
    case pong = 131
    case draining = 132
    case error = 133
    case document = 134
    case committed = 135
    case onlineAnswer = 136
    case schema = 137
    case rows = 138
    case end = 139
    /// The server's credit for an upload.
    case uploadCredit = 140
    case progress = 141

    /// Whether the server sends it.
    @inlinable public var isOfServer: Bool { rawValue & 0x80 != 0 }

    /// Whether a frame of this kind may be compressed.
    @inlinable public var mayBeCompressed: Bool { self == .rows || self == .uploadRows }

    /// Whether `code` lies in a range that is kept for later: such a request is answered with an error, and the session goes on.
    @inlinable public static func isKept(_ code: UInt8) -> Bool { (64...111).contains(code & 0x7F) }
}
