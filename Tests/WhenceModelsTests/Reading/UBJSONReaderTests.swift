import Testing
import WhenceCore

@testable import WhenceModels

@Suite("UBJSON") struct UBJSONReaderTests {
    /// Bytes from text and numbers: `u("{i", 1, "a", …)`.
    static func u(_ parts: Any...) -> [UInt8] {
        parts.flatMap { part -> [UInt8] in
            switch part {
            case let text as String: Array(text.utf8)
            case let byte as Int: [UInt8(truncatingIfNeeded: byte)]
            case let bytes as [UInt8]: bytes
            default: []
            }
        }
    }

    static func bigEndian(_ value: UInt64, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64(width - 1 - $0))) }
    }

    @Test("values of every type")
    func values() throws {
        let bytes = UBJSONReaderTests.u(
            "{i", 1, "aNi", 0xFE, "U", 1, "bU", 200, "i", 1, "cI", 1, 0, "i", 1, "dl", 0xFF, 0xFF, 0xFF, 0xFF, "i", 1, "eL",
            UBJSONReaderTests.bigEndian(1 << 40, 8), "i", 1, "fd", UBJSONReaderTests.bigEndian(UInt64(Float(0.1).bitPattern), 4), "i", 1,
            "gD", UBJSONReaderTests.bigEndian(0.1.bitPattern, 8), "i", 1, "hTi", 1, "iFi", 1, "jZi", 1, "kSi", 2, "hei", 1, "lC", 0x78,
            "i", 1, "mHi", 3, "1.5i", 1, "n[]}N")
        #expect(
            try DocumentText.ubjson(bytes)
                == "{a:-2.0 b:200.0 c:256.0 d:-1.0 e:1099511627776.0 f:0.10000000149011612 g:0.1 h:true i:false j:null k:'he' l:'x' m:1.5 n:[]}"
        )
    }

    @Test("typed and counted arrays")
    func arrays() throws {
        let floats = UBJSONReaderTests.u(
            "[$d#L", UBJSONReaderTests.bigEndian(2, 8), UBJSONReaderTests.bigEndian(UInt64(Float(1.5).bitPattern), 4), 0, 0, 0, 0)
        #expect(try DocumentText.ubjson(floats) == "[1.5 0.0]")
        var reader = UBJSONReader(try ModelStream(.bytes(floats, name: "t"), bytesMax: 99))
        var values: [Float] = []
        try reader.floats(into: &values, max: 2)
        try reader.finish()
        #expect(values == [1.5, 0])
        #expect(try DocumentText.ubjson(UBJSONReaderTests.u("[#i", 2, "i", 1, "i", 2)) == "[1.0 2.0]")
        #expect(try DocumentText.ubjson(UBJSONReaderTests.u("{$i#i", 1, "i", 1, "a", 7)) == "{a:7.0}")
        #expect(try DocumentText.ubjson(UBJSONReaderTests.u("[$[#i", 2, "]", "i", 1, "]")) == "[[] [1.0]]")
    }

    @Test(
        "what is no UBJSON is refused with its place",
        arguments: [
            (u("{i", 1, "a[$d#L", bigEndian(1 << 60, 8)), "announced", "at a"),
            (u("[$T#L", bigEndian(1 << 60, 8)), "no type that", "t.ubj"),
            (u("[$d#l", 0xFF, 0xFF, 0xFF, 0xFE), "negative", ""), (u("[$d#i", 3, 0, 0), "announced", ""),
            (u("{i", 1, "a"), "too early", "at a"),
            (u("[?]"), "byte 63", "[0]"), (u("{i", 1, "ai", 1, "i", 1, "ai", 2, "}"), "twice", ""), (u("[$i"), "no count", ""),
            (u("[]]"), "follow", ""),
            (u("{S"), "length", ""), (u("[Si", 100, "]"), "announced", ""), (u("[$i]"), "no count", ""),
            (u("[Si", 1, 0xFF, "]"), "UTF-8", ""),
        ] as [([UInt8], String, String)])
    func faults(bytes: [UInt8], says: String, place: String) {
        expectError(.malformedInput, says, place) { _ = try DocumentText.ubjson(bytes) }
    }

    @Test("nesting of 100,000 levels is refused")
    func nesting() {
        expectError(.limitExceeded, "nested more than 64 deep") { _ = try DocumentText.ubjson(Array(repeating: 0x5B, count: 100_000)) }
    }
}
