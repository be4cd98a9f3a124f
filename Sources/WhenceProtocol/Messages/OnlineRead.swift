public import NIOCore
public import WhenceCore

/// What an online read asks for, beside the entities: the same from request to request.
public struct OnlineQuestion: Sendable, Equatable {
    public var selection: ReadSelection
    /// The columns of join keys.
    public var keys: BatchSchema
    /// Whether each view's event times are asked for.
    public var eventTimes: Bool
    /// Whether each view's ages are asked for.
    public var ages: Bool

    public init(_ selection: ReadSelection, keys: BatchSchema, eventTimes: Bool = false, ages: Bool = false) {
        self.selection = selection
        self.keys = keys
        self.eventTimes = eventTimes
        self.ages = ages
    }
}

/// A question with its bytes in a request. A client encodes them once; a server compares the bytes of the next request with them
/// and, where they are the same, need not read them.
public struct PreparedQuestion: Sendable {
    public let question: OnlineQuestion
    /// The request's bytes from `what` to the end of the schema.
    public let bytes: ByteBuffer
    /// Where they begin in a payload: behind the timeout and the known schema.
    static var start: Int { 16 }

    /// Throws `limitExceeded` or `invalidArgument` for what a server would refuse.
    public init(_ question: OnlineQuestion) throws(WhenceError) {
        self.question = question
        var writer = FrameWriter()
        writer.integer(UInt8((question.eventTimes ? 1 : 0) | (question.ages ? 2 : 0)))
        writer.integer(UInt8(0))
        writer.integer(UInt16(0))
        try question.selection.encode(into: &writer)
        try question.keys.encode(into: &writer)
        bytes = writer.buffer
    }

    /// Reads a question, and keeps its bytes.
    init(from reader: inout PayloadReader) throws(WhenceError) {
        let before = reader
        let what: UInt8 = try reader.integer()
        guard what & ~3 == 0 else { throw reader.invalid("an online read asks for \(what)") }
        try reader.zeros(3)
        let selection = try ReadSelection(from: &reader)
        question = OnlineQuestion(selection, keys: try BatchSchema(from: &reader), eventTimes: what & 1 != 0, ages: what & 2 != 0)
        bytes = before.bytes(upTo: reader)
    }

    /// Appends a request that asks this of entities with one join key, an int64, as a whole frame to `buffer`: for clients that ask for few
    /// entities very often. Throws `limitExceeded`, and leaves the buffer as it was, for a payload longer than `maximumPayloadBytes`.
    ///
    /// Precondition: the question has one column of keys, of int64.
    public func append(
        to buffer: inout ByteBuffer, keys: borrowing [Int64], timeout: Duration? = nil, knownSchema: UInt64, requestID: UInt32,
        maximumPayloadBytes: Int
    ) throws(WhenceError) {
        precondition(question.keys.types == [.int64])
        guard keys.count <= WireLimits.onlineRows else { throw OnlineRead.tooMany(keys.count) }
        var writer = FrameWriter(maximumPayloadBytes: maximumPayloadBytes)
        swap(&writer.buffer, &buffer)
        defer { swap(&writer.buffer, &buffer) }
        try writer.frame(.onlineRead, requestID: requestID) { writer throws(WhenceError) in
            writer.timeout(timeout)
            writer.integer(knownSchema)
            writer.buffer.writeImmutableBuffer(bytes)
            writer.pad()
            writer.integer(UInt32(keys.count))
            writer.integer(UInt32(1))
            writer.integer(UInt32(0))
            writer.integer(UInt32(0))
            writer.integer(UInt32(8 * keys.count))
            writer.pad()
            unsafe keys.withUnsafeBytes { _ = unsafe writer.buffer.writeBytes($0) }
        }
    }

    /// Whether `frame`, an online read, asks the same: its bytes begin with these. (A question says itself where it ends, so nothing
    /// that begins with these bytes is another one.)
    public func isAsked(by frame: Frame) -> Bool {
        let payload = frame.payload.readableBytesSpan
        let end = PreparedQuestion.start + bytes.readableBytes
        guard payload.byteCount >= end else { return false }
        return payload.extracting(PreparedQuestion.start..<end).isIdentical(to: bytes.readableBytesSpan)
    }
}

/// Values of one selection for many entities, now.
public struct OnlineRead: Message {
    public static var kind: MessageKind { .onlineRead }
    public var timeout: Duration?
    /// The id of the schema that the client knows from an earlier answer; 0 for none.
    public var knownSchema: UInt64
    public var question: PreparedQuestion
    /// The join keys, one row an entity.
    public var entities: ColumnBatch
    /// Which of the entities are meant; nil for all. Begins at a multiple of 8. Not sent: the other side gets these rows.
    public var range: Range<Int>?

    public init(
        timeout: Duration?, knownSchema: UInt64, question: PreparedQuestion, entities: ColumnBatch, range: Range<Int>? = nil
    ) {
        self.timeout = timeout
        self.knownSchema = knownSchema
        self.question = question
        self.entities = entities
        self.range = range
    }

    fileprivate static func tooMany(_ count: Int) -> WhenceError {
        WhenceError(
            .limitExceeded, "\(count) entities are more than \(WireLimits.onlineRows)", hint: "ask for fewer entities at a time")
    }

    /// Precondition: the entities have the question's columns.
    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        let count = range?.count ?? entities.count
        guard count <= WireLimits.onlineRows else { throw OnlineRead.tooMany(count) }
        writer.timeout(timeout)
        writer.integer(knownSchema)
        writer.buffer.writeImmutableBuffer(question.bytes)
        try writer.columns(entities, range)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        knownSchema = try reader.integer()
        question = try PreparedQuestion(from: &reader)
        entities = try reader.columns(question.question.keys, maximumRows: WireLimits.onlineRows)
    }

    /// Reads a request that asks `question` (see `isAsked`), without reading the question again.
    public init(decoding frame: Frame, asking question: PreparedQuestion) throws(WhenceError) {
        var reader = PayloadReader(frame.payload)
        timeout = try reader.timeout()
        knownSchema = try reader.integer()
        try reader.skip(question.bytes.readableBytes)
        self.question = question
        entities = try reader.columns(question.question.keys, maximumRows: WireLimits.onlineRows)
        try reader.finish()
    }
}

/// A request that asks a question that is known already, read where it lies. Kept from request to request, so that reading one costs no
/// memory.
public struct PlacedOnlineRead: Sendable {
    public private(set) var timeout: Duration?
    /// The id of the schema that the client knows from an earlier answer; 0 for none.
    public private(set) var knownSchema: UInt64 = 0
    /// The join keys, one row an entity: where they lie in the frame's payload.
    public private(set) var entities = PlacedColumns()

    public init() {}

    /// Reads a request that asks `question` (see `isAsked`). Throws what `OnlineRead` does.
    public mutating func read(_ frame: Frame, asking question: PreparedQuestion) throws(WhenceError) {
        var reader = PayloadReader(frame.payload)
        timeout = try reader.timeout()
        knownSchema = try reader.integer()
        try reader.skip(question.bytes.readableBytes)
        try reader.place(question.question.keys, into: &entities, maximumRows: WireLimits.onlineRows)
        try reader.finish()
    }
}

/// A schema with the id by which both sides name it, and its bytes.
public struct IdentifiedSchema: Sendable {
    public let schema: BatchSchema
    /// FNV-1a of `bytes`.
    public let id: UInt64
    let bytes: ByteBuffer

    public init(_ schema: BatchSchema) throws(WhenceError) {
        self.schema = schema
        var writer = FrameWriter()
        try schema.encode(into: &writer)
        let encoded = writer.buffer
        bytes = encoded
        id = BatchSchema.identity(of: encoded.readableBytesSpan)
    }

    init(from reader: inout PayloadReader) throws(WhenceError) {
        let before = reader
        schema = try BatchSchema(from: &reader)
        let encoded = before.bytes(upTo: reader)
        bytes = encoded
        id = BatchSchema.identity(of: encoded.readableBytesSpan)
    }
}

/// The answer to `OnlineRead`.
public struct OnlineAnswer: Message {
    public static var kind: MessageKind { .onlineAnswer }
    /// The time of the read.
    public var time: Timestamp
    public var schema: IdentifiedSchema
    /// Whether the schema is sent too: where the client does not know it yet.
    public var sendsSchema: Bool
    /// The selection's features, and what else was asked for; one row an entity.
    public var features: ColumnBatch

    /// Precondition: the features have the schema's columns.
    public init(time: Timestamp, schema: IdentifiedSchema, sendsSchema: Bool, features: ColumnBatch) {
        self.time = time
        self.schema = schema
        self.sendsSchema = sendsSchema
        self.features = features
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.time(time)
        writer.integer(schema.id)
        writer.flag(sendsSchema)
        if sendsSchema { writer.buffer.writeImmutableBuffer(schema.bytes) }
        try writer.columns(features)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) { try self.init(from: &reader, knowing: nil) }

    /// Reads an answer to a client that keeps `known`.
    public init(decoding frame: Frame, knowing known: IdentifiedSchema?) throws(WhenceError) {
        var reader = PayloadReader(frame.payload)
        try self.init(from: &reader, knowing: known)
        try reader.finish()
    }

    private init(from reader: inout PayloadReader, knowing known: IdentifiedSchema?) throws(WhenceError) {
        time = try reader.time()
        let id: UInt64 = try reader.integer()
        sendsSchema = try reader.flag()
        if sendsSchema {
            schema = try IdentifiedSchema(from: &reader)
            guard schema.id == id else { throw reader.invalid("a schema does not have the id that is stated") }
        } else if let known, known.id == id {
            schema = known
        } else {
            throw reader.invalid("an answer has a schema that was never sent")
        }
        features = try reader.columns(schema.schema)
    }
}

/// An answer to `OnlineRead` that is read where it lies: what a client that looks at values, and keeps none, needs. Kept from answer to
/// answer, so that reading one costs no memory.
public struct PlacedOnlineAnswer: Sendable {
    /// The time of the read.
    public private(set) var time = Timestamp.distantPast
    /// The schema of the last answer.
    public private(set) var schema: IdentifiedSchema?
    /// The features, where they lie in the frame's payload; checked like those that are copied.
    public private(set) var features = PlacedColumns()

    public init() {}

    /// Reads an answer. Throws `protocolViolation` for what is none, and for one that leaves out a schema other than the last.
    public mutating func read(_ frame: Frame) throws(WhenceError) {
        var reader = PayloadReader(frame.payload)
        time = try reader.time()
        let id: UInt64 = try reader.integer()
        if try reader.flag() {
            let sent = try IdentifiedSchema(from: &reader)
            guard sent.id == id else { throw reader.invalid("a schema does not have the id that is stated") }
            schema = sent
        }
        guard let schema, schema.id == id else { throw reader.invalid("an answer has a schema that was never sent") }
        try reader.place(schema.schema, into: &features)
        try reader.finish()
    }
}
