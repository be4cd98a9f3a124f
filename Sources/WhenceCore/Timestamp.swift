/// An instant: a signed 64-bit count of microseconds since the Unix epoch, UTC (design, section 3).
public struct Timestamp: Hashable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    public var microseconds: Int64

    @inlinable public init(microseconds: Int64) { self.microseconds = microseconds }

    /// The earliest instant a writer may state: 0001-01-01T00:00:00Z.
    @inlinable public static var earliest: Timestamp { Timestamp(microseconds: -62_135_596_800_000_000) }
    /// The latest instant a writer may state: 9999-12-31T23:59:59.999999Z.
    @inlinable public static var latest: Timestamp { Timestamp(microseconds: 253_402_300_799_999_999) }
    /// Before everything that a writer may state.
    @inlinable public static var distantPast: Timestamp { Timestamp(microseconds: .min) }
    /// After everything that a writer may state; as `known_at` it means "all that is committed".
    @inlinable public static var distantFuture: Timestamp { Timestamp(microseconds: .max) }

    /// Whether a writer may state this instant.
    @inlinable public var isInRange: Bool { self >= .earliest && self <= .latest }

    /// This instant moved by `duration`, held at the ends of the 64-bit range instead of overflowing.
    @inlinable public func advanced(by duration: Duration) -> Timestamp {
        let delta = duration.microseconds
        let (sum, overflow) = microseconds.addingReportingOverflow(delta)
        if overflow { return delta < 0 ? .distantPast : .distantFuture }
        return Timestamp(microseconds: sum)
    }

    /// The time from `other` to this instant, held at the ends of the 64-bit range.
    @inlinable public func since(_ other: Timestamp) -> Duration {
        let (difference, overflow) = microseconds.subtractingReportingOverflow(other.microseconds)
        if overflow { return .microseconds(microseconds < 0 ? Int64.min : Int64.max) }
        return .microseconds(difference)
    }
}

extension Timestamp: Comparable {
    @inlinable public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }
}

extension Duration {
    /// Whole microseconds, rounded towards zero and held at the ends of the 64-bit range.
    @inlinable public var microseconds: Int64 {
        // Beyond what 64 bits of microseconds hold, even `components` may have no room for the seconds.
        if self >= .seconds(9_223_372_036_855) { return .max }
        if self <= .seconds(-9_223_372_036_855) { return .min }
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        if overflow || carry { return seconds < 0 ? .min : .max }
        return sum
    }

    /// Reads `90s`, `15m`, `3h`, `400d`, `2w`, `250ms`, `10us`, or several of them one after another (`1h30m`).
    public init(parsing text: String) throws(WhenceError) {
        func refuse() -> WhenceError {
            WhenceError(
                .invalidTime, "'\(text)' is not a duration",
                hint: "write a whole number and a unit: us, ms, s, m, h, d or w, as in 90s, 3h or 1h30m")
        }
        var total: Int64 = 0
        var digits: Int64?
        var unit = ""
        func add() throws(WhenceError) {
            guard let count = digits else { throw refuse() }
            let scale: Int64
            switch unit {
            case "us": scale = 1
            case "ms": scale = 1_000
            case "s": scale = 1_000_000
            case "m": scale = 60_000_000
            case "h": scale = 3_600_000_000
            case "d": scale = 86_400_000_000
            case "w": scale = 604_800_000_000
            default: throw refuse()
            }
            let (product, overflow) = count.multipliedReportingOverflow(by: scale)
            let (sum, carry) = total.addingReportingOverflow(product)
            if overflow || carry { throw refuse() }
            total = sum
            digits = nil
            unit = ""
        }
        for byte in text.utf8 {
            if byte >= 0x30 && byte <= 0x39 {
                if !unit.isEmpty { try add() }
                let (scaled, overflow) = (digits ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, carry) = scaled.addingReportingOverflow(Int64(byte - 0x30))
                if overflow || carry { throw refuse() }
                digits = sum
            } else {
                unit.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        try add()
        self = .microseconds(total)
    }

    /// The shortest text that `init(parsing:)` reads back: `3h`, `1h30m`, `250ms`.
    public var text: String {
        var left = microseconds
        if left <= 0 { return "\(left)us" }
        var text = ""
        for (unit, scale) in [
            ("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1),
        ] as [(String, Int64)] where left >= scale {
            text += "\(left / scale)\(unit)"
            left %= scale
        }
        return text
    }
}
