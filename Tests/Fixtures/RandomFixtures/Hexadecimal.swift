extension Array where Element == UInt8 {
    /// The bytes that `text` writes in hexadecimal; spaces are skipped.
    public init(hex text: String) {
        var digits: [UInt8] = []
        for character in text where character != " " {
            guard let digit = character.hexDigitValue else { preconditionFailure("'\(text)' is not hexadecimal") }
            digits.append(UInt8(digit))
        }
        precondition(digits.count % 2 == 0)
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    public var hex: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
