import WhenceCore
import WhenceEngine
import WhenceTabular

/// Where the rows of a load go: into a store that this process has open, or to a server.
protocol LoadTarget: AnyObject {
    /// Rows and bytes that were appended since the last commit.
    var count: Int { get }
    var byteCount: Int { get }
    /// Bytes at which a commit is made, however few rows it has.
    var commitBytes: Int { get }

    /// Appends the reader's current record. Throws, with the place, what is wrong with it; the target is as before then.
    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError)

    /// Forgets what was appended since the last commit.
    func removeAll()

    /// Commits what was appended. A backfill does so once, for all of it.
    ///
    /// - Parameters:
    ///   - idempotencyKey: what names the rows; ordinary writes put what the rows hold behind it. A backfill has its key from the beginning.
    ///   - progress: told how many rows of how many are written, where that takes long.
    func commit(idempotencyKey: String?, progress: @escaping @Sendable (_ rows: Int, _ total: Int) -> Void) throws(WhenceError) -> Commit

    /// Keeps room on the disk for commits of so many bytes. Nil where it is not here, or cannot be kept.
    func reserve(_ byteCount: Int) throws(WhenceError) -> ReservedSpace?
}

extension LoadTarget {
    func reserve(_ byteCount: Int) throws(WhenceError) -> ReservedSpace? { nil }
}

/// The idempotency key of a commit: which rows of the load it has, and what they hold. So it never stands for rows that were not written,
/// where the same load is cut elsewhere another time, or its input has changed.
enum CommitKey {
    /// What the numbers behind it leave of the 128 bytes that a server takes: as much as either client leaves to whoever names a write.
    static let longest = 88

    static func rows(_ rows: Range<Int>, of key: String) -> String { "\(key)/\(rows.lowerBound)+\(rows.count)" }

    static func holding(_ fingerprint: UInt64, _ rows: String) -> String {
        let digits = String(fingerprint, radix: 16)
        return rows + "#" + String(repeating: "0", count: 16 - digits.count) + digits
    }
}
