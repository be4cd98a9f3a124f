import WhenceCore

/// What the cache of latest rows knows of one entity in one view, in one piece of memory: a look-up that finds it has found all of it.
/// Immutable but for its marks, which the lock of its shard guards.
///
/// Invariant of the unsafe parts: as many bytes as the header says stand behind it from the beginning on, and every range in it is within them.
@safe struct LatestEntry: @unchecked Sendable {
    /// One version of an entry.
    struct Version {
        var eventTime: Timestamp
        var commit: Timestamp
        /// Where its row lies among the entry's bytes.
        var row: Range<Int>
    }

    private struct Header {
        let view: UInt32
        var wasUsed = false
        let entityLength: Int
        /// Of the entity key and the rows behind it.
        let byteCount: Int
        let validFrom: Timestamp
        var validUntil: Timestamp
        let fillToken: UInt64
        let newest: Version?
        let older: [Version]
    }

    private let storage: ManagedBuffer<Header, UInt8>

    /// - Parameters:
    ///   - bytes: the entity key, then the rows.
    ///   - versions: from the newest on.
    ///   - validFrom: earlier than this it is not known to be the answer.
    ///   - validUntil: the first instant at which this may no longer be the answer.
    ///   - fillToken: given out by `LatestCache.beginFill` while the entry is a placeholder; 0 for a filled one.
    init(
        view: UInt32, entityLength: Int, bytes: [UInt8], versions: [Version], validFrom: Timestamp, validUntil: Timestamp,
        fillToken: UInt64 = 0
    ) {
        precondition(entityLength <= bytes.count && versions.allSatisfy { $0.row.upperBound <= bytes.count })
        storage = .create(minimumCapacity: bytes.count) { _ in
            Header(
                view: view, entityLength: entityLength, byteCount: bytes.count, validFrom: validFrom, validUntil: validUntil,
                fillToken: fillToken, newest: versions.first, older: Array(versions.dropFirst()))
        }
        unsafe storage.withUnsafeMutablePointerToElements { target in
            unsafe bytes.withUnsafeBufferPointer { source in
                if let start = source.baseAddress { unsafe target.initialize(from: start, count: source.count) }
            }
        }
    }

    var view: UInt32 { storage.header.view }
    var validFrom: Timestamp { storage.header.validFrom }
    var validUntil: Timestamp {
        get { storage.header.validUntil }
        nonmutating set { storage.header.validUntil = newValue }
    }
    var wasUsed: Bool {
        get { storage.header.wasUsed }
        nonmutating set { storage.header.wasUsed = newValue }
    }
    /// 0 where the entry is filled.
    var fillToken: UInt64 { storage.header.fillToken }
    var isPlaceholder: Bool { fillToken != 0 }
    /// The newest version, where there is no other.
    var onlyVersion: Version? { storage.header.older.isEmpty ? storage.header.newest : nil }

    /// The entity key, then the rows.
    private var bytes: RawSpan {
        @_lifetime(borrow self) get {
            let start = unsafe storage.withUnsafeMutablePointerToElements { UnsafeRawPointer($0) }
            let span = unsafe RawSpan(_unsafeStart: start, byteCount: storage.header.byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    var entity: RawSpan {
        @_lifetime(borrow self) get { bytes.extracting(0..<storage.header.entityLength) }
    }

    /// The row of the newest version; empty where there is no version.
    var newestRow: RawSpan {
        @_lifetime(borrow self) get { bytes.extracting(storage.header.newest?.row ?? 0..<0) }
    }

    /// Memory of the entry: its bytes, what stands before them, and its place in the tables, roughly.
    var memoryBytes: Int { storage.header.byteCount + storage.header.older.count * MemoryLayout<Version>.stride + 192 }

    @inline(__always) func isOf(_ view: UInt32, _ entity: RawSpan) -> Bool {
        storage.header.view == view && storage.header.entityLength == entity.byteCount && bytes.starts(with: entity)
    }

    /// Hands the versions to `sink`, as the walk that made the entry did, leaving out what is older than `ttlMicros` at T.
    @inline(__always) func replay<Sink: VersionSink & ~Copyable>(at T: Timestamp, ttlMicros: Int64, into sink: inout Sink)
        throws(WhenceError)
    {
        guard let newest = storage.header.newest else { return }
        if try hand(newest, T, ttlMicros, to: &sink) { return }
        for version in storage.header.older { if try hand(version, T, ttlMicros, to: &sink) { return } }
    }

    /// Returns whether that was enough.
    @inline(__always) private func hand<Sink: VersionSink & ~Copyable>(
        _ version: Version, _ T: Timestamp, _ ttlMicros: Int64, to sink: inout Sink
    ) throws(WhenceError) -> Bool {
        if T.microseconds &- version.eventTime.microseconds > ttlMicros { return true }
        let row = bytes.extracting(version.row)
        return try sink.take(row, header: RowHeader(row), eventTime: version.eventTime, commit: version.commit)
    }
}
