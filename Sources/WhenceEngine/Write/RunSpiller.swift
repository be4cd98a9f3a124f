import Dispatch
import Synchronization
import WhenceCore

/// Sorts runs of versions and writes them to disk behind the caller's back, one at a time: while one run is written the
/// caller fills the next, and never gets further ahead than that.
final class RunSpiller: Sendable {
    private let queue = DispatchQueue(label: "whence.backfill")
    private let isFree = DispatchSemaphore(value: 1)
    private let result = Mutex<Result<[RunFile], WhenceError>>(.success([]))

    /// A run on its way to disk; handed from the caller's thread to the queue's, never used by both.
    private final class Run: @unchecked Sendable {
        var buffer: VersionBuffer

        init(_ buffer: VersionBuffer) { self.buffer = buffer }
    }

    /// Hands a run over. Throws what an earlier one failed with.
    func spill(_ buffer: VersionBuffer, _ layout: RowLayout, to path: String) throws(WhenceError) {
        let run = Run(buffer)
        isFree.wait()
        queue.async { [self] in
            do throws(WhenceError) {
                try run.buffer.sortAndMerge(layout)
                let file = try RunFile(writing: run.buffer, to: path)
                result.withLock { result in
                    if case .success(let runs) = result { result = .success(runs + [file]) }
                }
            } catch {
                result.withLock { $0 = .failure(error) }
            }
            run.buffer = VersionBuffer()
            isFree.signal()
        }
        if case .failure(let error) = result.withLock({ $0 }) { throw error }
    }

    /// Waits for all runs and returns them, in the order in which they came.
    func finish() throws(WhenceError) -> [RunFile] {
        queue.sync {}
        return try result.withLock { $0 }.get()
    }
}
