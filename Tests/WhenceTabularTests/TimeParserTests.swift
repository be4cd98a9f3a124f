import Testing
import WhenceCore
import WhenceTabular

@Suite("Times from text") struct TimeParserTests {
    static func parse(_ text: String, _ parser: TimeParser) throws -> String {
        let bytes = Array(text.utf8)
        return try unsafe parser.parse(bytes.span.bytes).description
    }

    @Test("an offset in the text always counts")
    func offsets() throws {
        let plain = TimeParser()
        let zoned = try TimeParser(zone: "America/New_York")
        for parser in [plain, zoned] {
            #expect(try TimeParserTests.parse("2013-01-01T05:00:00Z", parser) == "2013-01-01T05:00:00Z")
            #expect(try TimeParserTests.parse("2013-01-01 05:00:00.25+01:00", parser) == "2013-01-01T04:00:00.250000Z")
        }
        #expect(throws: WhenceError.self) { try TimeParserTests.parse("2013-01-01T05:00:00", plain) }
    }

    @Test("integers need a unit")
    func epochs() throws {
        #expect(try TimeParserTests.parse("1357016400", TimeParser(epochUnit: .seconds)) == "2013-01-01T05:00:00Z")
        #expect(try TimeParserTests.parse("1357016400001", TimeParser(epochUnit: .milliseconds)) == "2013-01-01T05:00:00.001000Z")
        #expect(try TimeParserTests.parse("-1", TimeParser(epochUnit: .microseconds)) == "1969-12-31T23:59:59.999999Z")
        #expect(try TimeParserTests.parse("2013-01-01T05:00:00Z", TimeParser(epochUnit: .seconds)) == "2013-01-01T05:00:00Z")
        #expect(throws: WhenceError.self) { try TimeParserTests.parse("1357016400", TimeParser()) }
        #expect(throws: WhenceError.self) { try TimeParserTests.parse("1357016400000000", TimeParser(epochUnit: .seconds)) }
        #expect(throws: WhenceError.self) { try TimeParserTests.parse("99999999999999999999", TimeParser(epochUnit: .microseconds)) }
    }

    @Test("wall-clock times of a zone follow its clocks")
    func zones() throws {
        let newYork = try TimeParser(zone: "America/New_York")
        #expect(try TimeParserTests.parse("2013-01-01 05:15", newYork) == "2013-01-01T10:15:00Z")
        #expect(try TimeParserTests.parse("2013-07-01T05:15:00", newYork) == "2013-07-01T09:15:00Z")
        #expect(try TimeParserTests.parse("2013-03-10T01:59:59", newYork) == "2013-03-10T06:59:59Z")
        #expect(try TimeParserTests.parse("2013-03-10T03:00:00", newYork) == "2013-03-10T07:00:00Z")
        #expect(try TimeParserTests.parse("2013-11-03T00:59:59", newYork) == "2013-11-03T04:59:59Z")
        #expect(try TimeParserTests.parse("2013-11-03T02:00:00", newYork) == "2013-11-03T07:00:00Z")
        #expect(try TimeParserTests.parse("2013-07-01", newYork) == "2013-07-01T04:00:00Z")
        #expect(try TimeParserTests.parse("2011-12-31T12:00:00", TimeParser(zone: "Pacific/Apia")) == "2011-12-30T22:00:00Z")
    }

    @Test("a wall-clock time that does not exist, or happened twice, is refused, and the hint shows what to write")
    func changes() throws {
        let newYork = try TimeParser(zone: "America/New_York")
        #expect { try TimeParserTests.parse("2013-03-10T02:30:00", newYork) } throws: {
            ($0 as? WhenceError)?.message.contains("does not exist in America/New_York") == true
        }
        #expect { try TimeParserTests.parse("2013-11-03T01:30:00", newYork) } throws: {
            guard let error = $0 as? WhenceError else { return false }
            return error.message.contains("happened twice") && error.hint.contains("-04:00 or -05:00")
        }
        #expect(throws: WhenceError.self) { try TimeParserTests.parse("2011-12-30T12:00:00", TimeParser(zone: "Pacific/Apia")) }
        #expect(throws: WhenceError.self) { try TimeParser(zone: "Mars/Olympus") }
    }

    @Test("finer than a microsecond, and out of range")
    func precision() throws {
        #expect(throws: WhenceError.self) { try TimeParserTests.parse("2013-01-01T00:00:00.0000001Z", TimeParser()) }
        #expect(try TimeParserTests.parse("2013-01-01T00:00:00.0000019Z", TimeParser(floor: true)) == "2013-01-01T00:00:00.000001Z")
        #expect(throws: WhenceError.self) { try TimeParserTests.parse("0000-12-31T00:00:00Z", TimeParser()) }
        #expect(throws: WhenceError.self) { try TimeParserTests.parse("9999-12-31T23:59:59-01:00", TimeParser()) }
        for text in ["10000-01-01T00:00:00Z", "+10001-02-03T00:00:00Z", "-0044-03-15T12:00:00Z", "99999999999999999999-01-01T00:00:00Z"] {
            #expect {
                try TimeParserTests.parse(text, TimeParser())
            } throws: {
                guard let error = $0 as? WhenceError else { return false }
                return error.message == "'\(text)' is out of range" && error.hint.contains("from 0001-01-01 to 9999-12-31")
            }
        }
        #expect {
            try TimeParserTests.parse("20130101T000000Z", TimeParser())
        } throws: {
            ($0 as? WhenceError)?.message.contains("expected '-' after the year") == true
        }
    }
}
