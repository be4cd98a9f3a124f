import RandomFixtures
import Testing
import WhenceCore

@Suite struct TimestampTests {
    /// Microseconds and their text in UTC, each computed by hand or with another program.
    static let known: [(Int64, String)] = [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_356_998_400_000_000, "2013-01-01T00:00:00Z"),
        (1_356_998_400_250_000, "2013-01-01T00:00:00.250000Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00Z"),
        (-2_203_977_600_000_000, "1900-02-28T00:00:00Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ]

    @Test(arguments: known) func textOfKnownTimes(_ microseconds: Int64, _ text: String) throws {
        #expect(Timestamp(microseconds: microseconds).description == text)
        #expect(try Timestamp(parsing: text).microseconds == microseconds)
    }

    @Test func everyTimeInRangeReadsBack() throws {
        var random = SeededRandom.printed()
        let (first, last) = (Timestamp.earliest.microseconds, Timestamp.latest.microseconds)
        var previous = Timestamp.earliest
        for round in 0..<20_000 {
            let time = Timestamp(microseconds: round % 10 == 0 ? random.integer() >> 8 : .random(in: first...last, using: &random))
            guard time.isInRange else { continue }
            #expect(try Timestamp(parsing: time.description) == time)
            // Texts of one length sort like their times.
            if time.description.count == previous.description.count {
                #expect((time < previous) == (time.description < previous.description))
            }
            previous = time
        }
    }

    @Test func timesOutsideTheRangePrintWithoutTrap() {
        #expect(Timestamp(microseconds: .min + 1).description == "-290308-12-21T19:59:05.224193Z")
        #expect(Timestamp(microseconds: .max - 1).description == "+294247-01-10T04:00:54.775806Z")
        #expect(Timestamp(microseconds: Timestamp.earliest.microseconds - 1).description == "0000-12-31T23:59:59.999999Z")
        #expect(Timestamp(microseconds: Timestamp.latest.microseconds + 1).description == "+10000-01-01T00:00:00Z")
        var random = SeededRandom.printed()
        for _ in 0..<5_000 { _ = Timestamp(microseconds: random.integer()).description }
    }

    @Test(arguments: [Timestamp.distantPast, .distantFuture, .earliest, .latest])
    func appendedTextIsTheDescription(_ time: Timestamp) {
        var utf8: [UInt8] = []
        time.appendText(to: &utf8)
        #expect(String(decoding: utf8, as: UTF8.self) == time.description)
    }

    @Test func offsetsAndShortForms() throws {
        let five = Timestamp(microseconds: 1_357_016_400_000_000)
        for text in [
            "2013-01-01T05:00:00Z", "2013-01-01t05:00:00z", "2013-01-01 05:00Z", "2013-01-01T06:00:00+01:00", "2013-01-01T00:00:00-0500",
            "2013-01-01T05:00:00.000000000Z", "2013-01-01T04:59:00-00:01",
        ] { #expect(try Timestamp(parsing: text) == five, "\(text)") }
    }

    @Test(arguments: [
        "", "2013", "2013-01-01", "2013-01-01T05:00:00", "2013-13-01T00:00:00Z", "2013-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2013-01-00T00:00:00Z", "2013-01-01T24:00:00Z", "2013-01-01T00:60:00Z", "2013-01-01T00:00:60Z", "2013-01-01T00:00:00.Z",
        "2013-01-01T00:00:00.1234567Z", "2013-01-01T00:00:00+24:00", "2013-01-01T00:00:00+01", "2013-01-01T00:00:00Zx", "2013-01-01Z",
        "0000-12-31T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999999-00:01", "+2013-01-01T00:00:00Z",
        "２013-01-01T00:00:00Z",
    ]) func refused(_ text: String) {
        let error = #expect(throws: WhenceError.self) { try Timestamp(parsing: text) }
        #expect(error?.code == .invalidTime)
    }

    @Test func flooringGoesBackInTimeOnBothSidesOfTheEpoch() throws {
        #expect(try Timestamp(parsing: "1970-01-01T00:00:00.0000019Z", floor: true).microseconds == 1)
        #expect(try Timestamp(parsing: "1969-12-31T23:59:59.9999989Z", floor: true).microseconds == -2)
        #expect(try Timestamp(parsing: "1970-01-01T00:00:00.0000010Z").microseconds == 1)
    }

    @Test func arbitraryBytesNeverTrap() {
        var random = SeededRandom.printed()
        let valid = Array("2013-01-31T05:00:00.123456-05:00".utf8)
        for _ in 0..<20_000 {
            var text = valid
            for _ in 0..<(1 + random.below(3)) { text[random.below(text.count)] = UInt8(truncatingIfNeeded: random.next()) }
            text.removeLast(random.below(text.count))
            _ = unsafe try? Timestamp.parse(text.span.bytes, floor: true)
        }
    }

    @Test func arithmeticHoldsAtTheEnds() {
        #expect(Timestamp.latest.advanced(by: .microseconds(Int64.max)) == .distantFuture)
        #expect(Timestamp.earliest.advanced(by: .microseconds(Int64.min)) == .distantPast)
        #expect(Timestamp.distantFuture.since(.distantPast) == .microseconds(Int64.max))
        #expect(Timestamp.distantPast.since(.distantFuture) == .microseconds(Int64.min))
        #expect(Timestamp(microseconds: 0).since(.distantPast) == .microseconds(Int64.max))
        #expect(Timestamp(microseconds: -1).since(.distantPast) == .microseconds(Int64.max))
        #expect(Timestamp(microseconds: -1).since(.distantFuture) == .microseconds(Int64.min))
    }
}

@Suite struct DurationTests {
    @Test(
        arguments: [
            ("90s", 90_000_000), ("15m", 900_000_000), ("3h", 10_800_000_000), ("400d", 34_560_000_000_000), ("2w", 1_209_600_000_000),
            ("250ms", 250_000), ("10us", 10), ("1h30m", 5_400_000_000), ("0s", 0), ("9223372036854775us", 9_223_372_036_854_775),
        ] as [(String, Int64)]) func parsed(_ text: String, _ microseconds: Int64) throws
    {
        #expect(try Duration(parsing: text) == .microseconds(microseconds))
    }

    @Test(arguments: [
        "", "5", "s", "h1", "1.5h", "-5s", "1h ", "1 h", "5µs", "99999999999999999999s", "9223372036854775807w", "1hh", "1h5",
    ])
    func refused(_ text: String) { #expect(throws: WhenceError.self) { try Duration(parsing: text) } }

    @Test func textReadsBack() throws {
        var random = SeededRandom.printed()
        for _ in 0..<5_000 {
            let duration = Duration.microseconds(Int64(random.next() >> UInt64(1 + random.below(63))))
            #expect(try Duration(parsing: duration.text) == duration)
        }
        #expect(try Duration(parsing: "9223372036854775807us") == .microseconds(Int64.max))
        #expect(try Duration(parsing: Duration.microseconds(Int64.max).text) == .microseconds(Int64.max))
    }

    @Test func microsecondsHoldAtTheEnds() {
        for value in [Int64.min, .min + 1, -1, 0, 1, .max - 1, .max] { #expect(Duration.microseconds(value).microseconds == value) }
        #expect(Duration.seconds(Int64.max).microseconds == .max)
        #expect(Duration.seconds(Int64.min).microseconds == .min)
        #expect((Duration.seconds(Int64.max) + .seconds(Int64.max)).microseconds == .max)
        #expect((Duration.seconds(Int64.min) + .seconds(Int64.min)).microseconds == .min)
        #expect(Duration.nanoseconds(1_999).microseconds == 1)
        #expect(Duration.nanoseconds(-1_999).microseconds == -1)
    }
}
