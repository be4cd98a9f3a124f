import Dispatch
import Foundation
import Synchronization
import WhenceCore

/// Sorts runs of versions and writes them to disk behind the caller's back, one at a time: while one run is written the
/// caller fills the next, and never gets further ahead than that. Each has a thread made for it, which has the caller's priority.
final class RunSpiller: Sendable {
    private let isFree = DispatchSemaphore(value: 1)
    private struct State {
        var runs: [Run] = []
        var failure: WhenceError?
    }

    private let file: SpillFile
    private let state = Mutex(State())

    /// - Parameter file: where the runs go.
    init(_ file: SpillFile) { self.file = file }

    /// Bytes of the runs so far.
    var byteCount: Int { file.byteCount }

    /// A run on its way to disk; handed from the caller's thread to its own, never used by both.
    private final class Unsorted: @unchecked Sendable {
        var buffer: VersionBuffer

        init(_ buffer: VersionBuffer) { self.buffer = buffer }
    }

    /// Hands a run over. Throws what an earlier one failed with.
    func spill(_ buffer: VersionBuffer, _ layout: RowLayout) throws(WhenceError) {
        let run = Unsorted(buffer)
        isFree.wait()
        Thread.detachNewThread { [self] in
            do throws(WhenceError) {
                try run.buffer.sortAndMerge(layout)
                let written = try Run(writing: run.buffer, to: file)
                state.withLock { $0.runs.append(written) }
            } catch {
                state.withLock { $0.failure = error }
            }
            run.buffer = VersionBuffer()
            isFree.signal()
        }
        if let error = state.withLock({ $0.failure }) { throw error }
    }

    /// Waits for all runs and returns them, in the order in which they came.
    func finish() throws(WhenceError) -> [Run] {
        isFree.wait()
        isFree.signal()
        let (runs, failure) = state.withLock { ($0.runs, $0.failure) }
        if let failure { throw failure }
        return runs
    }
}
