import Synchronization
public import WhenceCore
public import WhenceProtocol

/// An online read that is made again and again: its question is encoded once, and the schema of its answers is sent once.
public final class PreparedRead: Sendable {
    private let client: WhenceClient
    private let question: PreparedQuestion
    /// The schema of the last answer.
    private let known = Mutex<IdentifiedSchema?>(nil)

    init(_ client: WhenceClient, _ question: PreparedQuestion) {
        self.client = client
        self.question = question
    }

    /// The values of the selection for `entities`, now: one row an entity, in their order. `entities` has the columns that the read was
    /// prepared for, and at most 10,000 rows. Throws `invalidArgument`, `limitExceeded`, and what the server says.
    public func read(_ entities: ColumnBatch, timeout: Duration? = nil) async throws(WhenceError) -> OnlineAnswer {
        guard BatchSchema(of: entities) == question.question.keys else {
            throw WhenceError(
                .invalidArgument, "the entities do not have the columns that the read was prepared for",
                hint:
                    "they are \(zip(question.question.keys.names, question.question.keys.types).map { "\($0) (\($1.name))" }.joined(separator: ", "))"
            )
        }
        let known = known.withLock { $0 }
        let answer = try await client.ask(
            timeout: timeout, isRepeatable: true,
            { OnlineRead(timeout: $0, knownSchema: known?.id ?? 0, question: question, entities: entities) },
            answer: .onlineAnswer
        ) { frame throws(WhenceError) in try OnlineAnswer(decoding: frame, knowing: known) }
        guard answer.features.count == entities.count else {
            throw WhenceError(.protocolViolation, "the server answers \(answer.features.count) rows for \(entities.count) entities")
        }
        if answer.sendsSchema { self.known.withLock { $0 = answer.schema } }
        return answer
    }
}

extension WhenceClient {
    /// Prepares an online read of `selection` for entities whose join keys have the columns `keys`. With `eventTimes` the features of each
    /// view are followed by `VIEW.event_time`, with `ages` by `VIEW.age` (microseconds). Nothing is sent yet.
    public func prepare(
        _ selection: ReadSelection, keys: BatchSchema, eventTimes: Bool = false, ages: Bool = false
    ) throws(WhenceError) -> PreparedRead {
        PreparedRead(self, try PreparedQuestion(OnlineQuestion(selection, keys: keys, eventTimes: eventTimes, ages: ages)))
    }

    /// One online read. For more than one of the same, `prepare` it.
    public func get(
        _ selection: ReadSelection, _ entities: ColumnBatch, eventTimes: Bool = false, ages: Bool = false, timeout: Duration? = nil
    ) async throws(WhenceError) -> OnlineAnswer {
        try await prepare(selection, keys: BatchSchema(of: entities), eventTimes: eventTimes, ages: ages).read(entities, timeout: timeout)
    }
}
