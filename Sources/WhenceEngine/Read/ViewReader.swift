import RocksDB
import WhenceCatalog
import WhenceCore

/// Reads features of one view at any points into columns. One thread at a time.
struct ViewReader: ~Copyable {
    private let view: OpenView
    private let walk: VersionWalk
    private var cursor: Cursor
    private var sink: DecodingSink
    /// Images of the view's files, where there are any, and the reads that go to them.
    private var images: ImageSearch?
    private var imageReads: ImageReads
    private var target = SeekKey()
    /// Steps that the cursor has moved on since it was last placed.
    private var moves = 0
    private var isPlaced = false
    /// Steps that the last advance had left; below zero where it took a seek.
    private var steps: Int32 = 8

    init(
        _ view: OpenView, _ visibility: Visibility, cursor: consuming Cursor, images: consuming ImageSearch? = nil,
        decoder: consuming RowDecoder
    ) {
        self.view = view
        walk = VersionWalk(visibility, ttl: view.stored.definition.ttl)
        self.cursor = cursor
        self.images = images
        imageReads = ImageReads(knownAt: visibility.knownAt)
        sink = DecodingSink(decoder)
    }

    /// Answers row `row` of the columns for `entity` at T, at once or later, but before `finish` returns; the row stays without values where
    /// there is nothing.
    ///
    /// - Parameter ascending: the caller promises that this read does not come before the last one in the order of the
    ///   store (entity ascending, T descending), so that the cursor need only move on.
    @inline(__always) mutating func read(_ row: Int, _ entity: RawSpan, at T: Timestamp, ascending: Bool) throws(WhenceError) {
        try view.checkHorizon(T)
        if ascending && images != nil, try readImage(row, entity, at: T) { return }
        place(entity, T, ascending: ascending)
        sink.begin(row)
        moves = try walk.run(&cursor, entity: entity, at: T, into: &sink)
        if !cursor.isValid { try storage(at: "view '\(view.name)'") { () throws(RocksDBError) in try cursor.check() } }
    }

    /// Answers the reads that have been put off. Called once, behind the last one.
    mutating func finish() throws(WhenceError) {
        try imageReads.finish { (read) throws(WhenceError) in try ViewReader.answer(read, walk, &sink) }
    }

    /// Looks in the images. False where RocksDB has to be asked.
    @inline(__always) private mutating func readImage(_ row: Int, _ entity: RawSpan, at T: Timestamp) throws(WhenceError) -> Bool {
        switch images?.find(entity) {
        case .image(let table, let index):
            sink.prefetch(row)
            try imageReads.add(unsafe ImageReads.Read(row: row, T: T, table: table, entity: index)) { (read) throws(WhenceError) in
                try ViewReader.answer(read, walk, &sink)
            }
            return true
        case .nowhere: return true
        case .elsewhere, nil: return false
        }
    }

    @inline(__always) private static func answer(
        _ read: ImageReads.Read, _ walk: VersionWalk, _ sink: inout DecodingSink
    ) throws(WhenceError) {
        sink.begin(read.row)
        var cursor = unsafe ImageCursor(read.table, read.versions)
        // An image's cursor knows its entity by itself.
        try unsafe withUnsafeBytes(of: ()) { nothing throws(WhenceError) in
            _ = try walk.run(&cursor, entity: unsafe nothing.bytes, at: read.T, into: &sink)
        }
    }

    /// Puts the cursor on the first version of `entity` that a read at T may look at, or on what comes behind.
    @inline(__always) private mutating func place(_ entity: RawSpan, _ T: Timestamp, ascending: Bool) {
        target.set(entity, T, knownAt: walk.visibility.knownAt)
        if ascending && isPlaced {
            if !cursor.isValid {
                // At the end without having moved: what comes behind the last target is there as well.
                if moves == 0 { return }
            } else if moves == 0 || target.isBehind(cursor) {
                // A step costs a sixth of a seek. Where the last way was too long for steps, the next one is likely to be, too.
                steps = steps < 0 ? 1 : 8
                target.advance(&cursor, within: &steps)
                return
            }
        }
        target.seek(&cursor)
        isPlaced = true
    }
}
