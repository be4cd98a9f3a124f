import WhenceCore

/// Bytes as text: base64 (RFC 4648, section 4, with padding), or `0x` and hexadecimal digits.
enum BytesText {
    private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    static func startsLikeHex(_ text: RawSpan) -> Bool { text.byteCount >= 2 && text[0] == 0x30 && text[1] == 0x78 }

    /// Appends what `0x…` stands for; false when it is not of that form.
    static func decodeHex(_ text: RawSpan, into out: inout [UInt8]) -> Bool {
        guard startsLikeHex(text), text.byteCount % 2 == 0 else { return false }
        var at = 2
        while at < text.byteCount {
            guard let high = hexDigit(text[at]), let low = hexDigit(text[at + 1]) else { return false }
            out.append(high << 4 | low)
            at += 2
        }
        return true
    }

    private static func base64Digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5A: UInt32(byte - 0x41)
        case 0x61...0x7A: UInt32(byte - 0x61 + 26)
        case 0x30...0x39: UInt32(byte - 0x30 + 52)
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }

    /// Appends what base64 stands for; false when it is not of that form. There is one spelling for each value: padding
    /// is written, and the bits that it leaves over are zero.
    static func decodeBase64(_ text: RawSpan, into out: inout [UInt8]) -> Bool {
        guard text.byteCount % 4 == 0 else { return false }
        var at = 0
        while at < text.byteCount {
            guard let a = base64Digit(text[at]), let b = base64Digit(text[at + 1]) else { return false }
            let isLast = at + 4 == text.byteCount
            let isShort = isLast && text[at + 3] == 0x3D
            let isShortest = isShort && text[at + 2] == 0x3D
            guard let c = isShortest ? 0 : base64Digit(text[at + 2]), let d = isShort ? 0 : base64Digit(text[at + 3]) else { return false }
            let bits = a << 18 | b << 12 | c << 6 | d
            guard !isShort || bits & (isShortest ? 0xFFFF : 0xFF) == 0 else { return false }
            out.append(UInt8(truncatingIfNeeded: bits >> 16))
            if !isShortest { out.append(UInt8(truncatingIfNeeded: bits >> 8)) }
            if !isShort { out.append(UInt8(truncatingIfNeeded: bits)) }
            at += 4
        }
        return true
    }

    static func appendHex(_ bytes: RawSpan, to out: inout [UInt8]) {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x61 + value - 10 }
        out.append(0x30)
        out.append(0x78)
        for index in 0..<bytes.byteCount {
            out.append(digit(bytes[index] >> 4))
            out.append(digit(bytes[index] & 15))
        }
    }

    static func appendBase64(_ bytes: RawSpan, to out: inout [UInt8]) {
        func digit(_ bits: UInt32) -> UInt8 { unsafe alphabet.utf8Start[Int(bits & 63)] }
        var at = 0
        while at < bytes.byteCount {
            let left = bytes.byteCount - at
            var bits = UInt32(bytes[at]) << 16
            if left > 1 { bits |= UInt32(bytes[at + 1]) << 8 }
            if left > 2 { bits |= UInt32(bytes[at + 2]) }
            out.append(digit(bits >> 18))
            out.append(digit(bits >> 12))
            out.append(left > 1 ? digit(bits >> 6) : 0x3D)
            out.append(left > 2 ? digit(bits) : 0x3D)
            at += 3
        }
    }
}
