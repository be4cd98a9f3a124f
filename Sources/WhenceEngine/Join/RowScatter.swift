import WhenceCore

/// Deals what was found for rows, which come in the order of the store, out to the blocks of the spine that the rows are in. A block's
/// part is collected in memory and written behind everything else when the parts of all blocks together are large enough; so a block
/// can be put together from a few long reads, and nothing need be sorted. One thread at a time; several share a file.
struct RowScatter {
    private let file: SpillFile
    private let blockStarts: [Int]
    private let limitBytes: Int
    private var parts: [[UInt8]]
    private var byteCount = 0
    private var places: [[Range<Int>]]

    /// However little memory there is, a block's part is about as long as this when it is written.
    private static let leastPartBytes = 4096

    /// - Parameters:
    ///   - blockStarts: the number of the first row of each block.
    ///   - limitBytes: memory for all parts together.
    init(_ file: SpillFile, blockStarts: [Int], limitBytes: Int) {
        self.file = file
        self.blockStarts = blockStarts
        self.limitBytes = max(limitBytes, blockStarts.count * RowScatter.leastPartBytes)
        parts = Array(repeating: [], count: blockStarts.count)
        places = Array(repeating: [], count: blockStarts.count)
    }

    /// Appends what row `row` of `outputs` holds, for the spine's row `number`. A row without any value needs no place.
    @inline(__always) mutating func append(_ number: Int, _ row: Int, of outputs: [ProjectedColumns]) throws(WhenceError) {
        let block = self.block(of: number)
        let start = parts[block].count
        let place = UInt32(number - blockStarts[block])
        unsafe withUnsafeBytes(of: place) { unsafe parts[block].append(contentsOf: $0) }
        var isFound = false
        for output in outputs where output.append(row: row, to: &parts[block]) { isFound = true }
        if isFound {
            byteCount += parts[block].count - start
            if byteCount >= limitBytes { try flush() }
        } else {
            parts[block].removeLast(parts[block].count - start)
        }
    }

    /// The block that the spine's row `number` is in: the last one that begins at or before it.
    private func block(of number: Int) -> Int {
        var low = 0
        var high = blockStarts.count
        while high - low > 1 {
            let middle = (low + high) >> 1
            if blockStarts[middle] <= number { low = middle } else { high = middle }
        }
        return low
    }

    private mutating func flush() throws(WhenceError) {
        for block in parts.indices where !parts[block].isEmpty {
            var part: [UInt8] = []
            swap(&part, &parts[block])
            let start = try unsafe file.append(part.span.bytes)
            places[block].append(start..<(start + part.count))
            // The memory stays.
            part.removeAll(keepingCapacity: true)
            swap(&part, &parts[block])
        }
        byteCount = 0
    }

    /// Writes what is left. For each block the places of its parts.
    mutating func finish() throws(WhenceError) -> [[Range<Int>]] {
        try flush()
        return places
    }

    /// Puts one part of a block of `rows` rows into `outputs`. Parts share no rows, so that several threads may do that at once.
    static func take(_ range: Range<Int>, of file: SpillFile, rows: Int, into outputs: [ProjectedColumns]) throws(WhenceError) {
        let part = try unsafe ColumnBuffer(byteCount: range.count) { target throws(WhenceError) in
            try unsafe file.read(into: target, at: range.lowerBound)
        }
        let bytes = part.span
        let arenas = outputs.map { $0.makeArena() }
        var at = 0
        while at < bytes.byteCount {
            guard bytes.byteCount - at >= 4 else { throw damaged }
            let row = Int(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
            guard row < rows else { throw damaged }
            at += 4
            for (output, arena) in zip(outputs, arenas) {
                at += try output.take(row: row, from: bytes.extracting(at..<bytes.byteCount), arena: arena)
            }
        }
    }

    private static var damaged: WhenceError {
        WhenceError(.inputOutput, "a temporary file is damaged", hint: "look at the disk, and run the join again")
    }
}
