import NIOCore
import WhenceCore
import WhenceProtocol

/// Whence's protocol: a request for N entities is one online read. Every column of an answer is found and checked where it lies, as a client
/// does that looks at values and keeps none.
struct WhenceDialect: Dialect {
    private let entitiesPerRequest: Int
    private let features: Int
    private let question: PreparedQuestion
    private var picker: EntityPicker
    private var decoder = FrameDecoder(from: .server)
    private var answer = PlacedOnlineAnswer()
    /// The keys of a request, filled again for each.
    private var keys: [Int64]
    /// What the server said that it takes.
    private var maximumPayloadBytes = WireLimits.openingPayloadBytes

    init(service: String, entitiesPerRequest: Int, features: Int, picker: EntityPicker) throws {
        self.entitiesPerRequest = entitiesPerRequest
        self.features = features
        self.picker = picker
        keys = Array(repeating: 0, count: entitiesPerRequest)
        question = try PreparedQuestion(OnlineQuestion(.service(service), keys: BatchSchema(names: ["user_id"], types: [.int64])))
    }

    mutating func open(into buffer: inout ByteBuffer) throws -> Bool {
        try Hello(maximumPayloadBytes: UInt32(WireLimits.payloadBytes), client: "load").append(
            to: &buffer, requestID: 0, maximumPayloadBytes: maximumPayloadBytes)
        return true
    }

    mutating func ask(slot: Int, into buffer: inout ByteBuffer) throws {
        for index in keys.indices { keys[index] = Int64(picker.next()) }
        try question.append(
            to: &buffer, keys: keys, knownSchema: answer.schema?.id ?? 0, requestID: UInt32(slot + 1),
            maximumPayloadBytes: maximumPayloadBytes)
    }

    mutating func take(from buffer: inout ByteBuffer, done: (Int, Outcome) -> Void) throws {
        decoder.feed(buffer)
        buffer.clear()
        while let frame = try decoder.next() {
            let slot = Int(frame.requestID) - 1
            switch frame.kind {
            case .onlineAnswer:
                try answer.read(frame)
                guard answer.features.count == entitiesPerRequest, answer.features.places.count == features,
                    answer.features.places[0].nullCount == 0
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
