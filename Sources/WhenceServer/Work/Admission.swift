import Synchronization
import WhenceCore

/// What the sessions of a server share of its limits: how many requests are open, and how much memory streams have been promised.
final class Admission: Sendable {
    private let requests = Atomic<Int>(0)
    private let bytes = Atomic<Int>(0)
    private let memory = Atomic<Int>(0)
    private let requestLimit: Int
    private let byteLimit: Int
    private let memoryLimit: Int
    private let spilled = Atomic<Int>(0)
    /// Bytes of temporary files that all joins together may have.
    let spillLimit: Int

    init(_ limits: ServerLimits) {
        requestLimit = limits.requests
        byteLimit = limits.requestBytes
        memoryLimit = limits.streamMemoryBytes
        spillLimit = limits.spillBytes
    }

    /// Requests that are open.
    var openRequests: Int { requests.load(ordering: .relaxed) }

    /// Takes a place for one request whose frame has `frameBytes`; false where there is none left. Give it back with `endRequest`.
    func beginRequest(frameBytes: Int) -> Bool {
        let count = requests.add(1, ordering: .relaxed).newValue
        let sum = bytes.add(frameBytes, ordering: .relaxed).newValue
        if count <= requestLimit, sum <= byteLimit { return true }
        endRequest(frameBytes: frameBytes)
        return false
    }

    func endRequest(frameBytes: Int) {
        requests.subtract(1, ordering: .relaxed)
        bytes.subtract(frameBytes, ordering: .relaxed)
    }

    /// Promises `bytes` of memory to a stream. Throws `overloaded` where too much has been promised. Give them back with `release`.
    func reserve(_ bytes: Int) throws(WhenceError) {
        guard memory.add(bytes, ordering: .relaxed).newValue <= memoryLimit else {
            memory.subtract(bytes, ordering: .relaxed)
            throw .overloaded("the memory for joins and backfills is in use", retryAfter: .seconds(1))
        }
    }

    /// Promises `more` bytes of the disk to the temporary files of a join that has `total` by then. Throws `limitExceeded` where no join may
    /// have so much, `overloaded` where others have it. Give them back with `releaseSpill`.
    func reserveSpill(_ more: Int, total: Int) throws(WhenceError) {
        guard total <= spillLimit else {
            throw WhenceError(
                .limitExceeded, "the join's temporary files would take more than the \(spillLimit) bytes that joins have here",
                hint: "join fewer rows at a time, or with more memory")
        }
        guard spilled.add(more, ordering: .relaxed).newValue <= spillLimit else {
            spilled.subtract(more, ordering: .relaxed)
            throw .overloaded("the disk for temporary files of joins is in use", retryAfter: .seconds(5))
        }
    }

    func releaseSpill(_ bytes: Int) { spilled.subtract(bytes, ordering: .relaxed) }

    /// Bytes that are promised to temporary files.
    var spillBytes: Int { spilled.load(ordering: .relaxed) }

    func release(_ bytes: Int) { memory.subtract(bytes, ordering: .relaxed) }
}
