import RocksDB
import WhenceCore

/// The place of a scan; a class, so that a spine, which is copied, has one place. Whoever works on it takes the cursor out, so
/// that the work is on a variable of its own, and puts it back.
final class ScanPlace {
    var cursor: ScanCursor?

    init(_ cursor: consuming ScanCursor) { self.cursor = consume cursor }
}

/// Walks over the versions that count, in the order of the store.
struct ScanCursor: ~Copyable {
    private var cursor: Cursor
    private var entity: [UInt8] = []
    /// At this event time of the current entity it is settled what counts.
    private var settled: Timestamp?
    private var isBegun = false
    private var isBehindLast = false
    private let first: EntityKey?
    /// Behind the last entity: no element of a key, and no time, begins with 0xFF.
    private let end: [UInt8]?

    init(_ cursor: consuming Cursor, first: EntityKey?, last: EntityKey?) {
        self.cursor = cursor
        self.first = first
        end = last.map { $0.bytes + [0xFF] }
    }

    enum Outcome { case found, atEnd, stopped }

    /// Moves to the next version that counts and hands it to `body`. Every version that is looked at takes one from `budget`; where that is used up, the walk
    /// stops, and goes on from there the next time.
    @inline(__always) mutating func nextVersion(
        from: Timestamp, to: Timestamp, _ visibility: Visibility, place: String, budget: inout Int,
        _ body: (RawSpan, Bool, Timestamp, RowHeader, RawSpan, Timestamp) throws(WhenceError) -> Void
    ) throws(WhenceError) -> Outcome {
        if !isBegun {
            isBegun = true
            if let first { unsafe cursor.seek(first.bytes.span.bytes) } else { cursor.seekToFirst() }
        }
        var isNew = false
        while cursor.isValid, !isBehindLast {
            guard budget > 0 else { return .stopped }
            budget -= 1
            var isFound = false
            do {
                let key = cursor.key
                guard key.byteCount > VersionKey.timesBytes else { throw RowHeader.damagedKey(place) }
                let span = key.extracting(0..<(key.byteCount - VersionKey.timesBytes))
                if !span.isEntity(entity) {
                    entity.removeAll(keepingCapacity: true)
                    unsafe span.withUnsafeBytes { unsafe entity.append(contentsOf: $0) }
                    settled = nil
                    isNew = true
                    if let end, !entity.lexicographicallyPrecedes(end) {
                        isBehindLast = true
                        return .atEnd
                    }
                }
                let eventTime = VersionKey.eventTime(key)
                let commit = VersionKey.commitTime(key)
                if eventTime >= from && eventTime < to && settled != eventTime && visibility.isKnown(commit) {
                    settled = eventTime
                    let version = cursor.value
                    let header = try RowHeader(version)
                    if header.kind == .row {
                        isFound = true
                        try body(span, isNew, eventTime, header, version, commit)
                    }
                }
            }
            cursor.next()
            if isFound { return .found }
        }
        try storage(at: "view '\(place)'") { () throws(RocksDBError) in try cursor.check() }
        return .atEnd
    }
}
