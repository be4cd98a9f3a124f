import WhenceCore

/// Reads that have found their entity in an image and are not answered yet. Memory is slow, and reads know nothing of one another: so each
/// takes its steps with others' between them, and before each the cache fetches what it will look at: where the entity's versions are, the
/// quarter of them that has the one it wants, the version, the row.
///
/// Invariant of the unsafe parts: `reads` has room for `depth` reads. Those from `answered` to `count` are there, each at its number modulo
/// `depth`; those before `opened` have their entity's versions, those before `narrowed` a quarter of them, those before `found` their version.
@safe struct ImageReads: ~Copyable {
    @safe struct Read {
        let row: Int
        let T: Timestamp
        let table: UnsafePointer<ImageTable>
        let entity: Int
        /// The versions that are still to be looked at.
        fileprivate(set) var versions = 0..<0
        /// Where among them the first one is that answers, as far as is known.
        fileprivate var quarter = 0..<0

        init(row: Int, T: Timestamp, table: UnsafePointer<ImageTable>, entity: Int) {
            self.row = row
            self.T = T
            unsafe self.table = table
            self.entity = entity
        }
    }

    /// Reads that are under way: enough to cover the memory's delay, few enough to stay in the cache.
    private static var depth: Int { 16 }

    private let reads: UnsafeMutablePointer<Read>
    private var count = 0
    private var opened = 0
    private var narrowed = 0
    private var found = 0
    private var answered = 0
    private let knownAt: UInt64
    /// What the read before had left of its versions, and in which image: one of the same entity goes on there.
    private var last: (table: UnsafePointer<ImageTable>?, versions: Range<Int>) = (nil, 0..<0)

    init(knownAt: Timestamp) {
        unsafe reads = .allocate(capacity: ImageReads.depth)
        self.knownAt = VersionKey.code(knownAt)
    }

    deinit { unsafe reads.deallocate() }

    @inline(__always) private func read(_ number: Int) -> UnsafeMutablePointer<Read> { unsafe reads + (number & (ImageReads.depth - 1)) }

    /// Takes in a read, and answers one that has been here long enough. Reads come in the order of the store.
    @inline(__always) mutating func add(_ read: consuming Read, answer: (Read) throws(WhenceError) -> Void) throws(WhenceError) {
        unsafe self.read(count).initialize(to: read)
        count += 1
        if count - opened > 3 { open() }
        if count - narrowed > 7 { narrow() }
        if count - found > 11 { find() }
        if count - answered == ImageReads.depth { try answerNext(answer) }
    }

    /// Answers all that are left.
    mutating func finish(answer: (Read) throws(WhenceError) -> Void) throws(WhenceError) {
        while opened < count { open() }
        while narrowed < count { narrow() }
        while found < count { find() }
        while answered < count { try answerNext(answer) }
    }

    @inline(__always) private mutating func open() {
        let read = unsafe read(opened)
        opened += 1
        let table = unsafe read.pointee.table
        let versions = unsafe table.pointee.versions(of: read.pointee.entity)
        unsafe table.pointee.prefetchQuarters(of: versions)
        unsafe read.pointee.versions = versions
    }

    @inline(__always) private mutating func narrow() {
        let read = unsafe read(narrowed)
        narrowed += 1
        let table = unsafe read.pointee.table
        let quarter = unsafe table.pointee.quarter(of: read.pointee.versions, event: VersionKey.code(read.pointee.T), commit: knownAt)
        unsafe table.pointee.prefetchQuarters(of: quarter)
        unsafe read.pointee.quarter = quarter
    }

    /// Finds the version at which a read begins.
    @inline(__always) private mutating func find() {
        let read = unsafe read(found)
        found += 1
        let table = unsafe read.pointee.table
        let end = unsafe read.pointee.versions.upperBound
        var range = unsafe read.pointee.quarter
        // The end of an entity's versions tells it from all others of an image.
        let isSame = unsafe last.table == table && last.versions.upperBound == end
        if isSame { range = unsafe min(max(range.lowerBound, last.versions.lowerBound), range.upperBound)..<range.upperBound }
        let first = unsafe table.pointee.firstVersion(in: range, event: VersionKey.code(read.pointee.T), commit: knownAt, isNear: isSame)
        unsafe last = (table, first..<end)
        unsafe read.pointee.versions = first..<end
        if first < end { unsafe table.pointee.prefetchRow(first) }
    }

    @inline(__always) private mutating func answerNext(_ answer: (Read) throws(WhenceError) -> Void) throws(WhenceError) {
        let read = unsafe read(answered).pointee
        answered += 1
        try answer(read)
    }
}
