/// The key of one version: `entity key | ^event_time | ^commit_time` (`Formats/keys.md`).
///
/// Both times are biased (so that negative ones sort first), inverted (so that the newest comes first) and written
/// big-endian: a seek to `entity | ^T | ^K` lands on the newest version at or before T, and at T itself on the newest
/// commit at or before K.
public enum VersionKey {
    /// Bytes that the two times take at the end of every key.
    @inlinable public static var timesBytes: Int { 16 }

    /// A time as it stands in a key, still in the machine's byte order.
    @inlinable public static func code(_ time: Timestamp) -> UInt64 { ~(UInt64(bitPattern: time.microseconds) ^ (1 << 63)) }

    /// The time that `code` stands for.
    @inlinable public static func time(_ code: UInt64) -> Timestamp { Timestamp(microseconds: Int64(bitPattern: ~code ^ (1 << 63))) }

    /// Appends the two times to an entity key that is already in `out`.
    @inlinable public static func appendTimes(event: Timestamp, commit: Timestamp, to out: inout [UInt8]) {
        let (event, commit) = (code(event).bigEndian, code(commit).bigEndian)
        out.append(addingCapacity: timesBytes) { span in
            unsafe span.withUnsafeMutableBufferPointer { buffer, count in
                let bytes = UnsafeMutableRawBufferPointer(buffer)
                unsafe bytes.storeBytes(of: event, as: UInt64.self)
                unsafe bytes.storeBytes(of: commit, toByteOffset: 8, as: UInt64.self)
                count = timesBytes
            }
        }
    }

    /// The event time in a whole key. The key must be longer than 16 bytes.
    @inlinable public static func eventTime(_ key: RawSpan) -> Timestamp {
        time(UInt64(bigEndian: unsafe key.unsafeLoadUnaligned(fromByteOffset: key.byteCount - 16, as: UInt64.self)))
    }

    /// The commit time in a whole key. The key must be longer than 16 bytes.
    @inlinable public static func commitTime(_ key: RawSpan) -> Timestamp {
        time(UInt64(bigEndian: unsafe key.unsafeLoadUnaligned(fromByteOffset: key.byteCount - 8, as: UInt64.self)))
    }
}
