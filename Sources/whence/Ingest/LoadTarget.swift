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
    func commit(idempotencyKey: String?) throws(WhenceError) -> Commit
}
