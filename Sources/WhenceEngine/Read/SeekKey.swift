import RocksDB
import WhenceCore

/// The key that a read seeks: the one place where `entity | ^T | ^K` is put together for reading.
///
/// Invariant of the unsafe parts: `bytes` has room for the longest key, and every entity key is checked against that.
@safe struct SeekKey: ~Copyable {
    private let bytes: UnsafeMutableRawPointer
    private var length = 0

    init() { unsafe bytes = .allocate(byteCount: Limits.entityKeyBytes + VersionKey.timesBytes, alignment: 16) }

    deinit { unsafe bytes.deallocate() }

    /// Sets the key to the newest version of `entity` at or before T that was committed at or before `knownAt`.
    @inline(__always) mutating func set(_ entity: RawSpan, _ T: Timestamp, knownAt: Timestamp) {
        precondition(entity.byteCount <= Limits.entityKeyBytes)
        length = entity.byteCount &+ VersionKey.timesBytes
        if entity.byteCount <= 16 {
            // A call would cost more than the few bytes of most keys.
            for at in 0..<entity.byteCount { unsafe bytes.storeBytes(of: entity[at], toByteOffset: at, as: UInt8.self) }
        } else {
            unsafe entity.withUnsafeBytes { unsafe bytes.copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: $0.count) }
        }
        unsafe bytes.storeBytes(of: VersionKey.code(T).bigEndian, toByteOffset: length &- 16, as: UInt64.self)
        unsafe bytes.storeBytes(of: VersionKey.code(knownAt).bigEndian, toByteOffset: length &- 8, as: UInt64.self)
    }

    private var key: RawSpan {
        @_lifetime(borrow self) @inline(__always) get {
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(bytes), byteCount: length)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Puts `cursor` on the first entry that is not before the key.
    @inline(__always) func seek(_ cursor: inout Cursor) { cursor.seek(key) }

    /// The same for a cursor that is known to stand before the key, or on the first entry that is not: by up to `steps` steps
    /// and then a seek. Afterwards `steps` is below zero where it took a seek.
    @inline(__always) func advance(_ cursor: inout Cursor, within steps: inout Int32) { cursor.advance(to: key, within: &steps) }

    /// Whether `cursor` stands before the key.
    @inline(__always) func isBehind(_ cursor: borrowing Cursor) -> Bool { cursor.isBefore(key) }
}
