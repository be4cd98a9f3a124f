import WhenceCore

/// The buffers of one record batch, taken column after column in the order of the schema.
struct ArrowBuffers {
    let rows: Int
    private let body: [UInt8]
    /// Length and nulls of each column and child; place and length of each buffer.
    private let nodes: [Int64]
    private let places: [Int64]
    private var nextNode = 0
    private var nextPlace = 0
    /// For each column of views, how many buffers hold its longer values.
    private let viewBuffers: [Int64]
    private var nextView = 0

    /// - Parameter header: a `RecordBatch` table.
    init(_ header: FlatBufferTable, _ body: [UInt8]) throws(WhenceError) {
        self.body = body
        rows = try header.int(0, width: 8)
        nodes = try header.longs(1, fieldsEach: 2)
        places = try header.longs(2, fieldsEach: 2)
        viewBuffers = try header.longs(4, fieldsEach: 1)
        guard try header.table(3) == nil else {
            throw WhenceError(
                .unknownFormat, "the buffers of a record batch are compressed, which is not supported",
                hint: "write it without compression, or pack the whole file with zstd")
        }
        guard rows >= 0, rows <= Limits.batchRows * 64 else {
            throw WhenceError(.limitExceeded, "a record batch announces \(rows) rows", hint: "write smaller record batches")
        }
    }

    private func wrong(_ message: String) -> WhenceError {
        WhenceError(.malformedInput, message, hint: "the file was cut short or changed; write it again")
    }

    private mutating func node() throws(WhenceError) -> (count: Int, nulls: Int) {
        guard nextNode + 1 < nodes.count else { throw wrong("a record batch has fewer columns than the schema") }
        defer { nextNode += 2 }
        let (count, nulls) = (Int(nodes[nextNode]), Int(nodes[nextNode + 1]))
        guard count >= 0, nulls >= 0, nulls <= count, count <= Limits.batchRows * 64 else {
            throw wrong("a column has \(count) rows and \(nulls) nulls")
        }
        return (count, nulls)
    }

    /// The next buffer, which must have at least `bytes` bytes.
    private mutating func buffer(atLeast bytes: Int) throws(WhenceError) -> Range<Int> {
        guard nextPlace + 1 < places.count else { throw wrong("a record batch has fewer buffers than its columns need") }
        defer { nextPlace += 2 }
        let (start, count) = (places[nextPlace], places[nextPlace + 1])
        guard start >= 0, count >= 0, start <= Int64(body.count), count <= Int64(body.count) - start else {
            throw wrong("a buffer reaches beyond its record batch")
        }
        guard count >= Int64(bytes) else { throw wrong("a buffer has \(count) bytes, where \(bytes) are needed") }
        return Int(start)..<Int(start + count)
    }

    private func load(_ at: Int, _ width: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<width { value |= UInt64(body[at + index]) << UInt64(8 * index) }
        return value
    }

    private func signed(_ at: Int, _ bits: Int, _ isSigned: Bool) throws(WhenceError) -> Int64 {
        let raw = load(at, bits / 8)
        guard isSigned else {
            guard let value = Int64(exactly: raw) else { throw wrong("the number \(raw) is out of the range of int64") }
            return value
        }
        let shift = Int64(64 - bits)
        return Int64(bitPattern: raw << UInt64(shift)) >> shift
    }

    /// Passes over a column that is not read, and its children.
    mutating func skip(_ field: ArrowField) throws(WhenceError) {
        _ = try node()
        if field.dictionaryID == nil, case .null = field.layout { return }
        var buffers = 2
        if field.dictionaryID == nil, case .other(let count) = field.layout { buffers = count }
        if field.dictionaryID == nil, case .view = field.layout { buffers += try viewBufferCount() }
        for _ in 0..<buffers { _ = try buffer(atLeast: 0) }
        // A dictionary's children are in its own batch.
        if field.dictionaryID == nil { for child in field.children { try skip(child) } }
    }

    /// How many buffers the next column of views has for its longer values.
    private mutating func viewBufferCount() throws(WhenceError) -> Int {
        guard nextView < viewBuffers.count else { throw wrong("a record batch does not say how many buffers its views have") }
        defer { nextView += 1 }
        // Each buffer has two numbers among the places.
        guard let count = Int(exactly: viewBuffers[nextView]), count >= 0, count <= places.count / 2 else {
            throw wrong("views have \(viewBuffers[nextView]) buffers")
        }
        return count
    }

    /// The next column. Of `dictionaries` the one of the field is taken.
    mutating func column(_ field: ArrowField, dictionaries: [Int: [[UInt8]?]]) throws(WhenceError) -> Column {
        let (count, nulls) = try node()
        guard let type = field.type else { throw wrong("the column \(field.name) cannot be read") }
        let builder = ColumnBuilder(type)
        if field.dictionaryID == nil, case .null = field.layout {
            for _ in 0..<count { builder.appendNull() }
            return try builder.finish()
        }
        let validity = try buffer(atLeast: nulls > 0 ? (count + 7) / 8 : 0)
        let hasNulls = nulls > 0
        let body = self.body
        func isNull(_ row: Int) -> Bool { hasNulls && body[validity.lowerBound + row / 8] & (1 << UInt8(row & 7)) == 0 }
        if let id = field.dictionaryID, case .int(let bits, let isSigned) = field.index {
            let indices = try buffer(atLeast: count * bits / 8)
            let words = dictionaries[id] ?? []
            for row in 0..<count {
                if isNull(row) {
                    builder.appendNull()
                    continue
                }
                let index = try signed(indices.lowerBound + row * bits / 8, bits, isSigned)
                guard index >= 0, index < Int64(words.count) else {
                    throw wrong("the index \(index) is out of range of a dictionary of \(words.count)")
                }
                if let word = words[Int(index)] { unsafe builder.append(raw: word.span.bytes) } else { builder.appendNull() }
            }
            return try builder.finish()
        }
        switch field.layout {
        case .text(let width), .bytes(let width):
            try appendTexts(count, width, field.layout == .text(offsetBytes: width), isNull, to: builder)
        case .view(let isText): try appendViews(count, isText, isNull, to: builder)
        case .bool:
            let values = try buffer(atLeast: (count + 7) / 8)
            for row in 0..<count {
                if isNull(row) {
                    builder.appendNull()
                } else {
                    builder.append(fixed: body[values.lowerBound + row / 8] >> UInt8(row & 7) & 1)
                }
            }
        case .int(let bits, let isSigned):
            let values = try buffer(atLeast: count * bits / 8)
            for row in 0..<count {
                if isNull(row) {
                    builder.appendNull()
                    continue
                }
                let value = try signed(values.lowerBound + row * bits / 8, bits, isSigned)
                if type == .int32 { builder.append(fixed: Int32(truncatingIfNeeded: value)) } else { builder.append(fixed: value) }
            }
        case .float(let bits):
            let values = try buffer(atLeast: count * bits / 8)
            for row in 0..<count {
                if isNull(row) {
                    builder.appendNull()
                } else if bits == 32 {
                    builder.append(fixed: Float(bitPattern: UInt32(load(values.lowerBound + row * 4, 4))))
                } else {
                    builder.append(fixed: Double(bitPattern: load(values.lowerBound + row * 8, 8)))
                }
            }
        case .timestamp(let multiply):
            let values = try buffer(atLeast: count * 8)
            for row in 0..<count {
                if isNull(row) {
                    builder.appendNull()
                    continue
                }
                let (value, overflow) = try signed(values.lowerBound + row * 8, 64, true).multipliedReportingOverflow(by: multiply)
                guard !overflow else { throw wrong("a timestamp is out of range") }
                builder.append(fixed: value)
            }
        case .null, .other: break
        }
        return try builder.finish()
    }

    private mutating func appendTexts(
        _ count: Int, _ width: Int, _ isText: Bool, _ isNull: (Int) -> Bool, to builder: ColumnBuilder
    ) throws(WhenceError) {
        // A column without rows may have no offsets at all.
        let offsets = try buffer(atLeast: count == 0 ? 0 : (count + 1) * width)
        let values = try buffer(atLeast: 0)
        for row in 0..<count {
            if isNull(row) {
                builder.appendNull()
                continue
            }
            let start = load(offsets.lowerBound + row * width, width)
            let end = load(offsets.lowerBound + (row + 1) * width, width)
            guard start <= end, end <= UInt64(values.count) else { throw wrong("the offsets of a text are out of order or range") }
            let range = (values.lowerBound + Int(start))..<(values.lowerBound + Int(end))
            let span = unsafe body.span.bytes
            let text = span.extracting(range)
            guard !isText || UTF8Text.isValid(text) else { throw wrong("a text is not valid UTF-8") }
            builder.append(raw: text)
        }
    }

    /// 16 bytes a row: the length; up to 12 bytes themselves, or four of them, the buffer that has them all and where.
    private mutating func appendViews(_ count: Int, _ isText: Bool, _ isNull: (Int) -> Bool, to builder: ColumnBuilder) throws(WhenceError)
    {
        let views = try buffer(atLeast: count * 16)
        var buffers: [Range<Int>] = []
        for _ in 0..<(try viewBufferCount()) { buffers.append(try buffer(atLeast: 0)) }
        for row in 0..<count {
            if isNull(row) {
                builder.appendNull()
                continue
            }
            let view = views.lowerBound + row * 16
            let length = Int(load(view, 4))
            var range = (view + 4)..<(view + 4 + min(length, 12))
            if length > 12 {
                let (number, offset) = (Int(load(view + 8, 4)), Int(load(view + 12, 4)))
                guard number < buffers.count, offset <= buffers[number].count, length <= buffers[number].count - offset else {
                    throw wrong("the view of a text reaches beyond its buffer")
                }
                range = (buffers[number].lowerBound + offset)..<(buffers[number].lowerBound + offset + length)
            }
            let span = unsafe body.span.bytes
            let text = span.extracting(range)
            guard !isText || UTF8Text.isValid(text) else { throw wrong("a text is not valid UTF-8") }
            builder.append(raw: text)
        }
    }
}
