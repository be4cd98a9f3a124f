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
    /// What names this load, where something does.
    private let idempotencyKey: String?
    /// Of all rows, in the order in which they came, where there is a key: however they were cut into runs.
    private var fingerprint: UInt64 = 0
    /// When a backfill of the same key and the same rows was published, where one was.
    private var earlier: Timestamp?
    /// The files to publish, once they are written.
    private var files: [String]?
    /// Rows, deletions and retractions so far.
    public private(set) var count = 0
    /// Bytes of sorted runs that were written to disk; known when the backfill is over.
    public private(set) var spilledBytes = 0

    /// - Parameter runBytes: bytes of one run; nil for what the store's memory for backfills allows.
    init(_ store: Store, _ view: OpenView, idempotencyKey: String? = nil, runBytes: Int? = nil) throws(WhenceError) {
        self.store = store
        self.view = view
        self.idempotencyKey = idempotencyKey
        fingerprint = UInt64(view.id)
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

    /// Counts the rows of the batch, which takes no more of them.
    private func closeBatch() {
        count += batch.count
        earliestRetraction = min(earliestRetraction, batch.earliestRetraction)
        guard idempotencyKey != nil else { return }
        let bytes = batch.buffer.bytes
        for entry in batch.buffer.entries {
            let row = unsafe bytes.span.bytes.extracting(entry.start..<entry.row.upperBound)
            fingerprint = fingerprint &* 0x9E37_79B9_7F4A_7C15 &+ EntityKey.hash(row)
        }
    }

    private func spill() throws(WhenceError) {
        closeBatch()
        let spiller = if let spiller { spiller } else { RunSpiller(try spillFile()) }
        self.spiller = spiller
        try spiller.spill(batch.buffer, batch.layout)
        batch = Backfill.emptyBatch(view)
    }

    private func spillFile() throws(WhenceError) -> SpillFile { try SpillFile(in: store.directory.temporary, for: "the backfill") }

    /// Writes the files that `publish` takes into the store: nearly all of the work of a publication, and none of it between commits. No more
    /// rows are taken after it. Where a backfill of the same idempotency key and the same rows was published before, there is nothing to write.
    ///
    /// - Parameter progress: called now and then with how many rows of how many have been written, by any of its threads, by one at a time.
    ///   Rows count again where they are written again, and as one where several of one entity and event time become one.
    public func prepare(progress: (@Sendable (_ rows: Int, _ total: Int) -> Void)? = nil) throws(WhenceError) {
        guard files == nil else { return }
        if spiller == nil { closeBatch() } else if batch.count > 0 { try spill() }
        if let once {
            earlier = try store.published(once)
            if earlier != nil {
                files = []
                return
            }
        }
        let reporter = progress.map { PublicationReporter($0) }
        reporter?.expect(count)
        if let spiller {
            files = try mergeRuns(try spiller.finish(), reporter)
        } else {
            var buffer = batch.buffer
            try buffer.sortAndMerge(batch.layout)
            files = try writeFiles(buffer, reporter)
        }
    }

    /// By what the publication is remembered, once all rows are counted.
    private var once: BackfillOnce? {
        idempotencyKey.map { BackfillOnce(key: $0, rows: "\(count)#\(String(fingerprint, radix: 16))") }
    }

    /// Makes all rows visible at once, having prepared that where it was not done before. After this the backfill is over, whether it succeeds
    /// or throws. Where a backfill of the same idempotency key and the same rows was published before, nothing is written, and that is the answer;
    /// where it had other rows, this throws `alreadyExists`.
    ///
    /// - Parameter progress: see `prepare`.
    public func publish(progress: (@Sendable (_ rows: Int, _ total: Int) -> Void)? = nil) throws(WhenceError) -> Commit {
        precondition(!isFinished, "a backfill is published once")
        defer { abandon() }
        try prepare(progress: progress)
        if let earlier { return Commit(time: earlier, wasRepeated: true) }
        return try store.publish(files ?? [], commit, view, earliestRetraction, once)
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
    private func writeFiles(_ buffer: VersionBuffer, _ progress: PublicationReporter?) throws(WhenceError) -> [String] {
        let parts = buffer.count < 10_000 ? 1 : store.options.threads
        let files = Slots<[String]>(parts)
        try inParallel(parts, threads: parts) { part throws(WhenceError) in
            var writer = self.writer(part)
            let bytes = unsafe buffer.bytes.span.bytes
            var written = 0
            for entry in buffer.entries[(buffer.count * part / parts)..<(buffer.count * (part + 1) / parts)] {
                try writer.put(bytes.extracting(entry.key), bytes.extracting(entry.row), commit)
                written += 1
                if written % PublicationReporter.stretch == 0 { progress?.wrote(PublicationReporter.stretch) }
            }
            progress?.wrote(written % PublicationReporter.stretch)
            files[part] = try writer.finish()
        }
        return files.values.flatMap { $0 }
    }

    /// Files from runs on disk: the key space is cut into as many ranges as there are threads, each merged by one.
    private func mergeRuns(_ spilled: [Run], _ progress: PublicationReporter?) throws(WhenceError) -> [String] {
        let runs = try MergedRuns.reduce(
            spilled, windowBytes: RunMerge.windowBytes, threads: store.options.threads, progress: progress, to: spillFile)
        let samples = runs.flatMap { $0.index.map(\.key) }.sorted { $0.lexicographicallyPrecedes($1) }
        let parts = store.options.threads
        // A cut stands before all versions of an entity, so that those of one event time stay together.
        let cuts = (1..<parts).map { Array(samples[samples.count * $0 / parts].dropLast(VersionKey.timesBytes)) }
        let files = Slots<[String]>(parts)
        try inParallel(parts, threads: parts) { part throws(WhenceError) in
            var merge = try RunMerge(
                runs, from: part == 0 ? nil : cuts[part - 1], to: part == parts - 1 ? nil : cuts[part], layout: batch.layout)
            var writer = self.writer(part)
            var written = 0
            while let entry = try merge.next() {
                let bytes = merge.bytes
                let span = unsafe bytes.span.bytes
                try writer.put(span.extracting(entry.key), span.extracting(entry.row), commit)
                written += 1
                if written % PublicationReporter.stretch == 0 { progress?.wrote(PublicationReporter.stretch) }
            }
            progress?.wrote(written % PublicationReporter.stretch)
            files[part] = try writer.finish()
        }
        return files.values.flatMap { $0 }
    }
}

/// What a publication under an idempotency key is remembered by: the key, and which rows there were.
private struct BackfillOnce {
    let key: String
    let rows: String
}

extension Store {
    /// Begins a bulk load of `view`; see `Backfill`.
    ///
    /// - Parameter idempotencyKey: names this load; a second one of the same name and the same rows is answered with the first one's publication and
    ///   changes nothing.
    public func backfill(_ view: String, idempotencyKey: String? = nil) throws(WhenceError) -> Backfill {
        try checkWritable()
        // Less than a batch's key may have, by what is put behind it.
        let longest = Limits.entityKeyBytes - 64
        if let idempotencyKey, !(1...longest).contains(idempotencyKey.utf8.count) {
            throw WhenceError(.invalidArgument, "the idempotency key of a backfill has 1 to \(longest) bytes")
        }
        return try Backfill(self, try self.view(view), idempotencyKey: idempotencyKey)
    }

    /// When a backfill of that key and those rows was published. Throws `alreadyExists` where one of that key had other rows.
    fileprivate func published(_ once: BackfillOnce) throws(WhenceError) -> Timestamp? {
        func time(_ key: [UInt8]) throws(WhenceError) -> Timestamp? {
            let place = "idempotency key '\(once.key)'"
            let bytes = try storage(at: place) { () throws(RocksDBError) in try database.get(key, in: records) }
            return try bytes.map { bytes throws(WhenceError) in try Records.time(bytes) }
        }
        if let same = try time(Records.backfillOnce(once.key, rows: once.rows)) { return same }
        guard let other = try time(Records.backfillOnce(once.key)) else { return nil }
        throw WhenceError(
            .alreadyExists, "the idempotency key '\(once.key)' names a backfill that was published at \(other), and had other rows",
            hint: "load these rows under a key of their own; nothing was written")
    }

    /// Writes the records of a publication under a key into a file, to be taken in together with the rows.
    private func remember(_ once: BackfillOnce, _ published: Timestamp, in path: String) throws(RocksDBError) {
        var writer = try SSTWriter(path: path, options: StorageOptions.records())
        let value = Records.bytes(published)
        // In the order of their keys.
        for key in [Records.backfillOnce(once.key), Records.backfillOnce(once.key, rows: once.rows)] {
            unsafe try writer.put(key.span.bytes, value.span.bytes)
        }
        try writer.finish()
    }

    /// Takes finished files into the store and makes them visible, in one step.
    fileprivate func publish(
        _ files: [String], _ commit: Timestamp, _ view: OpenView, _ earliestRetraction: Timestamp, _ once: BackfillOnce?
    ) throws(WhenceError) -> Commit {
        guard !files.isEmpty else { return Commit(time: lastCommit) }
        let earlier = Slots<Timestamp>(1)
        let published = try committer.exclusively { [self] last throws(WhenceError) in
            // Another one of the key may have been published since this one asked.
            if let once, let time = try self.published(once) {
                earlier[0] = time
                return last
            }
            // The horizon as it stands now: history may have been removed since the backfill began.
            try self.view(view.name).checkRetractions(from: earliestRetraction)
            let published = committer.nextTime(after: last)
            // The record first: without the files it says nothing, and the files never stand without it.
            var batch = WriteBatch()
            batch.put(Records.publication(commit), Records.bytes(published), in: records)
            batch.put(Records.lastCommit, Records.bytes(published), in: records)
            try storage(at: "backfill of view '\(view.name)'") { () throws(RocksDBError) in
                try database.write(batch, sync: true)
                guard let once else { return try database.ingest([(files, view.family)]) }
                // The rows and what remembers them in one step: whoever finds the key finds the rows.
                let memory = "\(directory.temporary)/sst-\(commit.microseconds)-once.sst"
                try remember(once, published, in: memory)
                try database.ingest([(files, view.family), ([memory], records)])
            }
            state.withLock { $0.backfills[commit] = .some(published) }
            cache.removeAll(view: view.id)
            freshnessTable.update(view.name, commit: published, newestEvent: nil)
            return published
        }
        if let time = earlier[0] { return Commit(time: time, wasRepeated: true) }
        return published
    }
}
