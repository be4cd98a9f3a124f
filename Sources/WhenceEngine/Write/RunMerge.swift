import WhenceCore

/// Merges sorted runs within a range of keys; versions of one entity and event time become one, those of later runs winning.
struct RunMerge {
    private var readers: [RunFile.Reader] = []
    private let end: [UInt8]?
    private let layout: RowLayout
    private var buffer = VersionBuffer()

    /// The bytes that the entry of the last `next` refers to.
    var bytes: [UInt8] { buffer.bytes }

    init(_ runs: [RunFile], from start: [UInt8]?, to end: [UInt8]?, layout: RowLayout) throws(WhenceError) {
        for run in runs { readers.append(try run.reader(from: start)) }
        self.end = end
        self.layout = layout
    }

    /// The next version, in the order of the store; nil at the end of the range.
    mutating func next() throws(WhenceError) -> VersionBuffer.Entry? {
        var least: RunFile.Reader?
        for reader in readers where !reader.isAtEnd {
            if let found = least, !reader.key.lexicographicallyPrecedes(found.key) { continue }
            least = reader
        }
        guard let least, end.map({ least.key.lexicographicallyPrecedes($0) }) ?? true else { return nil }
        buffer.removeAll()
        let key = Array(least.key)
        for reader in readers where !reader.isAtEnd && reader.key.elementsEqual(key) {
            let start = buffer.bytes.count
            buffer.bytes.append(contentsOf: key)
            let keyEnd = buffer.bytes.count
            buffer.bytes.append(contentsOf: reader.row)
            buffer.close(start: start, keyEnd: keyEnd)
            try reader.next()
        }
        if buffer.count > 1 { try buffer.sortAndMerge(layout) }
        return buffer.entries.first
    }
}
