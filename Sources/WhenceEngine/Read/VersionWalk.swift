import RocksDB
import WhenceCore

/// Takes the versions that answer a read, from the newest on.
protocol VersionSink: ~Copyable {
    /// Takes a row that carries values. True when nothing older is wanted.
    mutating func take(_ version: RawSpan, header: RowHeader, eventTime: Timestamp, commit: Timestamp) throws(WhenceError) -> Bool
    /// A version was passed over that becomes visible at `time`, later than the read's T.
    mutating func skip(until time: Timestamp)
}

/// The meaning of a read (design, section 3): the one place where it is decided which versions answer for an entity at T.
struct VersionWalk: Sendable {
    let visibility: Visibility
    /// The view's TTL in microseconds; the greatest number where it has none.
    let ttlMicros: Int64

    init(_ visibility: Visibility, ttl: Duration?) {
        self.visibility = visibility
        ttlMicros = ttl?.microseconds ?? .max
    }

    /// Hands `sink` the rows that may give values to `entity` at `T`, newest event time first and newest commit first within
    /// it, until the sink wants no more, a tombstone is met, or the rest is too old. `cursor` must stand on the first
    /// version of `entity` that the walk is to look at, or behind the entity. Returns how many versions the cursor moved on.
    ///
    /// Cost: a step of the cursor for each version looked at, nearly always none; allocates nothing.
    @inline(__always) func run<Versions: VersionCursor & ~Copyable, Sink: VersionSink & ~Copyable>(
        _ cursor: inout Versions, entity: RawSpan, at T: Timestamp, into sink: inout Sink
    ) throws(WhenceError) -> Int {
        var moves = 0
        var retractedEvent: Timestamp?
        while let (eventTime, commit) = cursor.times(ifOf: entity) {
            // Both times are in the range of years 1 to 9999, so the difference does not overflow.
            if T.microseconds &- eventTime.microseconds > ttlMicros { return moves }
            var isDone = false
            if eventTime > T {
                if visibility.isKnown(commit) { sink.skip(until: eventTime) }
            } else if retractedEvent != eventTime && visibility.isKnown(commit) {
                let version = cursor.value
                let header = try RowHeader(version)
                let availability = header.availability ?? commit
                if visibility.asServed && availability > T {
                    sink.skip(until: availability)
                } else {
                    switch header.kind {
                    case .row:
                        isDone = try sink.take(version, header: header, eventTime: eventTime, commit: commit)
                        if header.isOverDeletion { isDone = true }
                        if header.isOverRetraction { retractedEvent = eventTime }
                    case .deletion: isDone = true
                    case .retraction: retractedEvent = eventTime
                    }
                }
            }
            if isDone { return moves }
            cursor.advance()
            moves += 1
        }
        return moves
    }
}

extension RawSpan {
    /// Whether these bytes are the key of a version of `entity`.
    @inline(__always) func isVersion(of entity: RawSpan) -> Bool {
        byteCount == entity.byteCount + VersionKey.timesBytes && starts(with: entity)
    }

    /// Less than 0 where these bytes come before `other`, byte by byte, and 0 where they are the same.
    func order(to other: RawSpan) -> Int {
        let common = Swift.min(byteCount, other.byteCount)
        for at in 0..<common where self[at] != other[at] { return self[at] < other[at] ? -1 : 1 }
        return byteCount - other.byteCount
    }

    /// Whether these bytes are those of `entity`, which a walk holds on to while its cursor moves.
    @inline(__always) func isEntity(_ entity: [UInt8]) -> Bool {
        unsafe byteCount == entity.count && starts(with: entity.span.bytes)
    }

    /// Whether these bytes begin with all of `prefix`.
    @inline(__always) func starts(with prefix: RawSpan) -> Bool {
        guard byteCount >= prefix.byteCount else { return false }
        var at = 0
        while at &+ 8 <= prefix.byteCount {
            let a = unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            let b = unsafe prefix.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            if a != b { return false }
            at &+= 8
        }
        while at < prefix.byteCount {
            if self[at] != prefix[at] { return false }
            at &+= 1
        }
        return true
    }
}
