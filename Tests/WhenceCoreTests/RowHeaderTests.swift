import RandomFixtures
import Testing
import WhenceCore

@Suite struct RowHeaderTests {
    static func header(_ hex: String) throws(WhenceError) -> RowHeader { try read([UInt8](hex: hex)) }

    static func read(_ bytes: [UInt8]) throws(WhenceError) -> RowHeader { unsafe try RowHeader(bytes.span.bytes) }

    @Test func whatIsWrittenIsRead() throws {
        var random = SeededRandom.printed()
        for _ in 0..<10_000 {
            let kind = [VersionKind.row, .deletion, .retraction][random.below(3)]
            var header = RowHeader(
                kind: kind, schemaID: kind == .row ? UInt32(truncatingIfNeeded: random.next()) >> UInt32(random.below(32)) : 0,
                availability: random.below(2) == 0 ? nil : Timestamp(microseconds: random.integer()))
            if kind == .row {
                header.isSparse = random.below(2) == 0
                header.hasNulls = random.below(2) == 0
            }
            header.isOverDeletion = random.below(2) == 0
            header.isOverRetraction = random.below(2) == 0
            var bytes: [UInt8] = []
            header.append(to: &bytes)
            header.bodyOffset = bytes.count
            #expect(try RowHeaderTests.read(bytes) == header)
            #expect(bytes.indices.allSatisfy { (try? RowHeaderTests.read(Array(bytes[..<$0]))) == nil })
        }
    }

    @Test func theFlagsAreWhereThePageSays() throws {
        #expect(try RowHeaderTests.header("08 01").isSparse)
        #expect(try RowHeaderTests.header("10 01").hasNulls)
        #expect(try RowHeaderTests.header("20 01").isOverDeletion)
        #expect(try RowHeaderTests.header("40 01").isOverRetraction)
        #expect(try RowHeaderTests.header("04 fe ff ff ff ff ff ff ff 07").availability == Timestamp(microseconds: -2))
        #expect(try RowHeaderTests.header("00 ff ff ff ff 0f").schemaID == .max)
        #expect(try RowHeaderTests.header("00 80 01").schemaID == 128)
        #expect(try RowHeaderTests.header("01").kind == .deletion)
        #expect(try RowHeaderTests.header("02").kind == .retraction)
    }

    @Test func aNewerFormatIsRefusedAsSuch() {
        let error = #expect(throws: WhenceError.self) { try RowHeaderTests.header("80 01") }
        #expect(error?.code == .unknownFormat)
    }

    @Test(arguments: [
        // No kind 3; a schema id of more than 32 bits, of six bytes, with needless bytes, without an end.
        "", "03", "03 01", "00 ff ff ff ff 10", "00 ff ff ff ff 7f", "00 80 80 80 80 80 01", "00 81 00", "00 80 00", "00", "00 80",
        "04 00 00",
        // A deletion or a retraction has no body: no bitmaps, and nothing behind the header.
        "09", "11", "0a", "12", "01 00", "02 01", "05 00 00 00 00 00 00 00 00 00",
    ]) func damagedHeadersAreRefused(_ hex: String) {
        let error = #expect(throws: WhenceError.self) { try RowHeaderTests.header(hex) }
        #expect(error?.code == .corruption)
    }
}
