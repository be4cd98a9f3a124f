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

    init(_ limits: ServerLimits) {
        requestLimit = limits.requests
        byteLimit = limits.requestBytes
        memoryLimit = limits.streamMemoryBytes
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

    func release(_ bytes: Int) { memory.subtract(bytes, ordering: .relaxed) }
}
