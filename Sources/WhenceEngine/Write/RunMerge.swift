import WhenceCore

/// Merges sorted runs of versions within a range of keys; versions of one entity and event time become one, those of later runs winning.
struct RunMerge: ~Copyable {
    private var merged: MergedRuns
    private let layout: RowLayout
    private var buffer = VersionBuffer()

    /// The bytes that the entry of the last `next` refers to.
    var bytes: [UInt8] { buffer.bytes }

    /// Bytes that are read at once from each run.
    static var windowBytes: Int { 256 << 10 }

    init(_ runs: [Run], from start: [UInt8]?, to end: [UInt8]?, layout: RowLayout) throws(WhenceError) {
        merged = try MergedRuns(runs, from: start, to: end, windowBytes: RunMerge.windowBytes)
        self.layout = layout
    }

    /// The next version, in the order of the store; nil at the end of the range.
    mutating func next() throws(WhenceError) -> VersionBuffer.Entry? {
        guard !merged.isAtEnd else { return nil }
        buffer.removeAll()
        var keyLength = 0
        repeat {
            let current = merged.current
            keyLength = current.currentKeyLength
            let start = buffer.bytes.count
            current.withEntry { entry in unsafe entry.withUnsafeBytes { unsafe buffer.bytes.append(contentsOf: $0) } }
            buffer.close(start: start, keyEnd: start + keyLength)
            try merged.next()
        } while !merged.isAtEnd && isCurrentKey(keyLength)
        if buffer.count > 1 { try buffer.sortAndMerge(layout) }
        return buffer.entries.first
    }

    /// Whether the next entry has the key that the buffer begins with.
    private func isCurrentKey(_ length: Int) -> Bool {
        let bytes = buffer.bytes
        return unsafe merged.current.compareKey(bytes.span.bytes.extracting(0..<length)) == 0
    }
}
