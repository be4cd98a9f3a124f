public import WhenceCore
public import WhenceProtocol

extension WhenceClient {
    /// All versions of one entity (one row of join keys), newest event first: the columns `kind` (row, deletion, retraction),
    /// `event_time`, `commit_time`, `availability_time`, `carries`, then the view's features.
    public func history(
        _ view: String, entity: ColumnBatch, knownAt: Timestamp? = nil, timeout: Duration? = nil
    ) async throws(WhenceError) -> RowStream {
        try await stream(timeout: timeout) {
            HistoryRequest(timeout: $0, options: $1, view: view, knownAt: knownAt, entity: entity)
        }
    }

    /// Every version of `view` with an event time from `from` to `to`, both included: join keys, the event time in a column called
    /// `eventTime`, and `features` (empty: all).
    public func scan(
        _ view: String, features: [String] = [], knownAt: Timestamp? = nil, from: Timestamp = .earliest, to: Timestamp = .latest,
        eventTime: String = "event_time", firstKey: ColumnBatch? = nil, lastKey: ColumnBatch? = nil, timeout: Duration? = nil
    ) async throws(WhenceError) -> RowStream {
        try await stream(timeout: timeout) {
            ScanRequest(
                timeout: $0, options: $1, view: view, features: features, knownAt: knownAt, from: from, to: to, eventTime: eventTime,
                firstKey: firstKey, lastKey: lastKey)
        }
    }

    /// The point-in-time join of `spine` with `selection`: its rows as they came, each with the values as of its own `eventTime`.
    /// `spine` is asked for more as the server takes it, and all its batches have the columns of `schema`. An error of `spine` ends
    /// the stream with it.
    public func join<Spine: AsyncSequence & Sendable>(
        _ selection: ReadSelection, spine: Spine, schema: BatchSchema, eventTime: String = "event_time", knownAt: Timestamp? = nil,
        asServed: Bool = false, memoryBytes: UInt64 = 0, timeout: Duration? = nil
    ) async throws(WhenceError) -> RowStream where Spine.Element == ColumnBatch {
        try await stream(timeout: timeout, schema: schema, send: { await $0.send(spine) }) {
            JoinRequest(
                timeout: $0, options: $1, selection: selection, eventTime: eventTime, knownAt: knownAt, asServed: asServed,
                memoryBytes: memoryBytes, source: .rows(schema))
        }
    }

    /// The same for a spine that is at hand.
    public func join(
        _ selection: ReadSelection, spine: ColumnBatch, eventTime: String = "event_time", knownAt: Timestamp? = nil,
        asServed: Bool = false, memoryBytes: UInt64 = 0, timeout: Duration? = nil
    ) async throws(WhenceError) -> RowStream {
        let batches = AsyncStream { continuation in
            continuation.yield(spine)
            continuation.finish()
        }
        return try await join(
            selection, spine: batches, schema: BatchSchema(of: spine), eventTime: eventTime, knownAt: knownAt, asServed: asServed,
            memoryBytes: memoryBytes, timeout: timeout)
    }

    /// The join with a spine that the server makes from a view: `source` is `.entities` or `.versions`. Throws `invalidArgument`
    /// for `.rows`, which need to be sent.
    public func join(
        _ selection: ReadSelection, source: JoinSource, eventTime: String = "event_time", knownAt: Timestamp? = nil, asServed: Bool = false,
        memoryBytes: UInt64 = 0, timeout: Duration? = nil
    ) async throws(WhenceError) -> RowStream {
        if case .rows = source { throw WhenceError(.invalidArgument, "a spine of rows is given with its rows") }
        return try await stream(timeout: timeout) {
            JoinRequest(
                timeout: $0, options: $1, selection: selection, eventTime: eventTime, knownAt: knownAt, asServed: asServed,
                memoryBytes: memoryBytes, source: source)
        }
    }
}
