/// Civil time: the proleptic Gregorian calendar, after H. Hinnant, "chrono-compatible low-level date algorithms".
enum Civil {
    /// Days from 1970-01-01 to the given date.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The date that is `days` after 1970-01-01.
    static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let mp = (5 * dayOfYear + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * mp + 2) / 5 + 1)
    }

    static func daysInMonth(year: Int64, month: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Timestamp {
    /// A date and a wall-clock time, with the zone offset where the text names one.
    public struct Parsed: Equatable, Sendable {
        /// The instant that the text names when it is read as UTC.
        public var wallClock: Timestamp
        /// East of UTC, or nil when the text names no zone.
        public var offset: Duration?
        /// Whether digits finer than a microsecond were cut off.
        public var wasFloored: Bool
    }

    /// Reads RFC 3339 (`2013-01-01T05:00:00.25Z`, `… 05:00:00+01:00`), with `T` or a space; seconds may be left out,
    /// and so may the whole time of day where a zone stands elsewhere.
    ///
    /// - Parameter floor: cut off what is finer than a microsecond, instead of refusing it.
    public static func parse(_ text: RawSpan, floor: Bool = false) throws(WhenceError) -> Parsed {
        var at = 0
        func refuse(
            _ why: String, hint: String = "write times as 2013-01-31T05:00:00Z or with an offset, as 2013-01-31T05:00:00-05:00"
        ) -> WhenceError { WhenceError(.invalidTime, "'\(String(clipping: text))' is not a time: \(why)", hint: hint) }
        func peek() -> UInt8 { at < text.byteCount ? text[at] : 0 }
        func number(_ width: Int, _ what: String) throws(WhenceError) -> Int64 {
            var value: Int64 = 0
            for _ in 0..<width {
                guard at < text.byteCount, text[at] >= 0x30, text[at] <= 0x39 else { throw refuse("\(what) takes \(width) digits") }
                value = value * 10 + Int64(text[at] - 0x30)
                at += 1
            }
            return value
        }
        func expect(_ byte: UInt8, _ what: String) throws(WhenceError) {
            guard peek() == byte else { throw refuse("expected \(what)") }
            at += 1
        }
        // A sign, as ISO 8601 has it before years of more digits: nothing that a writer may state.
        if peek() == 0x2B || peek() == 0x2D { at += 1 }
        var year = try number(4, "the year")
        while peek() >= 0x30 && peek() <= 0x39 {
            year = min(year * 10 + Int64(peek() - 0x30), 1_000_000)
            at += 1
        }
        guard text[0] >= 0x30 && year <= 9999 || peek() != 0x2D else {
            throw WhenceError(
                .invalidTime, "'\(String(clipping: text))' is out of range",
                hint: "times run from 0001-01-01 to 9999-12-31, years in four digits")
        }
        try expect(0x2D, "'-' after the year")
        let month = try number(2, "the month")
        try expect(0x2D, "'-' after the month")
        let day = try number(2, "the day")
        guard month >= 1, month <= 12 else { throw refuse("there is no month \(month)") }
        guard day >= 1, day <= Civil.daysInMonth(year: year, month: month) else { throw refuse("there is no day \(day) in that month") }
        var micros = Civil.days(year: year, month: month, day: day) * 86_400_000_000
        var floored = false
        if at < text.byteCount {
            guard peek() == 0x54 || peek() == 0x74 || peek() == 0x20 else { throw refuse("expected 'T' after the date") }
            at += 1
            let hour = try number(2, "the hour")
            try expect(0x3A, "':' after the hour")
            let minute = try number(2, "the minute")
            var second: Int64 = 0
            if peek() == 0x3A {
                at += 1
                second = try number(2, "the second")
            }
            guard hour < 24, minute < 60, second < 60 else { throw refuse("hours end at 23, minutes and seconds at 59") }
            micros += ((hour * 60 + minute) * 60 + second) * 1_000_000
            if peek() == 0x2E {
                at += 1
                let start = at
                var scale: Int64 = 100_000
                while at < text.byteCount, text[at] >= 0x30, text[at] <= 0x39 {
                    let digit = Int64(text[at] - 0x30)
                    if at - start < 6 {
                        micros += digit * scale
                        scale /= 10
                    } else if digit != 0 {
                        guard floor else {
                            throw refuse(
                                "it is finer than a microsecond",
                                hint: "write six digits of fraction at most, or have the rest cut off with --floor-times")
                        }
                        floored = true
                    }
                    at += 1
                }
                guard at > start else { throw refuse("a digit must follow the decimal point") }
            }
        }
        var offset: Duration?
        switch peek() {
        case 0x5A, 0x7A:
            at += 1
            offset = .zero
        case 0x2B, 0x2D:
            let sign: Int64 = peek() == 0x2D ? -1 : 1
            at += 1
            let hours = try number(2, "the zone's hours")
            if peek() == 0x3A { at += 1 }
            let minutes = try number(2, "the zone's minutes")
            guard hours < 24, minutes < 60 else { throw refuse("a zone offset is at most 23:59") }
            offset = .microseconds(sign * (hours * 60 + minutes) * 60_000_000)
        default: break
        }
        guard at == text.byteCount else { throw refuse("there is text after its end") }
        return Parsed(wallClock: Timestamp(microseconds: micros), offset: offset, wasFloored: floored)
    }

    /// Reads a time that names its zone; one without a zone, or out of range, is refused.
    public init(parsing text: String, floor: Bool = false) throws(WhenceError) {
        let utf8 = Array(text.utf8)
        unsafe try self.init(parsing: utf8.span.bytes, floor: floor)
    }

    /// Reads a time that names its zone; one without a zone, or out of range, is refused.
    public init(parsing text: RawSpan, floor: Bool = false) throws(WhenceError) {
        let parsed = try Timestamp.parse(text, floor: floor)
        guard let offset = parsed.offset else {
            throw WhenceError(
                .invalidTime, "'\(String(clipping: text))' names no time zone",
                hint: "add Z or an offset such as -05:00, or name the zone in the view's definition (event_time: zone)")
        }
        let instant = parsed.wallClock.advanced(by: .zero - offset)
        guard instant.isInRange else {
            throw WhenceError(.invalidTime, "'\(String(clipping: text))' is out of range", hint: "times run from 0001-01-01 to 9999-12-31")
        }
        self = instant
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC: `2013-01-01T05:00:00Z`, with a fraction of six digits only where there is one. An instant that no
    /// writer may state has a signed year where four digits are too few, or a name of its own at the ends.
    public var description: String {
        var utf8: [UInt8] = []
        appendText(to: &utf8)
        return String(decoding: utf8, as: UTF8.self)
    }

    /// Appends `description` to `utf8`, without making a string.
    public func appendText(to utf8: inout [UInt8]) {
        if self == .distantFuture { return utf8.append(contentsOf: "distant-future".utf8) }
        if self == .distantPast { return utf8.append(contentsOf: "distant-past".utf8) }
        // Rounded down without leaving 64 bits, whatever the instant: quotient and remainder are corrected, not the input.
        var (daysSince, rest) = microseconds.quotientAndRemainder(dividingBy: 86_400_000_000)
        if rest < 0 {
            daysSince -= 1
            rest += 86_400_000_000
        }
        let (year, month, day) = Civil.date(days: daysSince)
        func put(_ value: Int64, _ width: Int) {
            var scale: Int64 = 1
            for _ in 1..<width { scale *= 10 }
            while scale > 0 {
                utf8.append(UInt8(0x30 + (value / scale) % 10))
                scale /= 10
            }
        }
        if year < 0 || year > 9999 {
            utf8.append(year < 0 ? 0x2D : 0x2B)
            put(abs(year), abs(year) > 99_999 ? 6 : 5)
        } else {
            put(year, 4)
        }
        utf8.append(0x2D)
        put(month, 2)
        utf8.append(0x2D)
        put(day, 2)
        utf8.append(0x54)
        put(rest / 3_600_000_000, 2)
        utf8.append(0x3A)
        put(rest / 60_000_000 % 60, 2)
        utf8.append(0x3A)
        put(rest / 1_000_000 % 60, 2)
        let fraction = rest % 1_000_000
        if fraction != 0 {
            utf8.append(0x2E)
            put(fraction, 6)
        }
        utf8.append(0x5A)
    }
}

extension String {
    /// The bytes as text, repaired where they are no UTF-8 and cut to what an error message can show.
    public init(clipping bytes: RawSpan, limit: Int = 80) {
        var shown: [UInt8] = []
        for index in 0..<Swift.min(bytes.byteCount, limit) { shown.append(bytes[index]) }
        self = String(decoding: shown, as: UTF8.self) + (bytes.byteCount > limit ? "…" : "")
    }
}

extension RawSpan {
    /// The byte at `index`, bounds checked.
    @inlinable public subscript(index: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self) }
}
