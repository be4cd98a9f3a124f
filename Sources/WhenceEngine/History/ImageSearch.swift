import WhenceCore

/// Looks entities up in the images of a view, in the order of the store. One thread at a time.
///
/// Invariant of the unsafe parts: `places` has one element for each of the view's runs, and `runs` are theirs, which `view` keeps.
@safe struct ImageSearch: ~Copyable {
    enum Answer {
        /// The only place where the entity is, from the version on that the read is to look at.
        case image(ImageCursor)
        /// There is no such entity.
        case nowhere
        /// Only RocksDB can tell.
        case elsewhere
    }

    /// Where the search stands in a run.
    private struct Place {
        unowned(unsafe) let run: FileRun
        let count: Int
        var file = 0
        var entity = 0
    }

    private let view: ViewImages
    private let memtable: MemtableCursor?
    private let places: UnsafeMutablePointer<Place>
    private let count: Int
    /// The entity that was found last, and the version that was: the next read may ask for the same entity at an earlier time.
    private var last: (run: Int, file: Int, entity: Int, version: Int) = (-1, 0, 0, 0)

    init(_ view: ViewImages, memtable: MemtableCursor?) {
        self.view = view
        self.memtable = memtable
        memtable?.restart()
        count = view.runs.count
        unsafe places = .allocate(capacity: count)
        for (index, run) in view.runs.enumerated() { unsafe (places + index).initialize(to: Place(run: run, count: run.count)) }
    }

    deinit {
        unsafe places.deallocate()
        if let memtable { view.giveBack(memtable) }
    }

    /// Where the versions of `entity` are from T on, and from what was known at a time, both given as codes of `VersionKey`. No call may
    /// come before the last one in the order of the store.
    ///
    /// Cost: a few nanoseconds for each run and each doubling of the way; allocates nothing and counts no references.
    @inline(__always) mutating func find(_ entity: RawSpan, event: UInt64, commit: UInt64) -> Answer {
        if let memtable, memtable.holds(entity) { return .elsewhere }
        let prefix = SortKey.prefix(entity)
        var found = -1
        for index in 0..<count {
            var place = unsafe places[index]
            while unsafe place.file < place.count && place.run[place.file].isBefore(prefix, entity) {
                place.file += 1
                place.entity = 0
            }
            defer { unsafe places[index] = place }
            guard place.file < place.count else { continue }
            let file = unsafe place.run[place.file]
            if file.isBehind(prefix, entity) { continue }
            guard let table = file.table else { return .elsewhere }
            place.entity = table.firstEntity(from: place.entity, prefix, entity)
            guard place.entity < table.entityCount, table.order(place.entity, prefix, entity) == 0 else { continue }
            if found >= 0 || (file.isSplitAtEnd && place.entity == table.entityCount - 1) { return .elsewhere }
            found = index
        }
        guard found >= 0 else { return .nowhere }
        let place = unsafe places[found]
        guard let table = unsafe place.run[place.file].table else { return .elsewhere }
        let all = table.versions(of: place.entity)
        let isSame = last.run == found && last.file == place.file && last.entity == place.entity
        let version = table.firstVersion(in: (isSame ? last.version : all.lowerBound)..<all.upperBound, event: event, commit: commit)
        last = (found, place.file, place.entity, version)
        return .image(ImageCursor(table, version..<all.upperBound))
    }
}
