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
    /// - Parameter idempotencyKey: what names the rows; ordinary writes put what the rows hold behind it.
    func commit(idempotencyKey: String?) throws(WhenceError) -> Commit
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
