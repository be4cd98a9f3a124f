import Foundation
import RandomFixtures
import Testing

@testable import WhenceCore

@Suite("Numbers from decimal text") struct DecimalTextTests {
    private static func double(_ text: String) -> Double? {
        let bytes = Array(text.utf8)
        return if case .value(let value) = unsafe DecimalText.float64(bytes.span.bytes) { value } else { nil }
    }

    private static func float(_ text: String) -> Float? {
        let bytes = Array(text.utf8)
        return if case .value(let value) = unsafe DecimalText.float32(bytes.span.bytes) { value } else { nil }
    }

    /// Compares with `strtod` and `strtof` of the C library, which round correctly, too.
    private static func check(_ text: String) {
        let due = unsafe strtod(text, nil)
        let found = double(text)
        #expect(due.isFinite ? found?.bitPattern == due.bitPattern : found == nil, "\(text): \(String(describing: found)) and not \(due)")
        let dueFloat = unsafe strtof(text, nil)
        let foundFloat = float(text)
        #expect(
            dueFloat.isFinite ? foundFloat?.bitPattern == dueFloat.bitPattern : foundFloat == nil,
            "\(text) as float32: \(String(describing: foundFloat)) and not \(dueFloat)")
    }

    @Test("Edges: halfway between two numbers, subnormal numbers, the greatest, more digits than count")
    func edges() {
        for text in [
            "0", "-0", "0.0", "1", "9007199254740993", "9007199254740992.999999999999999999999", "9007199254740993.000000000000000000001",
            "1.0000000180025095e-35", "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309", "1e-400",
            "1e400",
            "123456789012345678901234567890e-400", "0.000000000000000000000000000000000000000000000000000000001234567890123456789",
            "16777217",
            "16777219", "1.17549435e-38", "1.40129846e-45", "7.0064923e-46", "7.0064924e-46", "3.4028235e38", "3.4028236e38", "8388608.5",
            "8388609.5", "5e-1", "1E5", "+3.25", "18446744073709551615", "18446744073709551616", "1" + String(repeating: "0", count: 300),
            "0." + String(repeating: "0", count: 300) + "1", "6.631236846766476e-316", "9.007199254740993e15", "33554431.5",
        ] { DecimalTextTests.check(text) }
    }

    @Test("As the C library reads it, by chance: bits of any double, digits and exponents of any length")
    func random() {
        var random = SeededRandom.printed()
        for _ in 0..<60_000 {
            switch random.below(5) {
            case 0:
                let value = Double(bitPattern: random.next())
                if value.isFinite { DecimalTextTests.check("\(value)") }
            case 1:
                let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
                if value.isFinite { DecimalTextTests.check("\(value)") }
            case 2:
                // As LightGBM writes numbers.
                let value = Double(bitPattern: random.next() & ~(1 << 62) | 0x3000_0000_0000_0000)
                if value.isFinite { DecimalTextTests.check(String(format: "%.17g", value)) }
            case 3:
                // Near the middle between two neighbours, cut to some digits.
                let value = Double(bitPattern: random.next() >> 2)
                if value.isFinite { DecimalTextTests.check(String(format: "%.\(random.below(40))e", value + value.ulp / 2)) }
            default:
                let digits = String((0...random.below(30)).map { _ in Character(String(random.below(10))) })
                let point = random.below(digits.count + 1)
                DecimalTextTests.check(
                    (random.below(2) == 0 ? "-" : "") + digits.prefix(point) + "." + digits.dropFirst(point)
                        + (random.below(2) == 0 ? "" : "e\(random.below(700) - 350)"))
            }
        }
    }

    @Test("The number at the begin of a text, and its length; nil for what has to go the long way")
    func prefixes() {
        func prefix(_ text: String) -> (Double, Int)? {
            let bytes = Array(text.utf8)
            return unsafe DecimalText.float64(prefixOf: bytes.span.bytes).map { ($0.value, $0.byteCount) }
        }
        #expect(prefix("-12.5e1 7").map { $0 == (-125, 7) } == true)
        #expect(prefix("3,4").map { $0 == (3, 1) } == true)
        #expect(prefix("0.5]").map { $0 == (0.5, 3) } == true)
        for text in ["", "-", ".", "nan", "inf", "x1", "1e", "1e+", "1e999", "12345678901234567890.5"] {
            #expect(prefix(text) == nil, "\(text)")
        }
    }

    @Test("What is no number", arguments: ["", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "0x10", "1 ", " 1", "--1", "nane", "infinit"])
    func noNumbers(text: String) {
        let bytes = Array(text.utf8)
        guard case .notANumber = unsafe DecimalText.float64(bytes.span.bytes) else {
            Issue.record("'\(text)' was read as a number")
            return
        }
    }
}
