import CChecksum
import WhenceCore

/// CRC-32C of bytes (RFC 3720, appendix B.4), as frames carry it.
public enum Checksum {
    /// The checksum of `bytes` behind bytes whose checksum is `before`.
    public static func crc32c(_ bytes: RawSpan, after before: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe whence_crc32c(before, $0.baseAddress, $0.count) }
    }

    /// The same, without the processor's instruction for it.
    static func crc32cByTables(_ bytes: RawSpan, after before: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe whence_crc32c_portable(before, $0.baseAddress, $0.count) }
    }
}
