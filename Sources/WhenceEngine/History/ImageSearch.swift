import WhenceCore

/// Looks entities up in the images of a view, in the order of the store. One thread at a time.
///
/// Invariant of the unsafe parts: `places` has one element for each of the view's runs, and `runs` are theirs, which `view` keeps.
@safe struct ImageSearch: ~Copyable {
    /// Small enough for registers: the processor writes rows to places that are in no cache, and memory that is written and read again has to
    /// wait for those.
    @safe enum Answer {
        /// The entity of this number in the image, and no version of it is anywhere else.
        case image(UnsafePointer<ImageTable>, Int)
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

    /// Where the versions of `entity` are. No call may come before the last one in the order of the store.
    ///
    /// Cost: a few nanoseconds for each run and each doubling of the way; allocates nothing and counts no references.
    @inline(__always) mutating func find(_ entity: RawSpan) -> Answer {
        if let memtable, memtable.holds(entity) { return .elsewhere }
        let prefix = SortKey.prefix(entity)
        var found: UnsafePointer<ImageTable>?
        var foundEntity = 0
        for index in 0..<count {
            let place = unsafe places + index
            while unsafe place.pointee.file < place.pointee.count && place.pointee.run[place.pointee.file].pointee.isBefore(prefix, entity)
            {
                unsafe place.pointee.file += 1
                unsafe place.pointee.entity = 0
            }
            guard unsafe place.pointee.file < place.pointee.count else { continue }
            let file = unsafe place.pointee.run[place.pointee.file]
            if unsafe file.pointee.isBehind(prefix, entity) { continue }
            guard let table = unsafe file.pointee.table else { return .elsewhere }
            let at = unsafe table.pointee.firstEntity(from: place.pointee.entity, prefix, entity)
            unsafe place.pointee.entity = at
            guard unsafe at < table.pointee.entityCount, unsafe table.pointee.order(at, prefix, entity) == 0 else { continue }
            if unsafe found != nil || (file.pointee.isSplitAtEnd && at == table.pointee.entityCount - 1) { return .elsewhere }
            unsafe found = table
            foundEntity = at
        }
        guard let table = unsafe found else { return .nowhere }
        unsafe table.pointee.prefetchVersions(of: foundEntity)
        return unsafe .image(table, foundEntity)
    }
}
