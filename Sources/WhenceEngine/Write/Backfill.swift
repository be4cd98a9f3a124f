import Foundation
import RocksDB
import Synchronization
import WhenceCatalog
import WhenceCore

/// A bulk load of one view: rows in any order and any number, which become visible all at once, while reads and
/// streaming writes go on. One thread at a time calls it.
///
/// Rows are collected up to a stated memory, sorted, and spilled as sorted runs; at the end the runs are merged into files
/// of sorted keys that RocksDB takes over by moving them. The commit time is taken when the backfill begins, because it is
/// part of every key; the rows are known from the publication on (`docs/decisions/0002-backfill-publication.md`).
public final class Backfill {
    private let store: Store
    private let view: OpenView
    private let commit: Timestamp
    private var batch: RowBatch
    private let runBytes: Int
    /// Made when the first run is spilled.
    private var spiller: RunSpiller?
    private var earliestRetraction = Timestamp.distantFuture
    private var isFinished = false
    /// The files to publish, once they are written.
    private var files: [String]?
    /// Rows, deletions and retractions so far.
    public private(set) var count = 0
    /// Bytes of sorted runs that were written to disk; known when the backfill is over.
    public private(set) var spilledBytes = 0

    /// - Parameter runBytes: bytes of one run; nil for what the store's memory for backfills allows.
    init(_ store: Store, _ view: OpenView, runBytes: Int? = nil) throws(WhenceError) {
        self.store = store
        self.view = view
        commit = try store.committer.exclusively { [store] last throws(WhenceError) in
            let commit = store.committer.nextTime(after: last)
            // Stored, so that the time is never given again, even if the process ends before the publication.
            var batch = WriteBatch()
            batch.put(Records.lastCommit, Records.bytes(commit), in: store.records)
            do throws(RocksDBError) {
                try store.database.write(batch, sync: true)
            } catch {
                throw WhenceError(error, place: "backfill of view '\(view.name)'")
            }
            store.state.withLock { $0.backfills[commit] = .some(nil) }
            return commit
        }.time
        batch = Backfill.emptyBatch(view)
        // Two runs at a time, one growing and one being sorted, each with its sort keys beside it.
        self.runBytes = runBytes ?? max(1 << 20, min(store.options.backfillBytes / 3, Limits.batchBytes))
    }

    deinit {
        if !isFinished { abandon() }
    }

    private static func emptyBatch(_ view: OpenView) -> RowBatch {
        RowBatch(view.stored, defaultDelay: view.stored.definition.availabilityDelay)
    }

    /// The batch to append the next rows to; ask for it again before each row.
    ///
    /// A row that does not state its availability is available at its event time plus the view's declared delay.
    public func rows() throws(WhenceError) -> RowBatch {
        if batch.byteCount >= runBytes || batch.count >= Limits.batchRows - 1 { try spill() }
        return batch
    }

    private func spill() throws(WhenceError) {
        count += batch.count
        earliestRetraction = min(earliestRetraction, batch.earliestRetraction)
        let spiller = if let spiller { spiller } else { RunSpiller(try spillFile()) }
        self.spiller = spiller
        try spiller.spill(batch.buffer, batch.layout)
        batch = Backfill.emptyBatch(view)
    }

    private func spillFile() throws(WhenceError) -> SpillFile { try SpillFile(in: store.directory.temporary, for: "the backfill") }

    /// Writes the files that `publish` takes into the store: nearly all of the work of a publication, and none of it between commits. No more
    /// rows are taken after it.
    public func prepare() throws(WhenceError) {
        guard files == nil else { return }
        if let spiller {
            if batch.count > 0 { try spill() }
            files = try mergeRuns(try spiller.finish())
        } else {
            count += batch.count
            earliestRetraction = batch.earliestRetraction
            var buffer = batch.buffer
            try buffer.sortAndMerge(batch.layout)
            files = try writeFiles(buffer)
        }
    }

    /// Makes all rows visible at once, having prepared that where it was not done before. After this the backfill is over, whether it succeeds
    /// or throws.
    public func publish() throws(WhenceError) -> Commit {
        precondition(!isFinished, "a backfill is published once")
        defer { abandon() }
        try prepare()
        return try store.publish(files ?? [], commit, view, earliestRetraction)
    }

    /// Gives up what is not published, and removes its files.
    private func abandon() {
        isFinished = true
        _ = try? spiller?.finish()
        spilledBytes = spiller?.byteCount ?? 0
        spiller = nil
        store.state.withLock { state in
            if let published = state.backfills[commit], published == nil { state.backfills[commit] = nil }
        }
        let directory = store.directory.temporary
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        where name.hasPrefix("sst-\(commit.microseconds)-") {
            try? FileManager.default.removeItem(atPath: "\(directory)/\(name)")
        }
    }

    // MARK: Files

    private func writer(_ part: Int) -> SortedFileWriter {
        SortedFileWriter("\(store.directory.temporary)/sst-\(commit.microseconds)-\(part)", StorageOptions.ingested(store.options))
    }

    /// Files from one run that is in memory, by several threads.
    private func writeFiles(_ buffer: VersionBuffer) throws(WhenceError) -> [String] {
        let parts = buffer.count < 10_000 ? 1 : store.options.threads
        let files = Slots<[String]>(parts)
        try inParallel(parts, threads: parts) { part throws(WhenceError) in
            var writer = self.writer(part)
            let bytes = unsafe buffer.bytes.span.bytes
            for entry in buffer.entries[(buffer.count * part / parts)..<(buffer.count * (part + 1) / parts)] {
                try writer.put(bytes.extracting(entry.key), bytes.extracting(entry.row), commit)
            }
            files[part] = try writer.finish()
        }
        return files.values.flatMap { $0 }
    }

    /// Files from runs on disk: the key space is cut into as many ranges as there are threads, each merged by one.
    private func mergeRuns(_ spilled: [Run]) throws(WhenceError) -> [String] {
        let runs = try MergedRuns.reduce(
            spilled, windowBytes: RunMerge.windowBytes, threads: store.options.threads, to: spillFile)
        let samples = runs.flatMap { $0.index.map(\.key) }.sorted { $0.lexicographicallyPrecedes($1) }
        let parts = store.options.threads
        // A cut stands before all versions of an entity, so that those of one event time stay together.
        let cuts = (1..<parts).map { Array(samples[samples.count * $0 / parts].dropLast(VersionKey.timesBytes)) }
        let files = Slots<[String]>(parts)
        try inParallel(parts, threads: parts) { part throws(WhenceError) in
            var merge = try RunMerge(
                runs, from: part == 0 ? nil : cuts[part - 1], to: part == parts - 1 ? nil : cuts[part], layout: batch.layout)
            var writer = self.writer(part)
            while let entry = try merge.next() {
                let bytes = merge.bytes
                let span = unsafe bytes.span.bytes
                try writer.put(span.extracting(entry.key), span.extracting(entry.row), commit)
            }
            files[part] = try writer.finish()
        }
        return files.values.flatMap { $0 }
    }
}

extension Store {
    /// Begins a bulk load of `view`; see `Backfill`.
    public func backfill(_ view: String) throws(WhenceError) -> Backfill {
        try checkWritable()
        return try Backfill(self, try self.view(view))
    }

    /// Takes finished files into the store and makes them visible, in one step.
    fileprivate func publish(
        _ files: [String], _ commit: Timestamp, _ view: OpenView, _ earliestRetraction: Timestamp
    ) throws(WhenceError) -> Commit {
        guard !files.isEmpty else { return Commit(time: lastCommit) }
        return try committer.exclusively { [self] last throws(WhenceError) in
            // The horizon as it stands now: history may have been removed since the backfill began.
            try self.view(view.name).checkRetractions(from: earliestRetraction)
            let published = committer.nextTime(after: last)
            // The record first: without the files it says nothing, and the files never stand without it.
            var batch = WriteBatch()
            batch.put(Records.publication(commit), Records.bytes(published), in: records)
            batch.put(Records.lastCommit, Records.bytes(published), in: records)
            try storage(at: "backfill of view '\(view.name)'") { () throws(RocksDBError) in
                try database.write(batch, sync: true)
                try database.ingest(files, into: view.family)
            }
            state.withLock { $0.backfills[commit] = .some(published) }
            cache.removeAll(view: view.id)
            freshnessTable.update(view.name, commit: published, newestEvent: nil)
            return published
        }
    }
}
