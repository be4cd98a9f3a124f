import NIOCore
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
    /// prepared for. Up to 10,000 of them that fit into a message of the server's are one request; more are asked for one request after the
    /// other, each read at its own now, of which the answer has the first. Throws `invalidArgument` and what the server says.
    public func read(_ entities: ColumnBatch, timeout: Duration? = nil) async throws(WhenceError) -> OnlineAnswer {
        guard BatchSchema(of: entities) == question.question.keys else {
            throw WhenceError(
                .invalidArgument, "the entities do not have the columns that the read was prepared for",
                hint:
                    "they are \(zip(question.question.keys.names, question.question.keys.types).map { "\($0) (\($1.name))" }.joined(separator: ", "))"
            )
        }
        // What every server takes: nothing has to be known of this one.
        if entities.count <= WireLimits.onlineRows, bytes(of: entities) <= WireLimits.openingPayloadBytes {
            return try await read(entities, 0..<entities.count, timeout: timeout)
        }
        let timeLeft = WhenceClient.TimeLeft(timeout ?? client.configuration.timeout)
        let limit = try await client.longestPayload(timeLeft) - bytes(of: nil)
        var answers: [OnlineAnswer] = []
        for range in RowPieces(of: entities, rows: WireLimits.onlineRows, bytes: limit, limit: limit) {
            try timeLeft.check()
            answers.append(try await read(entities, range, timeout: timeLeft.duration))
        }
        guard var whole = answers.first, answers.count > 1 else { return answers[0] }
        guard answers.allSatisfy({ $0.schema.id == whole.schema.id }) else {
            throw WhenceError(
                .incompatibleChange, "the definitions changed while so many entities were read", hint: "ask again", isRetryable: true)
        }
        whole.features = try ColumnBatch(concatenating: answers.map(\.features))
        return whole
    }

    /// One request.
    private func read(_ entities: ColumnBatch, _ range: Range<Int>, timeout: Duration?) async throws(WhenceError) -> OnlineAnswer {
        let known = known.withLock { $0 }
        let part = range.count == entities.count ? nil : range
        let answer = try await client.ask(
            timeout: timeout, isRepeatable: true,
            { OnlineRead(timeout: $0, knownSchema: known?.id ?? 0, question: question, entities: entities, range: part) },
            answer: .onlineAnswer
        ) { frame throws(WhenceError) in try OnlineAnswer(decoding: frame, knowing: known) }
        guard answer.features.count == range.count else {
            throw WhenceError(.protocolViolation, "the server answers \(answer.features.count) rows for \(range.count) entities")
        }
        if answer.sendsSchema { self.known.withLock { $0 = answer.schema } }
        return answer
    }

    /// The payload's bytes: of a timeout, a schema's id, the question, padding, and the entities.
    private func bytes(of entities: ColumnBatch?) -> Int {
        24 + question.bytes.readableBytes + (entities.map { FrameWriter.payloadBytes(of: $0) } ?? 0)
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
