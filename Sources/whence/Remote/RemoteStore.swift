import Foundation
import WhenceCatalog
import WhenceClient
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// A store behind a server, as the verbs use it: each call waits for its answer.
final class RemoteStore: Sendable {
    private let client: WhenceClient
    /// The definitions as they were when the verb began, for what is resolved on this side.
    let catalog: Catalog

    init(_ arguments: ServerArguments) throws(WhenceError) {
        let configuration = try arguments.configuration()
        client = try Waiting.for { () async throws(WhenceError) in try await WhenceClient.connect(configuration) }
        let client = client
        let text = try Waiting.for { () async throws(WhenceError) in try await client.definitions() }
        catalog = try Catalog(document: Array(text.utf8))
    }

    // MARK: Definitions

    /// Applies the files where the catalog has version `base` still, and returns the catalog's new version.
    func apply(_ files: [WhenceProtocol.DefinitionText], base: Int) throws(WhenceError) -> Int {
        let client = client
        let text = try Waiting.for { () async throws(WhenceError) in
            try await client.apply(files, baseVersion: UInt32(clamping: base))
        }
        return try ReadDocuments.decode(AppliedDocument.self, text).catalogVersion
    }

    // MARK: Reads

    /// The features now, each view's followed by a column of event times, and the time of the read.
    func get(_ selection: ReadSelection, _ entities: ColumnBatch) throws(WhenceError) -> (features: ColumnBatch, now: Timestamp) {
        let client = client
        let answer = try Waiting.for { () async throws(WhenceError) in try await client.get(selection, entities, eventTimes: true) }
        return (answer.features, answer.time)
    }

    func history(_ view: String, _ entity: ColumnBatch, knownAt: Timestamp?) throws(WhenceError) -> RemoteRows {
        let client = client
        return RemoteRows(
            try Waiting.for { () async throws(WhenceError) in try await client.history(view, entity: entity, knownAt: knownAt) })
    }

    func scan(
        _ view: String, features: [String], knownAt: Timestamp?, from: Timestamp, to: Timestamp, eventTime: String,
        firstKey: ColumnBatch? = nil,
        lastKey: ColumnBatch? = nil
    ) throws(WhenceError) -> RemoteRows {
        let client = client
        return RemoteRows(
            try Waiting.for { () async throws(WhenceError) in
                try await client.scan(
                    view, features: features, knownAt: knownAt, from: from, to: to, eventTime: eventTime, firstKey: firstKey,
                    lastKey: lastKey)
            })
    }

    func join(
        _ selection: ReadSelection, _ spine: any Spine, eventTime: String, knownAt: Timestamp?, asServed: Bool, memoryBytes: Int
    ) throws(WhenceError) -> RemoteRows {
        let client = client
        let schema = BatchSchema(names: spine.columns.map(\.name), types: spine.columns.map(\.type))
        let upload = SpineUpload(spine: spine)
        return RemoteRows(
            try Waiting.for { () async throws(WhenceError) in
                try await client.join(
                    selection, spine: upload, schema: schema, eventTime: eventTime, knownAt: knownAt, asServed: asServed,
                    memoryBytes: UInt64(memoryBytes))
            })
    }

    func join(
        _ selection: ReadSelection, source: JoinSource, eventTime: String, knownAt: Timestamp?, asServed: Bool, memoryBytes: Int
    ) throws(WhenceError) -> RemoteRows {
        let client = client
        return RemoteRows(
            try Waiting.for { () async throws(WhenceError) in
                try await client.join(
                    selection, source: source, eventTime: eventTime, knownAt: knownAt, asServed: asServed, memoryBytes: UInt64(memoryBytes))
            })
    }

    // MARK: Writes

    func write(_ parts: [WritePart], idempotencyKey: String?) throws(WhenceError) -> Commit {
        let client = client
        let committed = try Waiting.for { () async throws(WhenceError) in
            try await client.write(parts, idempotencyKey: idempotencyKey.map { Array($0.utf8) })
        }
        return Commit(time: committed.commitTime, wasRepeated: committed.isRepeat)
    }

    func backfill(_ view: String, _ schema: BatchSchema, _ rows: RowQueue) async throws(WhenceError) -> Commit {
        let committed = try await client.backfill(
            view, schema: schema, rows, eventTime: UploadRows.eventTime, availabilityTime: UploadRows.availabilityTime)
        return Commit(time: committed.commitTime, wasRepeated: committed.isRepeat)
    }

    // MARK: Upkeep, in JSON documents

    func statistics() throws(WhenceError) -> String {
        let client = client
        return try Waiting.for { () async throws(WhenceError) in try await client.stats() }
    }

    func compact(_ view: String) throws(WhenceError) -> String {
        let client = client
        return try Waiting.for { () async throws(WhenceError) in try await client.compact(view) }
    }

    func retain(_ view: String, horizon: Timestamp?, dryRun: Bool, _ bar: ProgressBar) throws(WhenceError) -> String {
        let client = client
        let progress = RemoteStore.progress(bar)
        return try Waiting.for { () async throws(WhenceError) in
            try await client.retain([view], horizon: horizon, dryRun: dryRun, progress: progress)
        }
    }

    func erase(_ kind: String, _ keys: ColumnBatch, dryRun: Bool, _ bar: ProgressBar) throws(WhenceError) -> String {
        let client = client
        let progress = RemoteStore.progress(bar)
        return try Waiting.for { () async throws(WhenceError) in
            try await client.erase(kind, keys: keys, dryRun: dryRun, progress: progress)
        }
    }

    /// Moves `bar` by what a server says of its work, on the client's one event loop. Nobody else moves it until the answer is there.
    private static func progress(_ bar: ProgressBar) -> @Sendable (WorkProgress) -> Void {
        nonisolated(unsafe) let bar = bar
        return { progress in
            let (done, total) = (Int(clamping: progress.done), Int(clamping: progress.total))
            unsafe bar.update(done: done, of: total, count: done)
        }
    }
}
