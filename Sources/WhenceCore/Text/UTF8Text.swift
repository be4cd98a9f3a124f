import Foundation

/// Questions about borrowed bytes that are meant to be text.
public enum UTF8Text {
    /// Whether `bytes` are well-formed UTF-8. Allocates nothing.
    @inlinable public static func isValid(_ bytes: RawSpan) -> Bool {
        unsafe bytes.withUnsafeBytes { raw in
            let span = unsafe Span<UInt8>(_unsafeElements: raw.bindMemory(to: UInt8.self))
            do throws(UTF8.ValidationError) {
                _ = try UTF8Span(validating: span)
                return true
            } catch {
                return false
            }
        }
    }

    /// The bytes as a string, repaired where they are no UTF-8.
    @inlinable public static func string(_ bytes: RawSpan) -> String {
        unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    @inlinable public static func isEqual(_ bytes: RawSpan, _ other: [UInt8]) -> Bool {
        guard bytes.byteCount == other.count else { return false }
        return unsafe bytes.withUnsafeBytes { a in
            unsafe other.withUnsafeBytes { b in
                guard let a = a.baseAddress, let b = b.baseAddress else { return true }
                return unsafe memcmp(a, b, other.count) == 0
            }
        }
    }

    /// Whether `bytes` spell the ASCII `word`, in capitals or not.
    @inlinable public static func isEqual(_ bytes: RawSpan, ignoringCase word: StaticString) -> Bool {
        guard bytes.byteCount == word.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.byteCount {
            let letter = unsafe word.utf8Start[index]
            let byte = bytes[index]
            guard byte == letter || (byte >= 0x41 && byte <= 0x5A && byte | 0x20 == letter) else { return false }
        }
        return true
    }

    /// Whether `bytes` spell the ASCII `word` exactly.
    @inlinable public static func isEqual(_ bytes: RawSpan, exactly word: StaticString) -> Bool {
        guard bytes.byteCount == word.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.byteCount {
            let letter = unsafe word.utf8Start[index]
            guard bytes[index] == letter else { return false }
        }
        return true
    }
}
