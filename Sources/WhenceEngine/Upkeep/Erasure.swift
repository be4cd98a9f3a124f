import RocksDB
import Synchronization
import WhenceCatalog
import WhenceCore

/// What erasure removed from one view, or would remove.
public struct ErasureReport: Sendable {
    public let view: String
    public var versionsRemoved = 0
}

extension Store {
    /// Removes every version of an entity from every view of it, from the cache, and from the files: when this returns
    /// the bytes are no longer in the log or in a sorted file.
    ///
    /// - Parameter entityName: the entity's name in the catalog.
    /// - Parameter dryRun: count, and remove nothing.
    /// - Parameter progress: called with how many steps of how many are done: removing versions from a view, writing out a memtable, rewriting the
    ///   files of a view.
    public func erase(
        _ entityName: String, _ entity: EntityKey, dryRun: Bool = false, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws(WhenceError) -> [ErasureReport] {
        if !dryRun { try checkWritable() }
        _ = try catalog.entity(named: entityName)
        let views = state.withLock { $0.views.values.filter { $0.stored.entity.name == entityName } }.sorted { $0.name < $1.name }
        var reports: [ErasureReport] = []
        let families = dryRun ? [] : database.familyNames.compactMap { database.family($0) }
        let steps = dryRun ? views.count : 2 * views.count + families.count
        progress(0, steps)
        for view in views {
            let report = Slots<ErasureReport>(1)
            if dryRun {
                reports.append(try erase(entity, from: view, dryRun: true))
            } else {
                // Between commits, so that no version of the entity slips in behind the scan.
                try committer.exclusively { [self] last throws(WhenceError) in
                    report[0] = try erase(entity, from: view, dryRun: false)
                    return last
                }
                reports += report.values
            }
            progress(reports.count, steps)
        }
        if !dryRun { try scrub(entity, views, families) { progress(views.count + $0, steps) } }
        return reports
    }

    private func erase(_ entity: EntityKey, from view: OpenView, dryRun: Bool) throws(WhenceError) -> ErasureReport {
        var report = ErasureReport(view: view.name)
        var batch = WriteBatch()
        var cursor = database.makeCursor(view.family, at: database.makeSnapshot(), fillCache: false)
        let bytes = entity.bytes
        let span = unsafe bytes.span.bytes
        cursor.seek(span)
        while cursor.isValid {
            do {
                let key = cursor.key
                guard key.isVersion(of: span) else { break }
                report.versionsRemoved += 1
                if !dryRun { batch.delete(key, in: view.family) }
            }
            cursor.next()
        }
        let place = "view '\(view.name)'"
        do throws(RocksDBError) {
            try cursor.check()
            // One batch: the entity is there whole or not at all.
            if batch.count > 0 { try database.write(batch, sync: true) }
        } catch {
            throw WhenceError(error, place: place)
        }
        if !dryRun { cache.remove(view: view.id, entity: span) }
        return report
    }

    /// Takes the deleted bytes out of the log and the files: memtables are written out, which ends their log, and the range is
    /// compacted down to the bottommost level.
    private func scrub(
        _ entity: EntityKey, _ views: [OpenView], _ families: [ColumnFamily], _ progress: (_ done: Int) -> Void
    ) throws(WhenceError) {
        let first = Key(entity.bytes)
        let last = Key(entity.bytes + [UInt8](repeating: 0xFF, count: VersionKey.timesBytes))
        // All families: a log file stays for as long as the memtable of any of them has rows that are only there.
        for (index, family) in families.enumerated() {
            try storage(at: family.name) { () throws(RocksDBError) in try database.flush(family) }
            progress(index + 1)
        }
        for (index, view) in views.enumerated() {
            try storage(at: "view '\(view.name)'") { () throws(RocksDBError) in try database.compact(view.family, first...last) }
            history.removeAll(view: view.id)
            progress(families.count + index + 1)
        }
    }
}
