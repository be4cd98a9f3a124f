public import WhenceCore

/// What every request says that is answered by a stream.
public struct StreamOptions: Sendable, Equatable {
    /// Bytes of `rows` that the server may send before it is given more.
    public var credit: UInt32
    /// Rows of a batch; 0 for the server's choice.
    public var batchRows: UInt32
    /// Whether the server may compress.
    public var compress: Bool

    public init(credit: UInt32, batchRows: UInt32 = 0, compress: Bool = false) {
        self.credit = credit
        self.batchRows = batchRows
        self.compress = compress
    }

    func encode(into writer: inout FrameWriter) {
        writer.integer(credit)
        writer.integer(batchRows)
        writer.flag(compress)
    }

    init(from reader: inout PayloadReader) throws(WhenceError) {
        credit = try reader.integer()
        batchRows = try reader.integer()
        compress = try reader.flag()
    }
}

/// All versions of one entity.
public struct HistoryRequest: Message {
    public static var kind: MessageKind { .history }
    public var timeout: Duration?
    public var options: StreamOptions
    public var view: String
    /// nil for all that is committed.
    public var knownAt: Timestamp?
    /// One row of join keys.
    public var entity: ColumnBatch

    public init(timeout: Duration?, options: StreamOptions, view: String, knownAt: Timestamp?, entity: ColumnBatch) {
        self.timeout = timeout
        self.options = options
        self.view = view
        self.knownAt = knownAt
        self.entity = entity
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        options.encode(into: &writer)
        try writer.name(view, "a view's name")
        writer.option(knownAt)
        try BatchSchema.encode(of: entity, into: &writer)
        try writer.columns(entity)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        options = try StreamOptions(from: &reader)
        view = try reader.name()
        knownAt = try reader.optionalTime()
        entity = try reader.columns(BatchSchema(from: &reader), maximumRows: 1)
    }
}

/// The rows of a view with an event time in a range, of all entities or of a range of them.
public struct ScanRequest: Message {
    public static var kind: MessageKind { .scan }
    public var timeout: Duration?
    public var options: StreamOptions
    public var view: String
    /// Empty for all.
    public var features: [String]
    public var knownAt: Timestamp?
    /// The first event time.
    public var from: Timestamp
    /// The last event time.
    public var to: Timestamp
    /// What the column of event times is called in the answer.
    public var eventTime: String
    /// One row with the first join keys, or all of them, of the first entity, and of the last; nil where there is no bound.
    public var firstKey: ColumnBatch?
    public var lastKey: ColumnBatch?

    public init(
        timeout: Duration?, options: StreamOptions, view: String, features: [String], knownAt: Timestamp?, from: Timestamp, to: Timestamp,
        eventTime: String, firstKey: ColumnBatch? = nil, lastKey: ColumnBatch? = nil
    ) {
        self.timeout = timeout
        self.options = options
        self.view = view
        self.features = features
        self.knownAt = knownAt
        self.from = from
        self.to = to
        self.eventTime = eventTime
        self.firstKey = firstKey
        self.lastKey = lastKey
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        options.encode(into: &writer)
        try writer.name(view, "a view's name")
        try writer.names(features, "features")
        writer.option(knownAt)
        writer.time(from)
        writer.time(to)
        try writer.name(eventTime, "a column's name")
        for key in [firstKey, lastKey] {
            writer.flag(key != nil)
            guard let key else { continue }
            try BatchSchema.encode(of: key, into: &writer)
            try writer.columns(key)
        }
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        options = try StreamOptions(from: &reader)
        view = try reader.name()
        features = try reader.names()
        knownAt = try reader.optionalTime()
        from = try reader.time()
        to = try reader.time()
        eventTime = try reader.name()
        firstKey = try ScanRequest.key(from: &reader)
        lastKey = try ScanRequest.key(from: &reader)
    }

    private static func key(from reader: inout PayloadReader) throws(WhenceError) -> ColumnBatch? {
        guard try reader.flag() else { return nil }
        return try reader.columns(BatchSchema(from: &reader), maximumRows: 1)
    }
}

/// Where the spine of a join comes from.
public enum JoinSource: Sendable, Equatable {
    /// The client uploads rows of this schema.
    case rows(BatchSchema)
    /// Every entity of `view` that has a version with an event time from `from` to `to`, at each of the instants.
    case entities(view: String, instants: [Timestamp], from: Timestamp, to: Timestamp)
    /// Every version of `view` with an event time from `from` to `to`.
    case versions(view: String, knownAt: Timestamp?, from: Timestamp, to: Timestamp)

    func encode(into writer: inout FrameWriter) throws(WhenceError) {
        switch self {
        case .rows(let schema):
            writer.integer(UInt8(0))
            try schema.encode(into: &writer)
        case .entities(let view, let instants, let from, let to):
            writer.integer(UInt8(1))
            try writer.name(view, "a view's name")
            writer.integer(UInt32(instants.count))
            for instant in instants { writer.time(instant) }
            writer.time(from)
            writer.time(to)
        case .versions(let view, let knownAt, let from, let to):
            writer.integer(UInt8(2))
            try writer.name(view, "a view's name")
            writer.option(knownAt)
            writer.time(from)
            writer.time(to)
        }
    }

    init(from reader: inout PayloadReader) throws(WhenceError) {
        let code: UInt8 = try reader.integer()
        switch code {
        case 0: self = .rows(try BatchSchema(from: &reader))
        case 1:
            let view = try reader.name()
            let count = try reader.count(itemBytes: 8)
            var instants: [Timestamp] = []
            instants.reserveCapacity(count)
            for _ in 0..<count { instants.append(try reader.time()) }
            self = .entities(view: view, instants: instants, from: try reader.time(), to: try reader.time())
        case 2:
            self = .versions(
                view: try reader.name(), knownAt: try reader.optionalTime(), from: try reader.time(), to: try reader.time())
        default: throw reader.invalid("there is no source \(code) of a join")
        }
    }
}

/// A point-in-time join.
public struct JoinRequest: Message, Equatable {
    public static var kind: MessageKind { .join }
    public var timeout: Duration?
    public var options: StreamOptions
    public var selection: ReadSelection
    /// The spine's column of event times.
    public var eventTime: String
    public var knownAt: Timestamp?
    public var asServed: Bool
    /// What the server may hold in memory for it; 0 for its choice.
    public var memoryBytes: UInt64
    public var source: JoinSource

    public init(
        timeout: Duration?, options: StreamOptions, selection: ReadSelection, eventTime: String, knownAt: Timestamp?, asServed: Bool,
        memoryBytes: UInt64, source: JoinSource
    ) {
        self.timeout = timeout
        self.options = options
        self.selection = selection
        self.eventTime = eventTime
        self.knownAt = knownAt
        self.asServed = asServed
        self.memoryBytes = memoryBytes
        self.source = source
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        options.encode(into: &writer)
        try selection.encode(into: &writer)
        try writer.name(eventTime, "a column's name")
        writer.option(knownAt)
        writer.flag(asServed)
        writer.integer(memoryBytes)
        try source.encode(into: &writer)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        options = try StreamOptions(from: &reader)
        selection = try ReadSelection(from: &reader)
        eventTime = try reader.name()
        knownAt = try reader.optionalTime()
        asServed = try reader.flag()
        memoryBytes = try reader.integer()
        source = try JoinSource(from: &reader)
    }
}
