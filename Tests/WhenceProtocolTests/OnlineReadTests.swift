import NIOCore
import Testing

@testable import WhenceCore
@testable import WhenceProtocol

@Suite struct OnlineReadTests {
    static func keys(_ carriers: [String]) throws -> ColumnBatch {
        try ColumnBatch([("carrier", .string, carriers.map { .string($0) })])
    }

    static func frame(_ question: PreparedQuestion, _ keys: ColumnBatch) throws -> Frame {
        var writer = FrameWriter()
        try writer.write(OnlineRead(timeout: .milliseconds(5), knownSchema: 17, question: question, entities: keys), requestID: 1)
        return try ColumnsTests.frame(writer, from: .client)
    }

    @Test func aQuestionIsKnownAgainByItsBytes() throws {
        let schema = BatchSchema(names: ["carrier"], types: [.string])
        let question = try PreparedQuestion(OnlineQuestion(.service("eta"), keys: schema, ages: true))
        let first = try OnlineReadTests.frame(question, OnlineReadTests.keys(["UA", "AA"]))
        // What a server keeps of the first request finds the second, of other entities.
        let kept = try OnlineRead(decoding: first).question
        #expect(kept.question == question.question && kept.bytes == question.bytes)
        let second = try OnlineReadTests.frame(question, OnlineReadTests.keys(["DL"]))
        #expect(kept.isAsked(by: second))
        let read = try OnlineRead(decoding: second, asking: kept)
        #expect(read.timeout == .milliseconds(5) && read.knownSchema == 17)
        #expect(read.entities.values == [[.string("DL")]])
    }

    @Test func anotherQuestionIsAnother() throws {
        let schema = BatchSchema(names: ["carrier"], types: [.string])
        let kept = try PreparedQuestion(OnlineQuestion(.service("eta"), keys: schema))
        for other in [
            OnlineQuestion(.service("eta2"), keys: schema), OnlineQuestion(.features(["a.b"]), keys: schema),
            OnlineQuestion(.service("eta"), keys: BatchSchema(names: ["carrier"], types: [.bytes])),
            OnlineQuestion(.service("eta"), keys: schema, eventTimes: true),
        ] {
            let keys = ColumnBatch(names: ["carrier"], columns: [try ColumnBuilder(other.keys.types[0]).finish()], count: 0)
            let frame = try OnlineReadTests.frame(PreparedQuestion(other), keys)
            #expect(!kept.isAsked(by: frame))
        }
    }

    @Test func tooManyEntitiesAreRefusedButTheConnectionLives() throws {
        let schema = BatchSchema(names: [], types: [])
        let question = try PreparedQuestion(OnlineQuestion(.service("eta"), keys: schema))
        let many = ColumnBatch(names: [], columns: [], count: 10_001)
        #expect(throws: WhenceError.self) { try OnlineReadTests.frame(question, many) }
        var writer = FrameWriter()
        try writer.frame(.onlineRead, requestID: 1) { writer throws(WhenceError) in
            writer.timeout(nil)
            writer.integer(UInt64(0))
            writer.buffer.writeImmutableBuffer(question.bytes)
            try writer.columns(many)
        }
        let frame = try ColumnsTests.frame(writer, from: .client)
        let error = #expect(throws: WhenceError.self) { try OnlineRead(decoding: frame) }
        #expect(error?.code == .limitExceeded)
    }

    @Test func aSchemaHasTheIdOfItsBytes() throws {
        let schema = BatchSchema(names: ["a"], types: [.float64])
        let identified = try IdentifiedSchema(schema)
        // FNV-1a of u32 1, string "a", type float64, reckoned by hand elsewhere: see the vectors for others.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in [1, 0, 0, 0, 1, 0, 0, 0, 0x61, 5, 0, 0, 0, 0, 0, 0, 0] as [UInt64] { hash = (hash ^ byte) &* 0x100_0000_01B3 }
        #expect(identified.id == hash)
        #expect(try schema.identity() == hash)
    }
}

@Suite struct FailureTests {
    @Test func anErrorArrivesAsItWas() throws {
        let error = WhenceError(
            .overloaded, "too many requests", place: "queue", hint: "wait", isRetryable: true, retryAfter: .milliseconds(250))
        var writer = FrameWriter()
        try writer.write(Failure(error), requestID: 3)
        #expect(try Failure(decoding: ColumnsTests.frame(writer, from: .server)).error == error)
    }

    @Test func aCodeOfALaterVersionIsNotRepeated() {
        let failure = Failure(code: 4999, isRetryable: true, retryMilliseconds: 5, message: "new", place: "", hint: "")
        #expect(failure.error.code == .internalError && !failure.error.isRetryable)
        #expect(failure.error.message.contains("4999"))
    }

    @Test func longTextsAreCutBetweenCharacters() throws {
        var writer = FrameWriter()
        try writer.write(Failure(WhenceError(.internalError, String(repeating: "é", count: 60_000))), requestID: 0)
        let message = try Failure(decoding: ColumnsTests.frame(writer, from: .server)).message
        #expect(message.utf8.count == 16_384 && message.allSatisfy { $0 == "é" })
    }

    /// The table of the page.
    @Test func whatMayBeRepeated() {
        let repeatable = WhenceError.Code.allCases.filter(\.mayBeRetried).map(\.rawValue)
        #expect(repeatable == [3004, 3007, 3008, 4001, 4003, 4008, 4010])
    }
}
