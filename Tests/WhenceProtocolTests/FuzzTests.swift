import Foundation
import NIOCore
import RandomFixtures
import Testing

@testable import WhenceCore
@testable import WhenceProtocol

/// Mutated frames and messages: whatever comes in, it is read or refused, and nothing else happens.
///
/// 50,000 inputs; with `WHENCE_SOAK_SECONDS` a million, and as many as that time allows.
@Suite struct FuzzTests {
    /// What one side takes here.
    private static let limit = 1 << 20

    private struct Start {
        var bytes: [UInt8]
        var peer: FrameDecoder.Peer
        /// For rows: those of the schema that went before.
        var schema: BatchSchema?
    }

    @Test(.timeLimit(.minutes(60))) func mutatedFramesAreReadOrRefused() throws {
        var random = SeededRandom.printed()
        let file = try GoldenVectors.read()
        var starts = try file.messages.map { entry in
            Start(
                bytes: [UInt8](hex: entry.hex), peer: entry.code & 0x80 == 0 ? .client : .server,
                schema: entry.kind.contains("rows") ? try entry.fields["schema"].schema : nil)
        }
        starts += try file.refused.map { entry in
            Start(bytes: [UInt8](hex: entry.hex), peer: entry.from == "client" ? .client : .server, schema: try entry.schema?.schema)
        }
        let soak = ProcessInfo.processInfo.environment["WHENCE_SOAK_SECONDS"].flatMap { Double($0) }
        let end = soak.map { Date().addingTimeInterval($0) }
        var inputs = 0
        var read = 0
        let least = soak == nil ? 50_000 : 1_000_000
        while inputs < least || end.map({ Date() < $0 }) ?? false {
            let start = starts[random.below(starts.count)]
            var bytes = start.bytes
            for _ in 0..<1 + random.below(3) { FuzzTests.mutate(&bytes, &random) }
            // Mostly with a checksum that is right, or nothing would get past it.
            if random.below(8) > 0 { FuzzTests.seal(&bytes) }
            if try FuzzTests.take(bytes, start, &random) { read += 1 }
            inputs += 1
        }
        print("fuzz: \(inputs) inputs, \(read) read")
        // A mutation that nothing survives tests only the first check.
        #expect(read > inputs / 50)
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        let at = random.below(bytes.count + 1)
        switch random.below(8) {
        case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8(random.below(8))
        case 1 where at < bytes.count: bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)]
        case 2: bytes.insert(contentsOf: (0..<1 + random.below(9)).map { _ in UInt8(truncatingIfNeeded: random.next()) }, at: at)
        case 3 where bytes.count > 17: bytes.removeSubrange(min(at, bytes.count - 1)..<min(bytes.count, at + 1 + random.below(9)))
        case 4: bytes.removeLast(random.below(bytes.count))
        case 5 where bytes.count >= 20:
            // A number, where numbers lie: lengths and counts.
            let place = 16 + random.below(bytes.count - 19)
            let number = [0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF, 4_194_304, 65_536, UInt32(bytes.count)][random.below(7)]
            for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: number >> UInt32(8 * index)) }
        case 6 where bytes.count >= 16: bytes[8] = random.below(2) == 0 ? UInt8(random.below(256)) : bytes[8] ^ 0x80
        case 7 where bytes.count > 32:
            // A piece twice, or over another.
            let from = 16 + random.below(bytes.count - 16)
            let piece = Array(bytes[from..<min(bytes.count, from + 8 + random.below(24))])
            bytes.insert(contentsOf: piece, at: at)
        default: bytes.append(UInt8(truncatingIfNeeded: random.next()))
        }
        if bytes.isEmpty { bytes = [0] }
    }

    /// Makes length and checksum those of the bytes.
    private static func seal(_ bytes: inout [UInt8]) {
        guard bytes.count >= 16 else { return }
        var buffer = ByteBuffer(bytes: bytes)
        buffer.setInteger(UInt32(bytes.count - 4), at: 0, endianness: .little)
        buffer.setInteger(Checksum.crc32c(buffer.readableBytesSpan.extracting(8..<bytes.count)), at: 4, endianness: .little)
        bytes = Array(buffer.readableBytesView)
    }

    /// Feeds the bytes, in pieces, and reads what comes out. Returns whether a message was read.
    private static func take(_ bytes: [UInt8], _ start: Start, _ random: inout SeededRandom) throws -> Bool {
        var decoder = FrameDecoder(from: start.peer, maximumPayloadBytes: limit)
        var left = ByteBuffer(bytes: bytes)
        var wasRead = false
        do {
            while left.readableBytes > 0 {
                let count = random.below(3) == 0 ? 1 + random.below(left.readableBytes) : left.readableBytes
                decoder.feed(left.readSlice(length: count) ?? ByteBuffer())
                while let frame = try decoder.next() {
                    #expect(frame.payload.readableBytes <= limit)
                    try read(frame, start.schema)
                    wasRead = true
                }
                #expect(decoder.bufferedBytes <= bytes.count)
            }
        } catch let error as WhenceError {
            let codes: [WhenceError.Code] = [.protocolViolation, .limitExceeded, .invalidArgument]
            #expect(codes.contains(error.code), "\(error) for \(bytes.hex)")
        }
        return wasRead
    }

    private static func read(_ frame: Frame, _ schema: BatchSchema?) throws {
        if frame.kind?.mayBeCompressed == true {
            let rows = try frame.rows(of: schema ?? BatchSchema(names: [], types: []), maximumPayloadBytes: limit)
            let held = rows.columns.reduce(0) { sum, column in
                sum + column.values.byteCount + (column.validity?.byteCount ?? 0) + (column.offsets?.byteCount ?? 0)
                    + (column.elementOffsets?.byteCount ?? 0)
            }
            #expect(held <= limit)
            for column in rows.columns { for row in 0..<min(column.count, 50) { _ = column.value(row) } }
            return
        }
        guard let kind = frame.kind, let type = AnyMessage.type(of: kind) else { return }
        compare(frame)
        try rewrite(frame, as: type)
    }

    /// What is read where it lies is what is read into columns, and is refused where that is.
    private static func compare(_ frame: Frame) {
        let copied: Result<ColumnBatch, any Error>
        let placed: Result<PlacedColumns, any Error>
        switch frame.kind {
        case .onlineRead:
            // A server has the question from a request before.
            guard let question = try? question(of: frame) else { return }
            copied = Result { try OnlineRead(decoding: frame, asking: question).entities }
            placed = Result {
                var read = PlacedOnlineRead()
                try read.read(frame, asking: question)
                return read.entities
            }
        case .onlineAnswer:
            copied = Result { try OnlineAnswer(decoding: frame, knowing: nil).features }
            placed = Result {
                var answer = PlacedOnlineAnswer()
                try answer.read(frame)
                return answer.features
            }
        default: return
        }
        switch (copied, placed) {
        case (.success(let columns), .success(let places)):
            let agree = isSame(columns, places, in: frame.payload.readableBytesSpan)
            #expect(agree)
        case (.failure(let one as WhenceError), .failure(let other as WhenceError)): #expect(one == other)
        default: Issue.record("copied \(copied), placed \(placed)")
        }
    }

    private static func question(of frame: Frame) throws -> PreparedQuestion {
        var reader = PayloadReader(frame.payload)
        _ = try reader.timeout()
        let _: UInt64 = try reader.integer()
        return try PreparedQuestion(from: &reader)
    }

    private static func isSame(_ columns: ColumnBatch, _ placed: PlacedColumns, in bytes: RawSpan) -> Bool {
        guard columns.count == placed.count, columns.columns.count == placed.places.count else { return false }
        for (column, place) in zip(columns.columns, placed.places) {
            guard column.type == place.type, column.nullCount == place.nullCount else { return false }
            for row in 0..<column.count where column.isValid(row) != place.isValid(row, in: bytes) { return false }
            var buffers = [(column.offsets, place.offsets), (column.elementOffsets, place.elementOffsets)]
            // Bits behind the last row are zeros where they were copied, and anything where they lie.
            if column.type != .bool, column.type != .list(.bool) { buffers.append((column.values, place.values)) }
            for (buffer, range) in buffers where !range.isEmpty {
                guard let buffer, buffer.byteCount >= range.count,
                    bytes.extracting(range).isIdentical(to: buffer.span.extracting(0..<range.count))
                else { return false }
            }
        }
        return true
    }

    /// What was read can be written, and reads as the same again.
    private static func rewrite<M: Message>(_ frame: Frame, as _: M.Type) throws {
        let message = try M(decoding: frame)
        var first = FrameWriter(maximumPayloadBytes: 2 * limit)
        try first.write(message, requestID: frame.requestID)
        var decoder = FrameDecoder(from: M.kind.isOfServer ? .server : .client, maximumPayloadBytes: 2 * limit)
        decoder.feed(first.buffer)
        let again = try #require(try decoder.next())
        var second = FrameWriter(maximumPayloadBytes: 2 * limit)
        try second.write(M(decoding: again), requestID: frame.requestID)
        #expect(second.buffer == first.buffer)
    }
}
