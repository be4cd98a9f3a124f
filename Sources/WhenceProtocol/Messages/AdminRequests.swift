public import WhenceCore

/// Asks what the store holds.
public struct StatsRequest: Message, Equatable {
    public static var kind: MessageKind { .stats }
    public var timeout: Duration?

    public init(timeout: Duration?) { self.timeout = timeout }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.timeout(timeout) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { timeout = try reader.timeout() }
}

/// Compacts a view.
public struct CompactRequest: Message, Equatable {
    public static var kind: MessageKind { .compact }
    public var timeout: Duration?
    public var view: String

    public init(timeout: Duration?, view: String) {
        self.timeout = timeout
        self.view = view
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        try writer.name(view, "a view's name")
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        view = try reader.name()
    }
}

/// Removes what lies behind the horizon.
public struct RetainRequest: Message, Equatable {
    public static var kind: MessageKind { .retain }
    public var timeout: Duration?
    /// Empty for all that declare a retention.
    public var views: [String]
    /// nil for the one that each view declares.
    public var horizon: Timestamp?
    public var dryRun: Bool

    public init(timeout: Duration?, views: [String], horizon: Timestamp?, dryRun: Bool) {
        self.timeout = timeout
        self.views = views
        self.horizon = horizon
        self.dryRun = dryRun
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        try writer.names(views, "views")
        writer.option(horizon)
        writer.flag(dryRun)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        views = try reader.names()
        horizon = try reader.optionalTime()
        dryRun = try reader.flag()
    }
}

/// Removes an entity.
public struct EraseRequest: Message {
    public static var kind: MessageKind { .erase }
    public var timeout: Duration?
    /// The name of the entity's definition.
    public var entity: String
    public var dryRun: Bool
    /// One row of join keys.
    public var keys: ColumnBatch

    public init(timeout: Duration?, entity: String, dryRun: Bool, keys: ColumnBatch) {
        self.timeout = timeout
        self.entity = entity
        self.dryRun = dryRun
        self.keys = keys
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        try writer.name(entity, "an entity's name")
        writer.flag(dryRun)
        try BatchSchema.encode(of: keys, into: &writer)
        try writer.columns(keys)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        entity = try reader.name()
        dryRun = try reader.flag()
        keys = try reader.columns(BatchSchema(from: &reader), maximumRows: 1)
    }
}
