import RocksDB
import Synchronization
import WhenceCore

/// Where the versions of a view are, all of them, as one join may see it: runs of sorted files, and memtables.
///
/// Why nothing is missed: the memtables' cursors were made before the files were listed. So a row that a cursor does not see any more, as it was
/// written out before, is in a file of the list; one that is in both is asked for in RocksDB, as is every entity that is in two
/// places. What RocksDB has deleted hides nothing here: a file with deletions has no image, and with deletions in a memtable there is no
/// `ViewImages` (`HistoryCache.images`). Rows that were written since the snapshot are in files too, and are left out by their commit
/// times, as everywhere (`JoinPlan`).
final class ViewImages: Sendable {
    /// Files that follow one another, in their order: one run for each deeper level, and one for each file of level 0.
    let runs: [FileRun]
    /// Cursors over the memtables for as many threads as the join has.
    private let memtables: Mutex<[MemtableCursor]>
    private let isInFiles: Bool

    init(runs: [FileRun], memtables: [MemtableCursor]) {
        self.runs = runs
        isInFiles = memtables.first?.isEmpty() ?? false
        self.memtables = Mutex(memtables)
    }

    /// A search for one thread; nil where all of the memtables' cursors are in use.
    func makeSearch() -> ImageSearch? {
        if isInFiles { return ImageSearch(self, memtable: nil) }
        guard let cursor = memtables.withLock({ $0.popLast() }) else { return nil }
        return ImageSearch(self, memtable: cursor)
    }

    /// Takes back the cursor of a search that has ended.
    func giveBack(_ cursor: MemtableCursor) { memtables.withLock { $0.append(cursor) } }
}

/// Tells which entities are in the memtables. One thread at a time.
final class MemtableCursor: @unchecked Sendable {
    private var cursor: Cursor
    private var isPlaced = false

    init(_ cursor: consuming Cursor) { self.cursor = cursor }

    /// Whether there is nothing at all. Called before anything else.
    func isEmpty() -> Bool { !cursor.seekToFirst() }

    /// From here on entities may come in any order again.
    func restart() { isPlaced = false }

    /// Whether a version of `entity` is there. Since `restart`, entities come in the order of the store.
    func holds(_ entity: RawSpan) -> Bool {
        if !isPlaced || (cursor.isValid && cursor.isBefore(entity)) { cursor.seek(entity) }
        isPlaced = true
        return cursor.times(ifOf: entity) != nil
    }
}
