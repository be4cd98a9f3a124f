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

    /// Small, so that it and a row lie on few cache lines: most of what a look-up takes is waiting for those.
    private struct Header {
        let view: UInt32
        let entityLength: UInt32
        /// Of the entity key and the rows behind it.
        let byteCount: Int
        /// Where the row of the newest version lies; empty where there is no version.
        let newestStart: UInt32
        let newestEnd: UInt32
        var wasUsed = false
        let hasNewest: Bool
        let newestEventTime: Timestamp
        let newestCommit: Timestamp
        let validFrom: Timestamp
        var validUntil: Timestamp
        let fillToken: UInt64
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
            let newest = versions.first
            return Header(
                view: view, entityLength: UInt32(entityLength), byteCount: bytes.count,
                newestStart: UInt32(newest?.row.lowerBound ?? 0), newestEnd: UInt32(newest?.row.upperBound ?? 0), hasNewest: newest != nil,
                newestEventTime: newest?.eventTime ?? .distantPast, newestCommit: newest?.commit ?? .distantPast, validFrom: validFrom,
                validUntil: validUntil, fillToken: fillToken, older: Array(versions.dropFirst()))
        }
        unsafe storage.withUnsafeMutablePointerToElements { target in
            unsafe bytes.withUnsafeBufferPointer { source in
                if let start = source.baseAddress { unsafe target.initialize(from: start, count: source.count) }
            }
        }
    }

    var view: UInt32 { storage.header.view }
    var validFrom: Timestamp { storage.header.validFrom }
    // Through a pointer, as the shard's lock keeps others out already: the language's own check of each access would cost a tenth of a look-up.
    var validUntil: Timestamp {
        @inline(__always) get { unsafe storage.withUnsafeMutablePointerToHeader { unsafe $0.pointee.validUntil } }
        nonmutating set { unsafe storage.withUnsafeMutablePointerToHeader { unsafe $0.pointee.validUntil = newValue } }
    }
    var wasUsed: Bool {
        @inline(__always) get { unsafe storage.withUnsafeMutablePointerToHeader { unsafe $0.pointee.wasUsed } }
        @inline(__always) nonmutating set { unsafe storage.withUnsafeMutablePointerToHeader { unsafe $0.pointee.wasUsed = newValue } }
    }
    /// 0 where the entry is filled.
    var fillToken: UInt64 { storage.header.fillToken }
    var isPlaceholder: Bool { fillToken != 0 }
    /// The newest version, where there is no other.
    var onlyVersion: Version? { storage.header.older.isEmpty ? newest : nil }

    @inline(__always) private var newest: Version? {
        guard storage.header.hasNewest else { return nil }
        return Version(
            eventTime: storage.header.newestEventTime, commit: storage.header.newestCommit,
            row: Int(storage.header.newestStart)..<Int(storage.header.newestEnd))
    }

    /// The entity key, then the rows.
    private var bytes: RawSpan {
        @_lifetime(borrow self) get {
            let start = unsafe storage.withUnsafeMutablePointerToElements { UnsafeRawPointer($0) }
            let span = unsafe RawSpan(_unsafeStart: start, byteCount: storage.header.byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    var entity: RawSpan {
        @_lifetime(borrow self) get { bytes.extracting(0..<Int(storage.header.entityLength)) }
    }

    /// The row of the newest version; empty where there is no version.
    var newestRow: RawSpan {
        @_lifetime(borrow self) get { bytes.extracting(Int(storage.header.newestStart)..<Int(storage.header.newestEnd)) }
    }

    /// Memory of the entry: its bytes, what stands before them, and its place in the tables, roughly.
    var memoryBytes: Int { storage.header.byteCount + storage.header.older.count * MemoryLayout<Version>.stride + 192 }

    @inline(__always) func isOf(_ view: UInt32, _ entity: RawSpan) -> Bool {
        storage.header.view == view && Int(storage.header.entityLength) == entity.byteCount && bytes.starts(with: entity)
    }

    /// Hands the versions to `sink`, as the walk that made the entry did, leaving out what is older than `ttlMicros` at T.
    @inline(__always) func replay<Sink: VersionSink & ~Copyable>(at T: Timestamp, ttlMicros: Int64, into sink: inout Sink)
        throws(WhenceError)
    {
        guard let newest else { return }
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
