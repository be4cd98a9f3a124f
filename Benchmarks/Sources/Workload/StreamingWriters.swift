import Dispatch
import Synchronization
import WhenceCore
import WhenceEngine

/// Writers that commit batches at the same time, each waiting for its own to be durable.
public struct StreamingWriters {
    private let store: Store
    private let writers: Int
    private let batchRows: Int

    public init(_ store: Store, writers: Int, batchRows: Int) {
        self.store = store
        self.writers = writers
        self.batchRows = batchRows
    }

    /// Commits `rows` rows of random entities, in ordinary batches.
    public func write(rows: Int) throws(WhenceError) {
        let next = Atomic<Int>(0)
        let failure = Mutex<WhenceError?>(nil)
        let view = try store.catalog.view(named: "activity")
        let (store, batchRows) = (store, batchRows)
        // Threads of their own: a writer spends its time waiting for the disk.
        let group = DispatchGroup()
        for writer in 0..<writers {
            DispatchQueue(label: "writer.\(writer)").async(group: group) {
                let batch = RowBatch(view)
                var key: [UInt8] = []
                do {
                    while true {
                        let start = next.add(batchRows, ordering: .relaxed).oldValue
                        guard start < rows else { return }
                        batch.removeAll()
                        for row in start..<min(start + batchRows, rows) {
                            try History.append(Int(History.mix(UInt64(row)) % 100_000), row / 100_000, to: batch, &key)
                        }
                        try store.write(batch)
                    }
                } catch {
                    failure.withLock { $0 = (error as? WhenceError) ?? WhenceError(.inputOutput, "\(error)") }
                }
            }
        }
        group.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
