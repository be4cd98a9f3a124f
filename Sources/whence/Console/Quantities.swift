import Foundation
import WhenceCore
import WhenceServer

extension Int {
    /// `336,776`.
    var grouped: String {
        var text = ""
        for (index, digit) in String(magnitude).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (self < 0 ? "-" : "") + String(text.reversed())
    }

    /// `1 row`, `2 rows`.
    func counted(_ word: String, _ plural: String? = nil) -> String { "\(grouped) \(self == 1 ? word : plural ?? word + "s")" }

    /// A number of bytes: `512 B`, `1.4 MiB`.
    var byteText: String {
        guard magnitude >= 1024 else { return "\(self) B" }
        var size = Double(self) / 1024
        var unit = 0
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
        while size >= 1024, unit < units.count - 1 {
            size /= 1024
            unit += 1
        }
        return "\(size.fixed(size < 10 ? 2 : 1)) \(units[unit])"
    }
}

extension Double {
    func fixed(_ digits: Int) -> String {
        formatted(.number.grouping(.never).precision(.fractionLength(digits)).locale(Locale(identifier: "en_US_POSIX")))
    }

    /// A rate or count in few digits: `84`, `84.2 k`, `1.25 M`.
    var compact: String {
        self >= 999_500 ? "\((self / 1e6).fixed(2)) M" : self >= 9_995 ? "\((self / 1e3).fixed(0)) k" : fixed(0)
    }
}

extension Duration {
    /// As a number of seconds.
    var inSeconds: Double { Double(microseconds) / 1e6 }

    /// The two greatest units of an age: `3 d 4 h`, `12 s`.
    var ageText: String {
        let total = microseconds / 1_000_000
        guard total >= 0 else { return "in the future" }
        let units: [(String, Int64)] = [("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
        guard let first = units.firstIndex(where: { total >= $0.1 }) else { return "< 1 s" }
        let (name, scale) = units[first]
        let rest = first + 1 < units.count ? total % scale / units[first + 1].1 : 0
        return "\(total / scale) \(name)" + (rest > 0 ? " \(rest) \(units[first + 1].0)" : "")
    }
}

extension Value {
    /// One cell of a table for people.
    var cell: String {
        switch self {
        case .string(let text): text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } ? text : JSON.string(text).text
        case .bytes(let bytes): KeyValue.bytes(bytes).description
        case .timestamp(let time): time.description
        default: JSON(self).text
        }
    }
}
