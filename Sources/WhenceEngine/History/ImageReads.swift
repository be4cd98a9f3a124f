import WhenceCore

/// Reads that have found their entity in an image and are not answered yet. Memory is slow, and reads know nothing of one another: so each
/// takes three steps, and while the cache fetches what the next step of one wants, others take theirs.
///
/// Invariant of the unsafe parts: `reads` has room for `depth` reads; those from `answered` to `count` are there, each at its number modulo `depth`,
/// and those before `sought` have their version.
@safe struct ImageReads: ~Copyable {
    @safe struct Read {
        let row: Int
        let T: Timestamp
        let table: UnsafePointer<ImageTable>
        /// The versions that are still to be looked at.
        var versions: Range<Int>
    }

    /// Reads that are under way: enough to cover the memory's delay, few enough to stay in the cache.
    private static var depth: Int { 16 }

    private let reads: UnsafeMutablePointer<Read>
    private var count = 0
    private var sought = 0
    private var answered = 0
    private let knownAt: UInt64
    /// What the read before had left of its versions, and in which image: one of the same entity goes on there.
    private var last: (table: UnsafePointer<ImageTable>?, versions: Range<Int>) = (nil, 0..<0)

    init(knownAt: Timestamp) {
        unsafe reads = .allocate(capacity: ImageReads.depth)
        self.knownAt = VersionKey.code(knownAt)
    }

    deinit { unsafe reads.deallocate() }

    /// Takes in a read, and answers one that has been here long enough. Reads come in the order of the store.
    @inline(__always) mutating func add(_ read: Read, answer: (Read) throws(WhenceError) -> Void) throws(WhenceError) {
        unsafe read.table.pointee.prefetch(read.versions)
        unsafe (reads + (count & (ImageReads.depth - 1))).initialize(to: read)
        count += 1
        if count - sought > ImageReads.depth / 2 { seek() }
        if count - answered == ImageReads.depth { try answerNext(answer) }
    }

    /// Answers all that are left.
    mutating func finish(answer: (Read) throws(WhenceError) -> Void) throws(WhenceError) {
        while sought < count { seek() }
        while answered < count { try answerNext(answer) }
    }

    /// Finds the version at which the next read begins.
    @inline(__always) private mutating func seek() {
        let read = unsafe reads + (sought & (ImageReads.depth - 1))
        sought += 1
        let table = unsafe read.pointee.table
        var versions = unsafe read.pointee.versions
        var isNear = false
        // The end of an entity's versions tells it from all others of an image.
        if unsafe last.table == table && last.versions.upperBound == versions.upperBound {
            versions = unsafe last.versions
            isNear = true
        }
        let first = unsafe table.pointee.firstVersion(in: versions, event: VersionKey.code(read.pointee.T), commit: knownAt, isNear: isNear)
        versions = first..<versions.upperBound
        unsafe last = (table, versions)
        unsafe read.pointee.versions = versions
        if !versions.isEmpty { unsafe table.pointee.prefetchRow(first) }
    }

    @inline(__always) private mutating func answerNext(_ answer: (Read) throws(WhenceError) -> Void) throws(WhenceError) {
        let read = unsafe reads[answered & (ImageReads.depth - 1)]
        answered += 1
        try answer(read)
    }
}
