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
    public func erase(_ entityName: String, _ entity: EntityKey, dryRun: Bool = false) throws(WhenceError) -> [ErasureReport] {
        if !dryRun { try checkWritable() }
        _ = try catalog.entity(named: entityName)
        let views = state.withLock { $0.views.values.filter { $0.stored.entity.name == entityName } }.sorted { $0.name < $1.name }
        var reports: [ErasureReport] = []
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
        }
        if !dryRun { try scrub(entity, views) }
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
    private func scrub(_ entity: EntityKey, _ views: [OpenView]) throws(WhenceError) {
        let first = Key(entity.bytes)
        let last = Key(entity.bytes + [UInt8](repeating: 0xFF, count: VersionKey.timesBytes))
        // All families: a log file stays for as long as the memtable of any of them has rows that are only there.
        for family in database.familyNames.compactMap({ database.family($0) }) {
            try storage(at: family.name) { () throws(RocksDBError) in try database.flush(family) }
        }
        for view in views {
            try storage(at: "view '\(view.name)'") { () throws(RocksDBError) in try database.compact(view.family, first...last) }
            history.removeAll(view: view.id)
        }
    }
}
