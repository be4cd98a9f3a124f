import Dispatch
import Foundation

@testable import WhenceServer

/// Keeps the threads of a pool until `release`: as work does that takes for ever.
final class Blockade: Sendable {
    private let gate = DispatchSemaphore(value: 0)
    private let threads: Int

    init(_ pool: WorkPool, threads: Int) throws {
        self.threads = threads
        let gate = gate
        for _ in 0..<threads { try pool.submit(for: 0) { gate.wait() } }
        while pool.inWork < threads { usleep(1000) }
    }

    func release() { for _ in 0..<threads { gate.signal() } }
}

extension WorkPool {
    /// Waits until so much waits for a thread; false where it does not come to that.
    func waits(for count: Int) async throws -> Bool {
        for _ in 0..<1_000 {
            if waiting == count { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}
