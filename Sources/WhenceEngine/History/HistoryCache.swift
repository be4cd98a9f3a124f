import RocksDB
import Synchronization
import WhenceCore

/// Images of sorted files for joins that come again (`docs/decisions/0010-images-of-files.md`), in as much memory as is stated.
///
/// Reading a whole file costs more than to walk through it once, so a view's files are read when joins have walked as far as through all of
/// it; from then on it pays. A view that is larger than the memory has images of some of its files.
final class HistoryCache: Sendable {
    private struct Entry {
        let image: FileImage
        let view: UInt32
        /// The number of the join that asked for it last.
        var lastUse: Int
    }

    private struct State {
        /// By the names of the files, which are never used again.
        var entries: [String: Entry] = [:]
        var byteCount = 0
        var uses = 0
        /// For each view the versions that joins have walked past since it was last read.
        var walked: [UInt32: Int] = [:]
        /// Counts removals: what was read before one is not kept after it.
        var removals = 0

        mutating func remove(_ name: String) { byteCount -= entries.removeValue(forKey: name)?.image.byteCount ?? 0 }
    }

    let budgetBytes: Int
    /// How often joins must have walked through a view before its files are read.
    private let walks: Int
    private let state = Mutex(State())
    /// Held by the one join that reads files; others do not wait for it.
    private let reading = Mutex(())

    init(budgetBytes: Int, walks: Int) {
        self.budgetBytes = budgetBytes
        self.walks = walks
    }

    /// A lookup costs about as much as so many steps from version to version.
    private static let stepsOfLookup = 16

    var byteCount: Int { state.withLock { $0.byteCount } }

    /// Forgets the images of a view, of which versions have been removed.
    func removeAll(view: UInt32) {
        state.withLock { state in
            state.removals += 1
            for (name, entry) in state.entries where entry.view == view { state.remove(name) }
        }
    }

    /// The images for a join that looks up `lookups` rows in a view at `snapshot`; nil where RocksDB had better be asked.
    func images(
        _ view: OpenView, _ database: Database, at snapshot: Snapshot, lookups: Int, threads: Int
    ) throws(WhenceError) -> ViewImages? {
        guard budgetBytes > 0, let versions = database.number("rocksdb.estimate-num-keys", of: view.family) else { return nil }
        let steps = min(Int(clamping: versions), lookups * HistoryCache.stepsOfLookup)
        let (isPaidFor, isThere) = state.withLock { state in
            let walked = state.walked[view.id] ?? 0
            state.walked[view.id] = walked + steps
            return (walked >= Int(clamping: versions) * walks, state.entries.values.contains { $0.view == view.id })
        }
        guard isPaidFor || isThere else { return nil }
        // The order matters: see `ViewImages`.
        let memtables = (0..<max(1, threads)).map { _ in MemtableCursor(database.makeMemtableCursor(view.family, at: snapshot)) }
        for property in ["rocksdb.num-deletes-active-mem-table", "rocksdb.num-deletes-imm-mem-tables"] {
            guard database.number(property, of: view.family) == 0 else { return nil }
        }
        let files = database.files().filter { $0.family == view.family.name }
        let images = try found(files, of: view, database, isPaidFor: isPaidFor, threads: threads)
        guard !images.isEmpty else { return nil }
        return ViewImages(runs: HistoryCache.runs(files, images), memtables: memtables)
    }

    /// The images of `files`, those that are missing read now where that is paid for. Images of the view's files of before are dropped.
    private func found(
        _ files: [DatabaseFile], of view: OpenView, _ database: Database, isPaidFor: Bool, threads: Int
    ) throws(WhenceError) -> [String: FileImage] {
        let names = Set(files.map(\.name))
        let (use, removals) = state.withLock { state in
            state.uses += 1
            for (name, entry) in state.entries where entry.view == view.id && !names.contains(name) { state.remove(name) }
            for name in names { state.entries[name]?.lastUse = state.uses }
            return (state.uses, state.removals)
        }
        if isPaidFor {
            _ = try reading.withLockIfAvailable { _ throws(WhenceError) in
                let missing = state.withLock { state in files.filter { state.entries[$0.name] == nil } }
                try inParallel(missing.count, threads: threads) { index throws(WhenceError) in
                    // A file that is gone by now, or damaged, has no image: RocksDB says what is to be said.
                    guard let file = try? database.open(missing[index]), let bytes = FileImage.versionBytes(of: file),
                        makeRoom(bytes, for: use), let image = FileImage(file)
                    else { return }
                    keep(image, of: missing[index].name, view.id, use: use, ifStill: removals)
                }
            }
        }
        return state.withLock { state in
            state.entries.filter { names.contains($0.key) }.mapValues(\.image)
        }
    }

    /// Makes room for so many bytes, images that were used the longest ago going first. False where those of this join leave none.
    private func makeRoom(_ bytes: Int, for use: Int) -> Bool {
        state.withLock { state in
            while state.byteCount + bytes > budgetBytes {
                guard let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse }), oldest.value.lastUse < use else {
                    return false
                }
                state.remove(oldest.key)
            }
            return true
        }
    }

    private func keep(_ image: FileImage, of name: String, _ view: UInt32, use: Int, ifStill removals: Int) {
        guard makeRoom(image.byteCount, for: use) else { return }
        state.withLock { state in
            guard state.removals == removals, state.entries[name] == nil else { return }
            state.entries[name] = Entry(image: image, view: view, lastUse: use)
            state.byteCount += image.byteCount
        }
    }

    private static func runs(_ files: [DatabaseFile], _ images: [String: FileImage]) -> [FileRun] {
        let levels = Dictionary(grouping: files, by: \.level).sorted { $0.key < $1.key }
        return levels.flatMap { level, files in
            let sorted = files.sorted { $0.keys.lowerBound < $1.keys.lowerBound }.map { ($0, images[$0.name]) }
            // Files of level 0 may have the same keys.
            return level == 0 ? sorted.map { FileRun([$0]) } : [FileRun(sorted)]
        }
    }
}
