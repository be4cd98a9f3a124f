import Foundation
import WhenceCore

/// Reads instants as one definition, or one command, says that they are written.
///
/// A text that names its offset always means that instant. What else is accepted has to be asked for: a named zone for
/// wall-clock times, a unit for integers. Holds a cache of the zone's offsets, so it is not to be shared between threads.
public final class TimeParser {
    /// What an integer counts since 1970-01-01T00:00:00Z.
    public enum EpochUnit: String, Sendable, CaseIterable {
        case seconds = "s"
        case milliseconds = "ms"
        case microseconds = "us"

        var scale: Int64 {
            switch self {
            case .seconds: 1_000_000
            case .milliseconds: 1_000
            case .microseconds: 1
            }
        }
    }

    /// What integers count, or nil where integers are refused.
    public let epochUnit: EpochUnit?
    /// The IANA name of the zone of wall-clock times, or nil where they are refused.
    public let zone: String?
    /// Whether what is finer than a microsecond is cut off instead of refused.
    public let floor: Bool

    private static let dayMicroseconds: Int64 = 86_400_000_000
    /// Days in the cache, after which it starts again.
    private static let cachedDaysMax = 65_536

    private let timeZone: TimeZone?
    /// The zone's offset on a day, in seconds; nil for a day near which it changes.
    private var offsets: [Int64: Int64?] = [:]
    private var lastDay = Int64.min
    private var lastOffset: Int64?

    /// Throws `invalidArgument` for a zone that does not exist.
    public init(epochUnit: EpochUnit? = nil, zone: String? = nil, floor: Bool = false) throws(WhenceError) {
        self.epochUnit = epochUnit
        self.zone = zone
        self.floor = floor
        timeZone = zone.flatMap { TimeZone(identifier: $0) }
        if let zone, timeZone == nil {
            throw WhenceError(
                .invalidArgument, "there is no time zone '\(zone)'", hint: "use a name as in America/New_York, Europe/Berlin or UTC")
        }
    }

    /// RFC 3339 and nothing else.
    public init() {
        epochUnit = nil
        zone = nil
        floor = false
        timeZone = nil
    }

    /// The instant in a field of a record. Throws `invalidTime` for anything else, null included.
    public func parse(_ field: RecordField) throws(WhenceError) -> Timestamp {
        switch field.state {
        case .text, .quotedText, .string, .number: return try parse(field.bytes)
        case .null, .absent: throw WhenceError(.invalidTime, "there is no time here", hint: "every row needs one")
        case .bool, .structure:
            throw WhenceError(
                .invalidTime, "'\(String(clipping: field.bytes))' is not a time", hint: "write times as \"2013-01-31T05:00:00Z\"")
        }
    }

    /// The instant that `text` stands for. Throws `invalidTime`.
    public func parse(_ text: RawSpan) throws(WhenceError) -> Timestamp {
        if TimeParser.isInteger(text) { return try parseEpoch(text) }
        let parsed = try Timestamp.parse(text, floor: floor)
        let instant: Timestamp
        if let offset = parsed.offset {
            instant = parsed.wallClock.advanced(by: .zero - offset)
        } else {
            instant = try resolve(parsed.wallClock, text)
        }
        guard instant.isInRange else {
            throw WhenceError(.invalidTime, "'\(String(clipping: text))' is out of range", hint: "times run from 0001-01-01 to 9999-12-31")
        }
        return instant
    }

    private static func isInteger(_ text: RawSpan) -> Bool {
        let start = text.byteCount > 0 && (text[0] == 0x2D || text[0] == 0x2B) ? 1 : 0
        guard text.byteCount > start else { return false }
        for index in start..<text.byteCount where text[index] < 0x30 || text[index] > 0x39 { return false }
        return true
    }

    private func parseEpoch(_ text: RawSpan) throws(WhenceError) -> Timestamp {
        guard let epochUnit else {
            throw WhenceError(
                .invalidTime, "'\(String(clipping: text))' is a bare number, and nothing says what it counts",
                hint: "say the unit (s, ms or us), or write times as 2013-01-31T05:00:00Z")
        }
        guard case .value(let count) = DecimalText.int64(text),
            case let (scaled, overflow) = count.multipliedReportingOverflow(by: epochUnit.scale),
            !overflow, Timestamp(microseconds: scaled).isInRange
        else {
            throw WhenceError(
                .invalidTime, "\(String(clipping: text)) \(epochUnit.rawValue) since 1970 is out of range",
                hint: "times run from 0001-01-01 to 9999-12-31; is '\(epochUnit.rawValue)' the right unit?")
        }
        return Timestamp(microseconds: scaled)
    }

    // MARK: Wall-clock times

    private func resolve(_ wallClock: Timestamp, _ text: RawSpan) throws(WhenceError) -> Timestamp {
        guard let timeZone else {
            throw WhenceError(
                .invalidTime, "'\(String(clipping: text))' names no time zone",
                hint: "add Z or an offset such as -05:00, or name the zone that the times are written in")
        }
        let micros = wallClock.microseconds
        let day = micros / TimeParser.dayMicroseconds - (micros % TimeParser.dayMicroseconds < 0 ? 1 : 0)
        if day != lastDay {
            lastOffset = offset(on: day, timeZone)
            lastDay = day
        }
        if let lastOffset { return Timestamp(microseconds: micros - lastOffset * 1_000_000) }
        // The offset changes about here: every offset that is right at the instant it leads to is a reading.
        var readings: Set<Int64> = []
        for hours in stride(from: Int64(-26), through: 26, by: 2) {
            let offset = TimeParser.offset(timeZone, at: micros + hours * 3_600_000_000)
            if TimeParser.offset(timeZone, at: micros - offset * 1_000_000) == offset { readings.insert(offset) }
        }
        guard let offset = readings.first, readings.count == 1 else {
            let isGap = readings.isEmpty
            throw WhenceError(
                .invalidTime,
                "'\(String(clipping: text))' \(isGap ? "does not exist" : "happened twice") in \(timeZone.identifier): the clocks were put "
                    + (isGap ? "forward" : "back"),
                hint: "write the offset, as in "
                    + (isGap
                        ? "…T03:30:00-04:00" : readings.sorted().reversed().map { TimeParser.offsetText($0) }.joined(separator: " or ")))
        }
        return Timestamp(microseconds: micros - offset * 1_000_000)
    }

    /// The offset on a day where it is the same from the day before to the day after, or nil.
    private func offset(on day: Int64, _ timeZone: TimeZone) -> Int64? {
        if let known = offsets[day] { return known }
        let start = day * TimeParser.dayMicroseconds
        let first = TimeParser.offset(timeZone, at: start - TimeParser.dayMicroseconds)
        var isSteady = true
        for hours in stride(from: Int64(-12), through: 48, by: 12) where isSteady {
            isSteady = TimeParser.offset(timeZone, at: start + hours * 3_600_000_000) == first
        }
        let answer: Int64? = isSteady ? first : nil
        if offsets.count >= TimeParser.cachedDaysMax { offsets.removeAll(keepingCapacity: true) }
        offsets[day] = .some(answer)
        return answer
    }

    private static func offset(_ timeZone: TimeZone, at microseconds: Int64) -> Int64 {
        Int64(timeZone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(microseconds) / 1e6)))
    }

    private static func offsetText(_ seconds: Int64) -> String {
        func two(_ number: Int64) -> String { (number < 10 ? "0" : "") + String(number) }
        return (seconds < 0 ? "-" : "+") + two(abs(seconds) / 3600) + ":" + two(abs(seconds) / 60 % 60)
    }
}
