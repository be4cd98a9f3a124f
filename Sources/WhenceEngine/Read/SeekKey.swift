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
        unsafe entity.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe bytes.copyMemory(from: start, byteCount: source.count) }
        }
        unsafe bytes.storeBytes(of: VersionKey.code(T).bigEndian, toByteOffset: length &- 16, as: UInt64.self)
        unsafe bytes.storeBytes(of: VersionKey.code(knownAt).bigEndian, toByteOffset: length &- 8, as: UInt64.self)
    }

    /// Calls `body` with the key.
    @inline(__always) func withKey<Result>(_ body: (RawSpan) -> Result) -> Result {
        body(unsafe RawSpan(_unsafeStart: UnsafeRawPointer(bytes), byteCount: length))
    }
}
