import RocksDB
import WhenceCore

/// Runs `body` and turns an error of RocksDB into one for people, with `place` in front.
@inline(__always) func storage<Result: ~Copyable>(
    at place: @autoclosure () -> String, _ body: () throws(RocksDBError) -> Result
) throws(WhenceError) -> Result {
    do {
        return try body()
    } catch {
        throw WhenceError(error, place: place())
    }
}

extension WhenceError {
    /// What an error of RocksDB means to a person.
    init(_ error: RocksDBError, place: String) {
        switch error.kind {
        case .locked:
            self.init(
                .storeLocked, "the store is open already, in this process or in another", place: place,
                hint: "close the other one; a store is open once at a time, and readers that are kept keep it open", isRetryable: true)
        case .noSpace:
            self.init(
                .diskFull, "the disk is full: \(error.message)", place: place,
                hint: "free some space and try again; nothing of this write was acknowledged", isRetryable: true)
        case .permissionDenied:
            self.init(
                .permissionDenied, "the store may not be written: \(error.message)", place: place,
                hint: "check the owner and the mode of the directory, and whether its file system is mounted read-only")
        case .corruption:
            self.init(
                .corruption, "stored data is damaged: \(error.message)", place: place,
                hint: "what is in other files can still be read; restore this from a backup, or backfill it again")
        case .notFound, .inputOutput, .invalidArgument, .busy, .other:
            self.init(.inputOutput, error.message, place: place, hint: "look at the LOG file of the store, and at the disk")
        }
    }
}
