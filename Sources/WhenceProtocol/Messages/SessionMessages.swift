public import WhenceCore

/// Asks for the server's time.
public struct Ping: Message, Equatable {
    public static var kind: MessageKind { .ping }
    public var timeout: Duration?

    public init(timeout: Duration?) { self.timeout = timeout }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.timeout(timeout) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { timeout = try reader.timeout() }
}

/// The answer to `Ping`.
public struct Pong: Message, Equatable {
    public static var kind: MessageKind { .pong }
    /// The server's time.
    public var time: Timestamp

    public init(time: Timestamp) { self.time = time }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.time(time) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { time = try reader.time() }
}

/// Ends a request before its time.
public struct Cancel: Message, Equatable {
    public static var kind: MessageKind { .cancel }

    public init() {}

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {}

    public init(from reader: inout PayloadReader) throws(WhenceError) {}
}

/// The server ends: no new requests, and answers to open ones within the time given.
public struct Draining: Message, Equatable {
    public static var kind: MessageKind { .draining }
    public var milliseconds: UInt32

    public init(milliseconds: UInt32) { self.milliseconds = milliseconds }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.integer(milliseconds) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { milliseconds = try reader.integer() }
}

/// A request has failed, or, with request id 0, the connection.
public struct Failure: Message, Equatable {
    public static var kind: MessageKind { .error }
    /// A code of `WhenceError.Code`, or one of a later version.
    public var code: UInt32
    public var isRetryable: Bool
    /// Advice how long to wait; 0 for none.
    public var retryMilliseconds: UInt32
    public var message: String
    public var place: String
    public var hint: String

    public init(code: UInt32, isRetryable: Bool, retryMilliseconds: UInt32, message: String, place: String, hint: String) {
        self.code = code
        self.isRetryable = isRetryable
        self.retryMilliseconds = retryMilliseconds
        self.message = message
        self.place = place
        self.hint = hint
    }

    /// What is said of `error`; texts that are too long are cut.
    public init(_ error: WhenceError) {
        let milliseconds = error.retryAfter.map { ($0.microseconds + 999) / 1000 } ?? 0
        self.init(
            code: UInt32(error.code.rawValue), isRetryable: error.isRetryable || error.code.mayBeRetried,
            retryMilliseconds: UInt32(clamping: milliseconds), message: error.message, place: error.place, hint: error.hint)
    }

    /// The error as the client's callers see it. A code that this version does not know is an internal error that is not to be repeated.
    public var error: WhenceError {
        guard let known = WhenceError.Code(rawValue: Int(code)) else {
            return WhenceError(.internalError, "error \(code): \(message)", place: place, hint: hint)
        }
        return WhenceError(
            known, message, place: place, hint: hint, isRetryable: isRetryable,
            retryAfter: retryMilliseconds == 0 ? nil : .milliseconds(Int64(retryMilliseconds)))
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        // What is said of an error must always be sayable, also to one who takes no more than the least.
        let limit = 16_384
        writer.integer(code)
        writer.flag(isRetryable)
        writer.integer(retryMilliseconds)
        writer.clipped(message, limit: limit)
        writer.clipped(place, limit: limit)
        writer.clipped(hint, limit: limit)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        code = try reader.integer()
        isRetryable = try reader.flag()
        retryMilliseconds = try reader.integer()
        message = try reader.string()
        place = try reader.string()
        hint = try reader.string()
    }
}

extension WhenceError.Code {
    /// Whether the same request may succeed when it is repeated, as the page's table has it.
    public var mayBeRetried: Bool {
        switch self {
        case .diskFull, .storeClosed, .readOnly, .deadlineExceeded, .overloaded, .draining, .connectionLost: true
        default: false
        }
    }
}

/// An answer for people and programs alike: JSON.
public struct Document: Message, Equatable {
    public static var kind: MessageKind { .document }
    public var json: String

    public init(json: String) { self.json = json }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        try writer.string(json, "a document", limit: WireLimits.payloadBytes)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) { json = try reader.string(limit: WireLimits.payloadBytes) }
}

/// How far long work has come.
public struct WorkProgress: Message, Equatable {
    public static var kind: MessageKind { .progress }
    public var done: UInt64
    /// 0 where it is not known.
    public var total: UInt64
    public var unit: String

    public init(done: UInt64, total: UInt64, unit: String) {
        self.done = done
        self.total = total
        self.unit = unit
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.integer(done)
        writer.integer(total)
        try writer.name(unit, "a unit")
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        done = try reader.integer()
        total = try reader.integer()
        unit = try reader.name()
    }
}
