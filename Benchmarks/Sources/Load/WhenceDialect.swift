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
    /// Whether answers are not looked at beyond their headers, and what of the last one is still to come.
    private let headersOnly: Bool
    private var bytesToSkip = 0
    private var skippedSlot = 0
    /// What the server said that it takes.
    private var maximumPayloadBytes = WireLimits.openingPayloadBytes

    init(service: String, entitiesPerRequest: Int, features: Int, picker: EntityPicker, headersOnly: Bool) throws {
        self.entitiesPerRequest = entitiesPerRequest
        self.features = features
        self.picker = picker
        self.headersOnly = headersOnly
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
        if headersOnly { return try takeHeaders(from: &buffer, done) }
        decoder.feed(buffer)
        buffer.clear()
        try takeFrames(done)
    }

    private mutating func takeFrames(_ done: (Int, Outcome) -> Void) throws {
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

    /// Takes answers by their headers and passes over the rest of them; all else as it is. An answer is done when it has all come.
    private mutating func takeHeaders(from buffer: inout ByteBuffer, _ done: (Int, Outcome) -> Void) throws {
        while true {
            if bytesToSkip > 0 {
                let skipped = min(bytesToSkip, buffer.readableBytes)
                buffer.moveReaderIndex(forwardBy: skipped)
                bytesToSkip -= skipped
                guard bytesToSkip == 0 else { return }
                done(skippedSlot, .answered)
            }
            let start = buffer.readerIndex
            guard let length: UInt32 = buffer.getInteger(at: start, endianness: .little),
                let kind: UInt8 = buffer.getInteger(at: start + 8),
                let requestID: UInt32 = buffer.getInteger(at: start + 12, endianness: .little)
            else { return }
            if kind == MessageKind.onlineAnswer.rawValue {
                bytesToSkip = 4 + Int(length)
                skippedSlot = Int(requestID) - 1
            } else {
                guard let frame = buffer.readSlice(length: 4 + Int(length)) else { return }
                decoder.feed(frame)
                try takeFrames(done)
            }
        }
    }
}
