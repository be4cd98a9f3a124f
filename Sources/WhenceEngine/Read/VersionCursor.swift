import RocksDB
import WhenceCore

/// Versions in the order of the store, for a walk.
protocol VersionCursor: ~Copyable {
    /// The times of the version at the cursor, where it stands on one of `entity`.
    func times(ifOf entity: RawSpan) -> (event: Timestamp, commit: Timestamp)?
    /// The row of the version at the cursor.
    var value: RawSpan { @_lifetime(borrow self) get }
    /// Moves on by one.
    mutating func advance()
}

extension Cursor: VersionCursor {
    @inline(__always) func times(ifOf entity: RawSpan) -> (event: Timestamp, commit: Timestamp)? {
        guard isValid else { return nil }
        let key = self.key
        guard key.isVersion(of: entity) else { return nil }
        return (VersionKey.eventTime(key), VersionKey.commitTime(key))
    }

    @inline(__always) mutating func advance() { next() }
}
