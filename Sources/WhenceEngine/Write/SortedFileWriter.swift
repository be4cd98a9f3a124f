import RocksDB
import WhenceCore

/// Writes sorted versions into files for ingestion, beginning a new file whenever one is large enough.
struct SortedFileWriter: ~Copyable {
    private let prefix: String
    private let options: ColumnFamilyOptions
    private var writer: SSTWriter?
    private var finished: [String] = []
    private var entries = 0
    private var key: [UInt8] = []

    init(_ prefix: String, _ options: ColumnFamilyOptions) {
        self.prefix = prefix
        self.options = options
    }

    /// Appends a version, with `commit` as its commit time. Keys come in ascending order.
    mutating func put(_ versionKey: RawSpan, _ row: RawSpan, _ commit: Timestamp) throws(WhenceError) {
        if writer == nil {
            let path = "\(prefix)-\(finished.count).sst"
            let options = options
            writer = try storage(at: path) { () throws(RocksDBError) in try SSTWriter(path: path, options: options) }
            finished.append(path)
        }
        self.key.removeAll(keepingCapacity: true)
        unsafe versionKey.extracting(0..<(versionKey.byteCount - VersionKey.timesBytes)).withUnsafeBytes {
            unsafe self.key.append(contentsOf: $0)
        }
        VersionKey.appendTimes(event: VersionKey.eventTime(versionKey), commit: commit, to: &self.key)
        let key = key
        do throws(RocksDBError) {
            unsafe try writer?.put(key.span.bytes, row)
        } catch {
            throw WhenceError(error, place: finished[finished.count - 1])
        }
        entries += 1
        if entries % 65_536 == 0, let size = writer?.byteCount, size >= Int(options.targetFileBytes) { try closeFile() }
    }

    private mutating func closeFile() throws(WhenceError) {
        do throws(RocksDBError) {
            try writer?.finish()
        } catch {
            throw WhenceError(error, place: finished[finished.count - 1])
        }
        writer = nil
    }

    /// Completes the last file and returns the paths of all.
    mutating func finish() throws(WhenceError) -> [String] {
        try closeFile()
        return finished
    }
}
