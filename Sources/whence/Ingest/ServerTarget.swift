import Synchronization
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol
import WhenceTabular

/// Ordinary writes to a server.
final class ServerWrites: LoadTarget {
    private let store: RemoteStore
    private let rows: UploadParts

    init(_ store: RemoteStore, _ view: StoredView) {
        self.store = store
        rows = UploadParts(view)
    }

    var count: Int { rows.count }
    var byteCount: Int { rows.byteCount }

    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError) {
        try rows.append(reader, by: mapping)
    }

    func removeAll() { rows.removeAll() }

    func commit(idempotencyKey: String?) throws(WhenceError) -> Commit {
        try store.write(try rows.take(), idempotencyKey: idempotencyKey)
    }
}

/// A backfill through a server: uploaded as it is read, and published by its one commit. A load that fails before leaves nothing.
///
/// On the wire a missing value of a backfill means one thing in all of its rows: where every row carries every feature of the table, a
/// null; else an absent feature.
final class ServerBackfill: LoadTarget {
    private static let batchRows = 16_384
    private static let batchBytes = 4 << 20

    private struct Upload {
        let queue: RowQueue
        let schema: BatchSchema
        let missingIsNull: Bool
        let done: Task<Result<Commit, WhenceError>, Never>
        /// Set when the server has answered, which it does early only to refuse.
        let answer: Answer
    }

    private final class Answer: Sendable {
        let value = Mutex<Result<Commit, WhenceError>?>(nil)
    }

    private let store: RemoteStore
    private let view: StoredView
    private let rows: UploadParts
    private var upload: Upload?

    init(_ store: RemoteStore, _ view: StoredView) {
        self.store = store
        self.view = view
        rows = UploadParts(view)
    }

    var count: Int { 0 }
    var byteCount: Int { 0 }

    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError) {
        if rows.count >= ServerBackfill.batchRows || rows.byteCount >= ServerBackfill.batchBytes { try send() }
        try rows.append(reader, by: mapping)
    }

    func removeAll() { rows.removeAll() }

    func commit(idempotencyKey: String?) throws(WhenceError) -> Commit {
        try send()
        guard let upload else { throw WhenceError(.invalidArgument, "there are no rows to backfill") }
        upload.queue.close()
        return try Waiting.for { () async throws(WhenceError) in try await upload.done.value.get() }
    }

    private func send() throws(WhenceError) {
        let features = rows.featureNames
        for part in try rows.take() {
            guard part.action == .rows else { throw unlike("deletions and retractions cannot be backfilled through a server") }
            let upload = self.upload ?? begin(part, features)
            self.upload = upload
            if case .failure(let error)? = upload.answer.value.withLock({ $0 }) { throw error }
            upload.queue.put(try fit(part.rows, to: upload))
        }
    }

    private func begin(_ first: WritePart, _ features: [String]) -> Upload {
        let fixed = first.rows.names.count - features.filter(first.rows.names.contains).count
        let carriesAll = first.rows.names.count - fixed == features.count
        let schema = view.currentSchema
        let names = Array(first.rows.names[..<fixed]) + features
        let types = first.rows.columns[..<fixed].map(\.type) + features.compactMap { schema.index(of: $0).map { schema.fields[$0].type } }
        let wire = BatchSchema(names: names, types: types)
        let queue = RowQueue()
        let answer = Answer()
        let store = store
        let name = view.definition.name
        let done = Task.detached { () -> Result<Commit, WhenceError> in
            let result: Result<Commit, WhenceError>
            do throws(WhenceError) {
                result = .success(try await store.backfill(name, wire, queue, missingIsNull: carriesAll))
            } catch {
                result = .failure(error)
            }
            answer.value.withLock { $0 = result }
            queue.close()
            return result
        }
        return Upload(queue: queue, schema: wire, missingIsNull: carriesAll, done: done, answer: answer)
    }

    /// The rows with all columns of the upload.
    private func fit(_ rows: ColumnBatch, to upload: Upload) throws(WhenceError) -> ColumnBatch {
        for name in rows.names where !upload.schema.names.contains(name) {
            throw unlike("the column '\(name)' begins after the first rows were sent")
        }
        var columns: [Column] = []
        for (name, type) in zip(upload.schema.names, upload.schema.types) {
            if let column = rows.column(named: name) {
                if !upload.missingIsNull, column.nullCount > 0, name != UploadParts.availabilityTime {
                    throw unlike("'\(name)' is null in one row, and other rows leave features out")
                }
                columns.append(column)
            } else {
                guard !upload.missingIsNull else { throw unlike("'\(name)' is left out by one row, and others have nulls") }
                columns.append(try ColumnBuilder(type, count: rows.count).finish())
            }
        }
        return ColumnBatch(names: upload.schema.names, columns: columns, count: rows.count)
    }

    private func unlike(_ message: String) -> WhenceError {
        WhenceError(
            .invalidArgument, message, place: "--backfill --server",
            hint: "load the table without --backfill, or with --data where the store is; nothing was written")
    }
}
