import Synchronization
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol
import WhenceTabular

/// Ordinary writes to a server.
final class ServerWrites: LoadTarget {
    private let store: RemoteStore
    private let view: StoredView
    private let rows: UploadRows

    init(_ store: RemoteStore, _ view: StoredView) {
        self.store = store
        self.view = view
        rows = UploadRows(view, isUniform: false)
    }

    var count: Int { rows.count }
    var byteCount: Int { rows.byteCount }
    /// A commit is one message, of which a server takes 16 MiB unless it is set up otherwise. Not what this one takes: where a load is repeated,
    /// batches that are the same are not written twice.
    var commitBytes: Int { 8 << 20 }

    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError) {
        try rows.append(reader, by: mapping)
    }

    func removeAll() { rows.removeAll() }

    func commit(idempotencyKey: String?, progress: @escaping @Sendable (_ rows: Int, _ total: Int) -> Void) throws(WhenceError) -> Commit {
        let part = WritePart(
            view: view.definition.name, missingIsNull: true, eventTime: UploadRows.eventTime,
            availabilityTime: UploadRows.availabilityTime, rows: try rows.take())
        let key: String? = if let idempotencyKey { CommitKey.holding(try part.fingerprint(), idempotencyKey) } else { nil }
        return try store.write([part], idempotencyKey: key)
    }
}

/// A backfill through a server: uploaded as it is read, and published by its one commit. A load that fails before leaves nothing.
final class ServerBackfill: LoadTarget {
    private static let batchRows = 16_384
    private static let batchBytes = 4 << 20

    private struct Upload {
        let queue: RowQueue
        let done: Task<Result<Commit, WhenceError>, Never>
        /// Set when the server has answered, which it does early only to refuse.
        let answer: Answer
    }

    private final class Answer: Sendable {
        let value = Mutex<Result<Commit, WhenceError>?>(nil)
    }

    private let store: RemoteStore
    private let view: StoredView
    private let rows: UploadRows
    private var upload: Upload?

    init(_ store: RemoteStore, _ view: StoredView) {
        self.store = store
        self.view = view
        rows = UploadRows(view, isUniform: true)
    }

    var count: Int { 0 }
    var byteCount: Int { 0 }
    var commitBytes: Int { .max }

    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError) {
        if rows.count >= ServerBackfill.batchRows || rows.byteCount >= ServerBackfill.batchBytes { try send() }
        try rows.append(reader, by: mapping)
    }

    func removeAll() { rows.removeAll() }

    func commit(idempotencyKey: String?, progress: @escaping @Sendable (_ rows: Int, _ total: Int) -> Void) throws(WhenceError) -> Commit {
        try send()
        guard let upload else { throw WhenceError(.invalidArgument, "there are no rows to backfill") }
        upload.queue.close()
        return try Waiting.for { () async throws(WhenceError) in try await upload.done.value.get() }
    }

    private func send() throws(WhenceError) {
        guard rows.count > 0 else { return }
        let batch = try rows.take()
        let upload = self.upload ?? begin(BatchSchema(of: batch))
        self.upload = upload
        if case .failure(let error)? = upload.answer.value.withLock({ $0 }) { throw error }
        upload.queue.put(batch)
    }

    private func begin(_ schema: BatchSchema) -> Upload {
        let queue = RowQueue()
        let answer = Answer()
        let store = store
        let name = view.definition.name
        let done = Task.detached { () -> Result<Commit, WhenceError> in
            let result: Result<Commit, WhenceError>
            do throws(WhenceError) {
                result = .success(try await store.backfill(name, schema, queue))
            } catch {
                result = .failure(error)
            }
            answer.value.withLock { $0 = result }
            queue.close()
            return result
        }
        return Upload(queue: queue, done: done, answer: answer)
    }
}
