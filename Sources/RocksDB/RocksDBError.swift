import CRocksDB
import Foundation

/// A status of RocksDB other than "ok".
public struct RocksDBError: Error, Sendable, Equatable {
    /// The kinds that callers treat differently.
    public enum Kind: Sendable {
        case notFound, corruption, inputOutput, noSpace, permissionDenied, locked, invalidArgument, busy, other
    }

    public let kind: Kind
    /// RocksDB's own words; they name the file where there is one.
    public let message: String

    init(message text: String) {
        // A sorted file that is gone is looked for under its old suffix, too, and named by that.
        let isGone = text.contains("No such file or directory") && (text.contains(".sst") || text.contains(".ldb"))
        let message = isGone ? text.replacingOccurrences(of: ".ldb", with: ".sst") : text
        self.message = message
        // The C API gives the status as text only: its class stands in front, the system's error behind.
        if message.contains("No space left on device") || message.contains("File too large") {
            kind = .noSpace
        } else if message.contains("lock hold by current process") || message.contains("While lock file") {
            kind = .locked
        } else if message.contains("Permission denied") || message.contains("Read-only file system")
            || message.contains("Operation not permitted")
        {
            kind = .permissionDenied
        } else if isGone {
            kind = .corruption
        } else if message.hasPrefix("NotFound") {
            kind = .notFound
        } else if message.hasPrefix("Corruption") {
            kind = .corruption
        } else if message.hasPrefix("IO error") {
            kind = .inputOutput
        } else if message.hasPrefix("Invalid argument") {
            kind = .invalidArgument
        } else if message.hasPrefix("Resource busy") || message.hasPrefix("Operation aborted") {
            kind = .busy
        } else {
            kind = .other
        }
    }
}

/// Calls a function of the C API that reports errors through its last argument, and throws what it reports.
@inline(__always) func call<Result>(
    _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) throws(RocksDBError) -> Result {
    var text: UnsafeMutablePointer<CChar>?
    let result = unsafe body(&text)
    if let text = unsafe text {
        defer { unsafe rocksdb_free(text) }
        throw RocksDBError(message: unsafe String(cString: text))
    }
    return result
}
