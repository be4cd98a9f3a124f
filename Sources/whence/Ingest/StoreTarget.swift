import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceTabular

/// Ordinary writes to a store that this process has open.
final class StoreWrites: LoadTarget {
    private let store: Store
    private let batch: RowBatch

    init(_ store: Store, _ view: StoredView) {
        self.store = store
        batch = RowBatch(view)
    }

    var count: Int { batch.count }
    var byteCount: Int { batch.byteCount }
    var commitBytes: Int { 32 << 20 }

    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError) {
        try mapping.append(reader, to: batch)
    }

    func removeAll() { batch.removeAll() }

    func reserve(_ byteCount: Int) throws(WhenceError) -> ReservedSpace? { try store.reserve(rowBytes: byteCount, for: "the load") }

    func commit(idempotencyKey: String?, progress: @escaping @Sendable (_ rows: Int, _ total: Int) -> Void) throws(WhenceError) -> Commit {
        let commit = try store.write(batch, idempotencyKey: idempotencyKey.map { CommitKey.holding(batch.fingerprint, $0) })
        batch.removeAll()
        return commit
    }
}

/// A backfill of a store that this process has open: sorted on disk as it grows, and published by its one commit.
final class StoreBackfill: LoadTarget {
    private let backfill: Backfill

    init(_ store: Store, _ view: StoredView, idempotencyKey: String?) throws(WhenceError) {
        backfill = try store.backfill(view.definition.name, idempotencyKey: idempotencyKey)
    }

    var count: Int { 0 }
    var byteCount: Int { 0 }
    var commitBytes: Int { .max }

    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError) {
        try mapping.append(reader, to: try backfill.rows())
    }

    func removeAll() {}

    func commit(idempotencyKey: String?, progress: @escaping @Sendable (_ rows: Int, _ total: Int) -> Void) throws(WhenceError) -> Commit {
        try backfill.publish(progress: progress)
    }
}
