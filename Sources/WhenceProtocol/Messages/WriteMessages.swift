import NIOCore
public import WhenceCore

/// What a part of a write says of its rows.
public enum WriteAction: UInt8, Sendable, CaseIterable {
    case rows = 0
    case deletions = 1
    case retractions = 2
}

/// Rows for one view.
public struct WritePart: Sendable {
    public var view: String
    public var action: WriteAction
    /// Whether a missing value is a null; else it is a feature that the row does not carry.
    public var missingIsNull: Bool
    /// The column of event times.
    public var eventTime: String
    /// The column of availability times; empty for none.
    public var availabilityTime: String
    /// Join keys, times, and for rows any of the view's features.
    public var rows: ColumnBatch
    /// Which of the rows are meant; nil for all. Begins at a multiple of 8. Not sent: the other side gets these rows.
    public var range: Range<Int>?

    public init(
        view: String, action: WriteAction = .rows, missingIsNull: Bool = false, eventTime: String, availabilityTime: String = "",
        rows: ColumnBatch, range: Range<Int>? = nil
    ) {
        self.view = view
        self.action = action
        self.missingIsNull = missingIsNull
        self.eventTime = eventTime
        self.availabilityTime = availabilityTime
        self.rows = rows
        self.range = range
    }

    /// 64 bits of all that the part says, rows included: parts with others say something else. Part of an idempotency key, it keeps that from
    /// standing for rows which were never written. Costs as much as to encode the part.
    public func fingerprint() throws(WhenceError) -> UInt64 {
        var writer = FrameWriter(maximumPayloadBytes: .max)
        try encode(into: &writer)
        return EntityKey.hash(writer.buffer.readableBytesSpan)
    }

    func encode(into writer: inout FrameWriter) throws(WhenceError) {
        try writer.name(view, "a view's name")
        writer.integer(action.rawValue)
        writer.flag(missingIsNull)
        try writer.name(eventTime, "a column's name")
        try writer.name(availabilityTime, "a column's name")
        try BatchSchema.encode(of: rows, into: &writer)
        try writer.columns(rows, range)
    }

    init(from reader: inout PayloadReader) throws(WhenceError) {
        view = try reader.name()
        let code: UInt8 = try reader.integer()
        guard let action = WriteAction(rawValue: code) else { throw reader.invalid("there is no action \(code)") }
        self.action = action
        missingIsNull = try reader.flag()
        eventTime = try reader.name()
        availabilityTime = try reader.name()
        rows = try reader.columns(BatchSchema(from: &reader))
    }
}

/// One atomic commit.
public struct WriteRequest: Message {
    public static var kind: MessageKind { .write }
    public var timeout: Duration?
    /// Makes a repetition one write; empty for none.
    public var idempotencyKey: [UInt8]
    /// At least one.
    public var parts: [WritePart]

    public init(timeout: Duration?, idempotencyKey: [UInt8], parts: [WritePart]) {
        self.timeout = timeout
        self.idempotencyKey = idempotencyKey
        self.parts = parts
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        guard !parts.isEmpty else { throw WhenceError(.invalidArgument, "a write has no parts") }
        writer.timeout(timeout)
        try writer.bytes(idempotencyKey, limit: WireLimits.idempotencyKeyBytes, "an idempotency key")
        writer.integer(UInt32(parts.count))
        for part in parts { try part.encode(into: &writer) }
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        idempotencyKey = try reader.bytes(limit: WireLimits.idempotencyKeyBytes)
        // Three names, two bytes, a schema's count and the two numbers of its columns.
        let count = try reader.count(itemBytes: 26)
        guard count > 0 else { throw reader.invalid("a write has no parts") }
        parts = []
        parts.reserveCapacity(count)
        for _ in 0..<count { parts.append(try WritePart(from: &reader)) }
    }
}

/// Announces rows for the bulk path; `uploadRows` and `uploadEnd` follow.
public struct BackfillRequest: Message, Equatable {
    public static var kind: MessageKind { .backfill }
    public var timeout: Duration?
    public var view: String
    public var missingIsNull: Bool
    public var eventTime: String
    /// Empty for none.
    public var availabilityTime: String
    public var schema: BatchSchema

    public init(timeout: Duration?, view: String, missingIsNull: Bool, eventTime: String, availabilityTime: String, schema: BatchSchema) {
        self.timeout = timeout
        self.view = view
        self.missingIsNull = missingIsNull
        self.eventTime = eventTime
        self.availabilityTime = availabilityTime
        self.schema = schema
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        try writer.name(view, "a view's name")
        writer.flag(missingIsNull)
        try writer.name(eventTime, "a column's name")
        try writer.name(availabilityTime, "a column's name")
        try schema.encode(into: &writer)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        view = try reader.name()
        missingIsNull = try reader.flag()
        eventTime = try reader.name()
        availabilityTime = try reader.name()
        schema = try BatchSchema(from: &reader)
    }
}

/// The answer to a write or a backfill: it is durable.
public struct Committed: Message, Equatable {
    public static var kind: MessageKind { .committed }
    public var commitTime: Timestamp
    /// Whether an earlier commit with the same idempotency key is answered, and nothing was written now.
    public var isRepeat: Bool
    public var rows: UInt64

    public init(commitTime: Timestamp, isRepeat: Bool, rows: UInt64) {
        self.commitTime = commitTime
        self.isRepeat = isRepeat
        self.rows = rows
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.time(commitTime)
        writer.flag(isRepeat)
        writer.integer(rows)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        commitTime = try reader.time()
        isRepeat = try reader.flag()
        rows = try reader.integer()
    }
}
