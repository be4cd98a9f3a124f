import RocksDB
import Synchronization
import WhenceCatalog
import WhenceCore

/// What retention removed from one view, or would remove.
public struct RetentionReport: Sendable {
    public let view: String
    /// History before this is gone; reads before it are refused from now on.
    public let horizon: Timestamp
    public var versionsSeen = 0
    public var versionsRemoved = 0
    /// Bytes of the removed keys and rows, before compression.
    public var bytesRemoved = 0
}

extension Store {
    /// Removes the history of `view` that no read can reach whose T and `known_at` are both at `horizon` or later, as served or
    /// not: of each entity the newest version at or before the horizon stays. Reads before the horizon, or pinned before it, are
    /// refused from then on.
    ///
    /// - Parameter horizon: nil for the present less the view's declared retention.
    /// - Parameter dryRun: count, and remove nothing.
    /// - Parameter progress: called now and then with the number of versions seen.
    public func retain(
        _ view: String, horizon: Timestamp? = nil, dryRun: Bool = false, progress: (Int) -> Void = { _ in }
    ) throws(WhenceError) -> RetentionReport {
        if !dryRun { try checkWritable() }
        let open = try self.view(view)
        let stated = if let horizon { horizon } else { try declaredHorizon(open) }
        guard stated <= now else {
            throw WhenceError(
                .invalidTime, "the horizon \(stated) is in the future", place: "view '\(view)'", hint: "name an instant that has passed")
        }
        let (current, horizon) = dryRun ? (open, max(stated, open.horizon)) : try setHorizon(stated, of: view)
        // In a function of its own: its snapshot must be gone before the compaction, which keeps what a snapshot still sees.
        let report = try removeOutOfReach(current, horizon, dryRun: dryRun, progress)
        if !dryRun {
            try forgetOldIdempotencyKeys()
            cache.removeAll(view: current.id)
            if report.versionsRemoved > 0 {
                try compact(view)
                history.removeAll(view: current.id)
            }
        }
        return report
    }

    private func removeOutOfReach(
        _ view: OpenView, _ horizon: Timestamp, dryRun: Bool, _ progress: (Int) -> Void
    ) throws(WhenceError) -> RetentionReport {
        var report = RetentionReport(view: view.name, horizon: horizon)
        var frontier = RetentionFrontier(view, horizon: horizon)
        // Between commits, so that both say the same of every backfill; once, and not a lock for each version.
        let taken = Slots<(Snapshot, [Timestamp: Timestamp?])>(1)
        try committer.exclusively { [self] last throws(WhenceError) in
            taken[0] = (database.makeSnapshot(), state.withLock { $0.backfills })
            return last
        }
        guard let (snapshot, backfills) = taken[0] else { preconditionFailure("exclusive work has been done when it returns") }
        var batch = WriteBatch()
        var cursor = database.makeCursor(view.family, at: snapshot, fillCache: false)
        cursor.seekToFirst()
        while cursor.isValid {
            do {
                let key = cursor.key
                let row = cursor.value
                report.versionsSeen += 1
                if try !frontier.keeps(key, row, publication: { (backfills[$0] ?? $0) ?? $0 }) {
                    report.versionsRemoved += 1
                    report.bytesRemoved += key.byteCount + row.byteCount
                    if !dryRun { batch.delete(key, in: view.family) }
                }
            }
            if batch.count >= 10_000 { try write(&batch, view) }
            if report.versionsSeen % 100_000 == 0 { progress(report.versionsSeen) }
            cursor.next()
        }
        try storage(at: "view '\(view.name)'") { () throws(RocksDBError) in try cursor.check() }
        if !dryRun { try write(&batch, view) }
        return report
    }

    private func declaredHorizon(_ view: OpenView) throws(WhenceError) -> Timestamp {
        guard let retention = view.stored.definition.retention else {
            throw WhenceError(
                .invalidArgument, "the view declares no retention", place: "view '\(view.name)'",
                hint: "add 'retention: 400d' to its definition, or name a horizon with --before")
        }
        return now.advanced(by: .zero - retention)
    }

    /// The horizon first: a read that the removal would cut short is refused before anything is removed. It never moves back, and
    /// belongs to the view as it is between commits. Returns both.
    private func setHorizon(_ stated: Timestamp, of name: String) throws(WhenceError) -> (OpenView, Timestamp) {
        let result = Slots<OpenView>(1)
        try committer.exclusively { [self] last throws(WhenceError) in
            let view = try self.view(name)
            let horizon = max(stated, view.horizon)
            var batch = WriteBatch()
            batch.put(Records.horizon(view.id), Records.bytes(horizon), in: records)
            // From here on no commit time is at or before the horizon, and what is known now is known after it.
            let time = max(last, horizon)
            batch.put(Records.lastCommit, Records.bytes(time), in: records)
            try storage(at: "view '\(name)'") { () throws(RocksDBError) in try database.write(batch, sync: true) }
            let updated = OpenView(view.stored, view.family, horizon: horizon)
            state.withLock { $0.views[name] = updated }
            generation.add(1, ordering: .releasing)
            result[0] = updated
            return time
        }
        let view = if let updated = result[0] { updated } else { try self.view(name) }
        return (view, view.horizon)
    }

    private func write(_ batch: inout WriteBatch, _ view: OpenView) throws(WhenceError) {
        guard batch.count > 0 else { return }
        do throws(RocksDBError) {
            try database.write(batch, sync: true)
        } catch {
            throw WhenceError(error, place: "view '\(view.name)'")
        }
        batch.clear()
    }

    /// Replies to writes that are older than a week are no longer kept: a client does not retry for so long.
    private func forgetOldIdempotencyKeys() throws(WhenceError) {
        let limit = now.advanced(by: .seconds(-7 * 86_400))
        var batch = WriteBatch()
        var old: [[UInt8]] = []
        try database.forEach(Records.idempotencyPrefix, in: records) { key, value throws(WhenceError) in
            if try Records.time(value) < limit { old.append(key) }
        }
        for key in old { unsafe batch.delete(key.span.bytes, in: records) }
        do throws(RocksDBError) {
            try database.write(batch, sync: true)
        } catch {
            throw WhenceError(error, place: "records")
        }
    }
}

/// Decides, version after version in the order of the store, which ones a read at T >= horizon can still reach.
///
/// For each feature it knows the least pin from which on newer versions at or before the horizon answer for it for good. A
/// version that became known no earlier than that, for all it carries, is out of reach.
struct RetentionFrontier {
    private let view: OpenView
    private let horizon: Timestamp
    private var entity: [UInt8] = []
    /// For each feature id the least publication time of a version that answers for it; absent where there is none yet.
    private var answered: [UInt32: Timestamp] = [:]
    /// The same for a tombstone, which answers for everything.
    private var ended = Timestamp.distantFuture
    /// The event time of a retraction that was met last: what it retracts answers for nothing.
    private var retracted: Timestamp?

    init(_ view: OpenView, horizon: Timestamp) {
        self.view = view
        self.horizon = horizon
    }

    mutating func keeps(_ key: RawSpan, _ row: RawSpan, publication: (Timestamp) -> Timestamp) throws(WhenceError) -> Bool {
        guard key.byteCount > VersionKey.timesBytes else { throw RowHeader.damagedKey("view '\(view.name)'") }
        let span = key.extracting(0..<(key.byteCount - VersionKey.timesBytes))
        if !span.isEntity(entity) {
            entity = unsafe span.withUnsafeBytes { unsafe Array($0) }
            answered.removeAll(keepingCapacity: true)
            ended = .distantFuture
            retracted = nil
        }
        let eventTime = VersionKey.eventTime(key)
        if eventTime > horizon { return true }
        let header = try RowHeader(row)
        let commit = VersionKey.commitTime(key)
        // Pins before the horizon are refused, so what was known earlier counts as known then.
        let known = max(publication(commit), horizon)
        if known >= ended { return false }
        // A version that serving sees only after the horizon answers for nothing at the horizon.
        let answers = retracted != eventTime && (header.availability ?? commit) <= horizon
        switch header.kind {
        case .deletion:
            // Only a newer tombstone makes one needless: it also ends features that the view will have one day.
            if answers { ended = min(ended, known) }
        case .retraction:
            // As long as what it retracts may be there: a deletion would be in force again.
            retracted = eventTime
        case .row:
            let layout = try view.layout(header.schemaID)
            let body = try RowBody(row, header: header, layout)
            let carried = layout.schema.fields.enumerated().filter { body.place(of: $0.offset) != .absent }.map(\.element)
            // What stands over a deletion or a retraction is one, too.
            let isPlain = !header.isOverDeletion && !header.isOverRetraction
            if isPlain && isAnswered(carried, from: known) { return false }
            if answers {
                for field in carried { answered[field.id] = min(answered[field.id] ?? .distantFuture, known) }
                if header.isOverDeletion { ended = min(ended, known) }
            }
            if header.isOverRetraction { retracted = eventTime }
        }
        return true
    }

    private func isAnswered(_ fields: [SchemaField], from known: Timestamp) -> Bool {
        fields.allSatisfy { field in (answered[field.id] ?? .distantFuture) <= known }
    }
}
