import Testing
import WhenceCore

@testable import WhenceModels

@Suite("CatBoost's hash of categories") struct CityHashTests {
    /// From one-hot splits that CatBoost 1.2.10 wrote for these texts.
    @Test(
        "is CityHash64 of version 1, of every length",
        arguments: [
            ("", 797_982_799), ("a", -805_065_478), ("ab", -204_718_274), ("abc", 978_243_121), ("abcd", 345_588_365),
            ("abcdefgh", -24_192_233),
            ("abcdefghi", -1_275_414_319), ("0123456789abcdef", -1_649_659_113), ("0123456789abcdefg", -445_042_630),
            (String(repeating: "x", count: 32), 664_286_079), (String(repeating: "y", count: 33), -926_615_273),
            (String(repeating: "0123456789", count: 5), 1_074_845_035), (String(repeating: "z", count: 64), -1_569_044_539),
            (String(repeating: "0123456789", count: 7), 569_246_210), (String(repeating: "0123456789", count: 13), -1_581_348_362),
            (String(repeating: "q", count: 200), 352_539_655), ("Łódź", 1_144_287_726), ("Rom", -1_591_529_882), ("1", 1_121_341_681),
            ("-5", -1_722_009_910), ("nan", 761_118_297),
        ] as [(String, Int32)])
    func golden(text: String, hash: Int32) {
        let bytes = Array(text.utf8)
        #expect(unsafe CityHash.category(bytes.span.bytes) == hash)
    }
}
