public import WhenceCore

/// The first message of a stream.
public struct StreamSchema: Message, Equatable {
    public static var kind: MessageKind { .schema }
    /// What to pass as `known at` to read the same again.
    public var knownAt: Timestamp?
    public var schema: BatchSchema

    public init(knownAt: Timestamp?, schema: BatchSchema) {
        self.knownAt = knownAt
        self.schema = schema
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.option(knownAt)
        try schema.encode(into: &writer)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        knownAt = try reader.optionalTime()
        schema = try BatchSchema(from: &reader)
    }
}

/// The last message of a stream.
public struct StreamEnd: Message, Equatable {
    public static var kind: MessageKind { .end }
    /// Rows of the whole stream.
    public var rows: UInt64

    public init(rows: UInt64) { self.rows = rows }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.integer(rows) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { rows = try reader.integer() }
}

/// The client has uploaded all rows.
public struct UploadEnd: Message, Equatable {
    public static var kind: MessageKind { .uploadEnd }
    public var rows: UInt64

    public init(rows: UInt64) { self.rows = rows }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.integer(rows) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { rows = try reader.integer() }
}

/// The client takes more rows.
public struct CreditGrant: Message, Equatable {
    public static var kind: MessageKind { .credit }
    public var bytes: UInt32

    public init(bytes: UInt32) { self.bytes = bytes }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.integer(bytes) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { bytes = try reader.integer() }
}

/// The server takes more rows.
public struct UploadCreditGrant: Message, Equatable {
    public static var kind: MessageKind { .uploadCredit }
    public var bytes: UInt32

    public init(bytes: UInt32) { self.bytes = bytes }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.integer(bytes) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { bytes = try reader.integer() }
}
