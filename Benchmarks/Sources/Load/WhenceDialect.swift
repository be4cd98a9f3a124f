import NIOCore
import WhenceCore
import WhenceProtocol

/// Whence's protocol: a request for N entities is one online read. Answers are decoded into columns, as a client would.
struct WhenceDialect: Dialect {
    private let entitiesPerRequest: Int
    private let features: Int
    private let question: PreparedQuestion
    private var picker: EntityPicker
    private var decoder = FrameDecoder(from: .server)
    private var schema: IdentifiedSchema?
    /// What the server said that it takes.
    private var maximumPayloadBytes = WireLimits.openingPayloadBytes

    init(service: String, entitiesPerRequest: Int, features: Int, picker: EntityPicker) throws {
        self.entitiesPerRequest = entitiesPerRequest
        self.features = features
        self.picker = picker
        question = try PreparedQuestion(OnlineQuestion(.service(service), keys: BatchSchema(names: ["user_id"], types: [.int64])))
    }

    mutating func open(into buffer: inout ByteBuffer) throws -> Bool {
        try Hello(maximumPayloadBytes: UInt32(WireLimits.payloadBytes), client: "load").append(
            to: &buffer, requestID: 0, maximumPayloadBytes: maximumPayloadBytes)
        return true
    }

    mutating func ask(slot: Int, into buffer: inout ByteBuffer) throws {
        let users = ColumnBuilder(.int64)
        for _ in 0..<entitiesPerRequest { users.append(fixed: Int64(picker.next())) }
        let entities = ColumnBatch(names: ["user_id"], columns: [try users.finish()], count: entitiesPerRequest)
        try OnlineRead(timeout: nil, knownSchema: schema?.id ?? 0, question: question, entities: entities).append(
            to: &buffer, requestID: UInt32(slot + 1), maximumPayloadBytes: maximumPayloadBytes)
    }

    mutating func take(from buffer: inout ByteBuffer, done: (Int, Outcome) -> Void) throws {
        decoder.feed(buffer)
        buffer.clear()
        while let frame = try decoder.next() {
            let slot = Int(frame.requestID) - 1
            switch frame.kind {
            case .onlineAnswer:
                let answer = try OnlineAnswer(decoding: frame, knowing: schema)
                if answer.sendsSchema { schema = answer.schema }
                guard answer.features.count == entitiesPerRequest, answer.features.columns.count == features,
                    answer.features.columns[0].nullCount == 0
                else { throw WrongAnswer(description: "Whence has no value for an entity that was loaded") }
                done(slot, .answered)
            case .error:
                let failure = try Failure(decoding: frame)
                guard failure.code == UInt32(WhenceError.Code.overloaded.rawValue), slot >= 0 else {
                    throw WrongAnswer(description: failure.message)
                }
                done(slot, .shed)
            case .welcome:
                let welcome = try Welcome(decoding: frame)
                maximumPayloadBytes = Int(welcome.maximumPayloadBytes)
                decoder.maximumPayloadBytes = WireLimits.payloadBytes
                done(0, .opened)
            default: throw WrongAnswer(description: "a frame of kind \(frame.kindCode) was not expected")
            }
        }
    }
}
