import NIOCore
import RandomFixtures
import Testing

@testable import WhenceCore
@testable import WhenceProtocol

@Suite struct FrameTests {
    /// Three frames, one behind the other.
    private static func conversation() throws -> ByteBuffer {
        var writer = FrameWriter(maximumPayloadBytes: 1 << 20)
        try writer.write(Ping(timeout: .milliseconds(250)), requestID: 1)
        try writer.write(CompactRequest(timeout: nil, view: "flights"), requestID: 2)
        try writer.write(Authenticate(mechanism: "BEARER", data: Array(repeating: 7, count: 20_000)), requestID: 0)
        return writer.buffer
    }

    @Test func framesComeWholeHoweverTheyAreCut() throws {
        let whole = try FrameTests.conversation()
        var random = SeededRandom.printed()
        for round in 0..<200 {
            var decoder = FrameDecoder(from: .client)
            var left = whole
            var frames: [Frame] = []
            while left.readableBytes > 0 {
                let count = round == 0 ? 1 : 1 + random.below(min(left.readableBytes, [5, 50, 30_000][random.below(3)]))
                let piece = left.readSlice(length: count)
                decoder.feed(try #require(piece))
                while let frame = try decoder.next() { frames.append(frame) }
            }
            #expect(decoder.bufferedBytes == 0)
            #expect(frames.map(\.requestID) == [1, 2, 0])
            #expect(frames.map(\.kind) == [.ping, .compact, .authenticate])
            #expect(try Ping(decoding: frames[0]).timeout == .milliseconds(250))
            #expect(try CompactRequest(decoding: frames[1]).view == "flights")
            #expect(try Authenticate(decoding: frames[2]).data.count == 20_000)
        }
    }

    @Test func aLengthIsRefusedBeforeItsBytesCome() throws {
        var decoder = FrameDecoder(from: .client)
        decoder.feed(ByteBuffer(integer: UInt32(12 + 65_537), endianness: .little))
        #expect(throws: WhenceError.self) { try decoder.next() }
        #expect(decoder.bufferedBytes == 0)
        // The connection is lost: what comes after is not looked at.
        decoder.feed(try FrameTests.conversation())
        #expect(throws: WhenceError.self) { try decoder.next() }
    }

    @Test func theLongestPayloadIsTaken() throws {
        var writer = FrameWriter()
        let overhead = 4 + "BEARER".utf8.count + 4
        try writer.write(Authenticate(mechanism: "BEARER", data: Array(repeating: 7, count: 65_536 - overhead)), requestID: 0)
        var decoder = FrameDecoder(from: .client)
        decoder.feed(writer.buffer)
        #expect(try decoder.next()?.payload.readableBytes == 65_536)
    }

    @Test func aMessageThatIsTooLongIsNotSent() throws {
        var writer = FrameWriter()
        try writer.write(Ping(timeout: nil), requestID: 1)
        let before = writer.buffer
        let long = Authenticate(mechanism: "BEARER", data: Array(repeating: 7, count: 65_530))
        let error = #expect(throws: WhenceError.self) { try writer.write(long, requestID: 2) }
        #expect(error?.code == .limitExceeded)
        #expect(throws: WhenceError.self) {
            try writer.write(CompactRequest(timeout: nil, view: String(repeating: "v", count: 513)), requestID: 3)
        }
        #expect(writer.buffer == before)
    }

    @Test func keptKindsPassAndOthersDoNot() throws {
        for code in UInt8.min...UInt8.max {
            var buffer = ByteBuffer()
            buffer.writeMultipleIntegers(code, UInt8(0), UInt16(0), UInt32(5), endianness: .little)
            let sum = Checksum.crc32c(buffer.readableBytesSpan)
            var frame = ByteBuffer()
            frame.writeMultipleIntegers(UInt32(12), sum, endianness: .little)
            frame.writeImmutableBuffer(buffer)
            var decoder = FrameDecoder(from: .client)
            decoder.feed(frame)
            let isKnown = MessageKind(rawValue: code).map { !$0.isOfServer } ?? (64...111).contains(code)
            if isKnown {
                #expect(try decoder.next()?.kindCode == code)
            } else {
                #expect(throws: WhenceError.self, "kind \(code)") { try decoder.next() }
            }
        }
    }

    @Test func checksumsByInstructionAndByTablesAgree() {
        var random = SeededRandom(seed: 32)
        let bytes = ByteBuffer(bytes: (0..<60_000).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        for _ in 0..<60 {
            let start = random.below(9)
            let range = start..<start + random.below([10, 300, 3000, 59_000][random.below(4)])
            let before = UInt32(truncatingIfNeeded: random.next())
            let span = bytes.readableBytesSpan.extracting(range)
            #expect(Checksum.crc32c(span, after: before) == Checksum.crc32cByTables(span, after: before), "\(range)")
        }
        // Of two pieces, the checksum of the whole.
        let whole = bytes.readableBytesSpan
        let first = Checksum.crc32c(whole.extracting(0..<777))
        #expect(Checksum.crc32c(whole.extracting(777..<60_000), after: first) == Checksum.crc32c(whole))
    }
}

@Suite struct CreditTests {
    @Test func aFrameMayTakeCreditBelowZero() throws {
        var credit = Credit(10)
        #expect(credit.isOpen)
        credit.spend(25)
        #expect(credit.bytes == -15 && !credit.isOpen)
        try credit.add(15)
        #expect(!credit.isOpen)
        try credit.add(1)
        #expect(credit.isOpen)
    }

    @Test func tooMuchCreditIsAnError() throws {
        var credit = Credit(0)
        for _ in 0..<256 { try credit.add(.max) }
        try credit.add(256)
        #expect(credit.bytes == 1 << 40)
        #expect(throws: WhenceError.self) { try credit.add(1) }
    }

    @Test func bothSidesCountAlike() throws {
        var random = SeededRandom.printed()
        for _ in 0..<100 {
            let window = UInt32(1 + random.below(1000))
            var sender = Credit(window)
            var receiver = CreditLedger(window: window)
            var inFlight: [Int] = []
            var moved = 0
            while moved < 10_000 {
                if sender.isOpen, random.below(2) == 0 || inFlight.isEmpty {
                    let bytes = 17 + random.below(2000)
                    sender.spend(bytes)
                    try receiver.receive(bytes)
                    inFlight.append(bytes)
                } else {
                    // With nothing in flight and no credit the stream would stand still for ever.
                    try #require(!inFlight.isEmpty)
                    let bytes = inFlight.removeFirst()
                    moved += bytes
                    if let grant = receiver.consume(bytes) { try sender.add(grant) }
                }
            }
        }
    }

    @Test func rowsWithoutCreditAreAViolation() throws {
        var receiver = CreditLedger(window: 100)
        try receiver.receive(150)
        let error = #expect(throws: WhenceError.self) { try receiver.receive(1) }
        #expect(error?.code == .protocolViolation)
    }
}
