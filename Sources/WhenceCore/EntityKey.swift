/// An entity key as it is stored: a typed tuple that sorts like its values and says itself where it ends
/// (`Formats/keys.md`; in the manner of FoundationDB's tuple layer).
public struct EntityKey: Hashable, Sendable {
    /// The encoded tuple.
    public let bytes: [UInt8]

    /// Encodes `values`. Throws when there are none, too many, or the encoding would be too long.
    public init(_ values: [KeyValue]) throws(WhenceError) {
        guard !values.isEmpty, values.count <= Limits.joinKeys else {
            throw WhenceError(.invalidKey, "an entity has 1 to \(Limits.joinKeys) join keys, not \(values.count)")
        }
        var bytes: [UInt8] = []
        for value in values {
            // An element is never shorter than what it holds: a huge one is refused before it is copied.
            switch value {
            case .string(let text): try EntityKey.check(byteCount: text.utf8.count)
            case .bytes(let raw): try EntityKey.check(byteCount: raw.count)
            case .int64, .bool: break
            }
            EntityKey.append(value, to: &bytes)
        }
        try EntityKey.check(byteCount: bytes.count)
        self.bytes = bytes
    }

    /// Takes bytes that are an encoded tuple already.
    public init(encoded bytes: [UInt8]) { self.bytes = bytes }

    static let bytesCode: UInt8 = 0x01
    static let stringCode: UInt8 = 0x02
    static let zeroCode: UInt8 = 0x14
    static let falseCode: UInt8 = 0x26
    static let trueCode: UInt8 = 0x27

    /// Refuses an encoding that is longer than a key may be.
    @inlinable public static func check(byteCount: Int) throws(WhenceError) {
        guard byteCount <= Limits.entityKeyBytes else {
            throw WhenceError(
                .limitExceeded, "an entity key of \(byteCount) bytes is longer than the limit of \(Limits.entityKeyBytes)",
                hint: "use a shorter key, such as a hash of the long one")
        }
    }

    /// Appends one element of a tuple.
    public static func append(_ value: KeyValue, to out: inout [UInt8]) {
        switch value {
        case .int64(let number): append(number, to: &out)
        case .string(let text):
            var text = text
            text.withUTF8 { utf8 in unsafe append(escaping: utf8.span.bytes, code: stringCode, to: &out) }
        case .bytes(let raw): unsafe append(escaping: raw.span.bytes, code: bytesCode, to: &out)
        case .bool(let flag): out.append(flag ? trueCode : falseCode)
        }
    }

    /// Appends an integer: `0x14` plus or minus its length, then its bytes, big-endian; negative ones in one's complement.
    @inlinable public static func append(_ number: Int64, to out: inout [UInt8]) {
        let magnitude = number.magnitude
        let length = (71 - magnitude.leadingZeroBitCount) / 8
        let code = number < 0 ? 0x14 &- UInt8(length) : 0x14 &+ UInt8(length)
        // The bytes that count are moved to the front; a shift by all 64 bits gives the empty integer.
        let bits = (number < 0 ? ~magnitude : magnitude) << UInt64(64 - 8 * length)
        let (high, low) = (UInt64(code) << 56 | bits >> 8, bits << 56)
        out.append(addingCapacity: 16) { span in
            unsafe span.withUnsafeMutableBufferPointer { buffer, count in
                let bytes = UnsafeMutableRawBufferPointer(buffer)
                unsafe bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
                unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
                count = 1 + length
            }
        }
    }

    /// Appends a string's UTF-8.
    public static func append(string utf8: RawSpan, to out: inout [UInt8]) { append(escaping: utf8, code: stringCode, to: &out) }

    /// Appends raw bytes.
    public static func append(bytes: RawSpan, to out: inout [UInt8]) { append(escaping: bytes, code: bytesCode, to: &out) }

    private static func append(escaping raw: RawSpan, code: UInt8, to out: inout [UInt8]) {
        var zeros = 0
        for index in 0..<raw.byteCount { zeros += raw[index] == 0 ? 1 : 0 }
        let total = raw.byteCount + zeros + 2
        out.append(addingCapacity: total) { span in
            unsafe span.withUnsafeMutableBufferPointer { buffer, count in
                let bytes = UnsafeMutableRawBufferPointer(buffer)
                unsafe bytes[0] = code
                var at = 1
                if zeros == 0 {
                    unsafe raw.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[1...]).copyMemory(from: $0) }
                    at += raw.byteCount
                } else {
                    for index in 0..<raw.byteCount {
                        unsafe bytes[at] = raw[index]
                        at += 1
                        guard raw[index] == 0 else { continue }
                        unsafe bytes[at] = 0xFF
                        at += 1
                    }
                }
                unsafe bytes[at] = 0
                count = total
            }
        }
    }

    /// The values of the tuple. Throws `corruption` when the bytes are no tuple.
    public func values() throws(WhenceError) -> [KeyValue] { unsafe try EntityKey.values(of: bytes.span.bytes) }

    /// The values of the tuple in `bytes`. Throws `corruption` when the bytes are no tuple, or not the one way to write it.
    public static func values(of bytes: RawSpan) throws(WhenceError) -> [KeyValue] {
        func refuse(_ why: String) -> WhenceError {
            WhenceError(.corruption, "these bytes are no entity key: \(why)", hint: "run 'whence admin verify'")
        }
        var values: [KeyValue] = []
        var at = 0
        guard bytes.byteCount > 0 else { throw refuse("it is empty") }
        while at < bytes.byteCount {
            guard values.count < Limits.joinKeys else { throw refuse("it has more than \(Limits.joinKeys) elements") }
            let code = bytes[at]
            at += 1
            switch code {
            case bytesCode, stringCode:
                var raw: [UInt8] = []
                while true {
                    guard at < bytes.byteCount else { throw refuse("a string does not end") }
                    let byte = bytes[at]
                    at += 1
                    if byte == 0 {
                        guard at < bytes.byteCount, bytes[at] == 0xFF else { break }
                        at += 1
                    }
                    raw.append(byte)
                }
                if code == bytesCode {
                    values.append(.bytes(raw))
                } else {
                    guard let text = String(validating: raw, as: UTF8.self) else { throw refuse("a string is not UTF-8") }
                    values.append(.string(text))
                }
            case (zeroCode - 8)...(zeroCode + 8):
                let isNegative = code < zeroCode
                let length = isNegative ? Int(zeroCode - code) : Int(code - zeroCode)
                guard at + length <= bytes.byteCount else { throw refuse("an integer is cut short") }
                var bits: UInt64 = isNegative ? .max : 0
                for _ in 0..<length {
                    bits = bits << 8 | UInt64(bytes[at])
                    at += 1
                }
                let magnitude = isNegative ? ~bits : bits
                guard length == (71 - magnitude.leadingZeroBitCount) / 8 else { throw refuse("an integer is longer than it need be") }
                guard magnitude <= UInt64(Int64.max) + (isNegative ? 1 : 0) else { throw refuse("an integer is out of range") }
                values.append(.int64(isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude)))
            case falseCode: values.append(.bool(false))
            case trueCode: values.append(.bool(true))
            default: throw refuse("there is no type \(code)")
            }
        }
        return values
    }

    /// A 64-bit hash of encoded bytes, for tables in memory only; it is not stored and may change.
    @inlinable public static func hash(_ bytes: RawSpan) -> UInt64 {
        let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
        @inline(__always) func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let (high, low) = a.multipliedFullWidth(by: b)
            return high ^ low
        }
        var state = UInt64(truncatingIfNeeded: bytes.byteCount) &* multiplier
        var at = 0
        while at + 8 <= bytes.byteCount {
            let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            state = mix(state ^ word, multiplier)
            at += 8
        }
        var tail: UInt64 = 0
        while at < bytes.byteCount {
            tail = tail << 8 | UInt64(bytes[at])
            at += 1
        }
        return mix(state ^ tail, 0xD6E8_FEB8_6659_FD93)
    }
}

extension EntityKey: Comparable {
    /// The order of the store: byte by byte.
    public static func < (a: EntityKey, b: EntityKey) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}
