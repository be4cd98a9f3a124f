import WhenceCore

/// Sorted versions, or reads of versions, on disk: for each the lengths of its key (2 bytes) and row (4 bytes), then both. A run never
/// outlives the process, so its form is nobody's business but this file's and the reader's.
struct Run: Sendable {
    let file: SpillFile
    /// Where it is within the file.
    let range: Range<Int>
    /// Entries.
    let count: Int
    /// For every `stride`-th entry its key and where it begins in the file.
    private(set) var index: [(key: [UInt8], offset: Int)] = []

    /// Entries from one place of the index to the next.
    static var stride: Int { 4096 }
    /// Bytes in front of every key.
    static var lengthsBytes: Int { 6 }
    /// Bytes that are written at once.
    fileprivate static var blockBytes: Int { 1 << 20 }

    fileprivate init(_ file: SpillFile, _ range: Range<Int>, count: Int, _ index: [(key: [UInt8], offset: Int)]) {
        self.file = file
        self.range = range
        self.count = count
        self.index = index
    }

    /// Writes the sorted entries of `buffer` to `file`.
    init(writing buffer: VersionBuffer, to file: SpillFile) throws(WhenceError) {
        let size = buffer.entries.reduce(0) { $0 + Run.lengthsBytes + Int($1.keyLength) + Int($1.rowLength) }
        var writer = RunWriter(file, byteCount: size)
        for entry in buffer.entries {
            try unsafe writer.append(
                buffer.bytes.span.bytes.extracting(entry.start..<entry.row.upperBound), keyLength: Int(entry.keyLength))
        }
        self = try writer.finish()
    }
}

/// Writes one run, of a size that is known, entry after entry.
struct RunWriter {
    private let file: SpillFile
    private let range: Range<Int>
    private var at: Int
    private var block: [UInt8] = []
    private var index: [(key: [UInt8], offset: Int)] = []
    private(set) var count = 0

    init(_ file: SpillFile, byteCount: Int) {
        self.file = file
        let start = file.reserve(byteCount)
        range = start..<(start + byteCount)
        at = start
        block.reserveCapacity(min(byteCount, Run.blockBytes + (64 << 10)))
    }

    /// Appends a key and its row, which stand one behind the other in `entry`.
    @inline(__always) mutating func append(_ entry: RawSpan, keyLength: Int) throws(WhenceError) {
        if count % Run.stride == 0 {
            index.append((unsafe entry.extracting(0..<keyLength).withUnsafeBytes { unsafe Array($0) }, at + block.count))
        }
        count += 1
        let lengths = UInt64(keyLength) | UInt64(entry.byteCount - keyLength) << 16
        unsafe withUnsafeBytes(of: lengths.littleEndian) {
            unsafe block.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[0..<Run.lengthsBytes]))
        }
        unsafe entry.withUnsafeBytes { unsafe block.append(contentsOf: $0) }
        if block.count >= Run.blockBytes { try flush() }
    }

    private mutating func flush() throws(WhenceError) {
        precondition(at + block.count <= range.upperBound, "a run is as long as was said")
        try unsafe file.write(block.span.bytes, at: at)
        at += block.count
        block.removeAll(keepingCapacity: true)
    }

    mutating func finish() throws(WhenceError) -> Run {
        try flush()
        precondition(at == range.upperBound, "a run is as long as was said")
        return Run(file, range, count: count, index)
    }
}
