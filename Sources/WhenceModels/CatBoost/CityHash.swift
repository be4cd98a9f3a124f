import WhenceCore

/// CityHash64 in its first version (Pike and Alakuijala, 2011), by which CatBoost turns a category into a number. Later
/// versions of CityHash give other numbers.
enum CityHash {
    private static let k0: UInt64 = 0xC3A5_C85C_97CB_3127
    private static let k1: UInt64 = 0xB492_B66F_BE98_F273
    private static let k2: UInt64 = 0x9AE1_6A3B_2F90_404F
    private static let k3: UInt64 = 0xC949_D7C7_509E_6557
    private static let multiplier: UInt64 = 0x9DDF_EA08_EB38_2D69

    /// The number that stands for a category: the low half of the hash, signed.
    static func category(_ text: RawSpan) -> Int32 { Int32(truncatingIfNeeded: hash64(text)) }

    static func hash64(_ text: RawSpan) -> UInt64 {
        switch text.byteCount {
        case 0...16: upTo16(text)
        case 17...32: upTo32(text)
        case 33...64: upTo64(text)
        default: long(text)
        }
    }

    private static func word(_ text: RawSpan, _ at: Int) -> UInt64 {
        UInt64(littleEndian: unsafe text.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
    }
    private static func half(_ text: RawSpan, _ at: Int) -> UInt64 {
        UInt64(UInt32(littleEndian: unsafe text.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self)))
    }
    private static func byte(_ text: RawSpan, _ at: Int) -> UInt64 { UInt64(text[at]) }

    private static func turned(_ value: UInt64, _ count: Int) -> UInt64 {
        let bits = UInt64(count & 63)
        return bits == 0 ? value : value >> bits | value << (64 - bits)
    }

    private static func mixed(_ value: UInt64) -> UInt64 { value ^ value >> 47 }

    /// Two words to one.
    private static func joined(_ low: UInt64, _ high: UInt64) -> UInt64 {
        let first = mixed((low ^ high) &* multiplier)
        return mixed((high ^ first) &* multiplier) &* multiplier
    }

    private static func upTo16(_ text: RawSpan) -> UInt64 {
        let count = text.byteCount
        let size = UInt64(count)
        if count > 8 {
            let last = word(text, count - 8)
            return joined(word(text, 0), turned(last &+ size, count)) ^ last
        }
        if count >= 4 { return joined(size &+ half(text, 0) << 3, half(text, count - 4)) }
        guard count > 0 else { return k2 }
        let front = byte(text, 0) &+ byte(text, count >> 1) << 8
        let back = size &+ byte(text, count - 1) << 2
        return mixed(front &* k2 ^ back &* k3) &* k2
    }

    private static func upTo32(_ text: RawSpan) -> UInt64 {
        let count = text.byteCount
        let a = word(text, 0) &* k1
        let b = word(text, 8)
        let c = word(text, count - 8) &* k2
        let d = word(text, count - 16) &* k0
        return joined(turned(a &- b, 43) &+ turned(c, 30) &+ d, a &+ turned(b ^ k3, 20) &- c &+ UInt64(count))
    }

    private static func upTo64(_ text: RawSpan) -> UInt64 {
        let count = text.byteCount
        /// One half of the text: its first and third word behind `a`, and its last as `z`.
        func part(_ start: UInt64, _ second: UInt64, _ third: UInt64, _ z: UInt64) -> (UInt64, UInt64) {
            var a = start
            let b = turned(a &+ z, 52)
            var c = turned(a, 37)
            a = a &+ second
            c = c &+ turned(a, 7)
            a = a &+ third
            return (a &+ z, b &+ turned(a, 31) &+ c)
        }
        let head = part(word(text, 0) &+ (UInt64(count) &+ word(text, count - 16)) &* k0, word(text, 8), word(text, 16), word(text, 24))
        let tail = part(word(text, 16) &+ word(text, count - 32), word(text, count - 24), word(text, count - 16), word(text, count - 8))
        let r = mixed((head.0 &+ tail.1) &* k2 &+ (tail.0 &+ head.1) &* k0)
        return mixed(r &* k0 &+ head.1) &* k2
    }

    /// 32 bytes from `at` on and two seeds to two words.
    private static func seeded(_ text: RawSpan, _ at: Int, _ first: UInt64, _ second: UInt64) -> (UInt64, UInt64) {
        let start = first &+ word(text, at)
        let turn = turned(second &+ start &+ word(text, at + 24), 21)
        let sum = start &+ word(text, at + 8) &+ word(text, at + 16)
        return (sum &+ word(text, at + 24), turn &+ turned(sum, 44) &+ start)
    }

    private static func long(_ text: RawSpan) -> UInt64 {
        let count = text.byteCount
        var x = word(text, 0)
        var y = word(text, count - 16) ^ k1
        var z = word(text, count - 56) ^ k0
        var v = seeded(text, count - 64, UInt64(count), y)
        var w = seeded(text, count - 32, UInt64(count) &* k1, k0)
        z = z &+ mixed(v.1) &* k1
        x = turned(z &+ x, 39) &* k1
        y = turned(y, 33) &* k1
        for at in stride(from: 0, to: (count - 1) / 64 * 64, by: 64) {
            x = turned(x &+ y &+ v.0 &+ word(text, at + 16), 37) &* k1
            y = turned(y &+ v.1 &+ word(text, at + 48), 42) &* k1
            x ^= w.1
            y ^= v.0
            z = turned(z ^ w.0, 33)
            v = seeded(text, at, v.1 &* k1, x &+ w.0)
            w = seeded(text, at + 32, z &+ w.1, y)
            swap(&z, &x)
        }
        return joined(joined(v.0, w.0) &+ mixed(y) &* k1 &+ z, joined(v.1, w.1) &+ x)
    }
}
