import NIOCore
import WhenceCore

extension PayloadReader {
    /// Reads `columns` of `schema`: every length checked against the type, every offset, every string; each buffer copied once.
    mutating func columns(_ schema: BatchSchema, maximumRows: Int = WireLimits.rows) throws(WhenceError) -> ColumnBatch {
        var placed = PlacedColumns()
        try place(schema, into: &placed, maximumRows: maximumRows)
        var columns: [Column] = []
        columns.reserveCapacity(placed.places.count)
        for place in placed.places { columns.append(copy(place, rows: placed.count)) }
        return ColumnBatch(names: schema.names, columns: columns, count: placed.count)
    }

    /// Checks the same, and copies nothing: the places are counted from the beginning of the payload.
    mutating func place(
        _ schema: BatchSchema, into placed: inout PlacedColumns, maximumRows: Int = WireLimits.rows
    ) throws(WhenceError) {
        try align()
        let rows = Int(try integer(UInt32.self))
        let count = Int(try integer(UInt32.self))
        guard count == schema.count else { throw invalid("rows have \(count) columns, the schema \(schema.count)") }
        guard rows <= WireLimits.rows else { throw invalid("a message of \(rows) rows has more than \(WireLimits.rows)") }
        guard rows <= maximumRows else {
            throw WhenceError(
                .limitExceeded, "\(rows) rows are more than the \(maximumRows) of one request", hint: "send fewer rows at a time")
        }
        var header = offset
        var headerBytes = 0
        for type in schema.types { headerBytes += ColumnSizes.headerBytes(type) }
        try skip(headerBytes)
        try align()
        placed.begin(count: rows, columns: count)
        for index in 0..<count {
            // They lie within the payload, which was seen as they were stepped over.
            let nullCount = whole.number(&header)
            let sizes = ColumnSizes(schema.types[index], whole, &header)
            guard sizes.paddedBytes <= left else { throw invalid("a message ends within column '\(schema.names[index])'") }
            do throws(WhenceError) {
                placed.append(try place(schema.types[index], rows: rows, nullCount: nullCount, sizes))
            } catch {
                throw error.at("column '\(schema.names[index])'")
            }
        }
    }

    /// Finds and checks one column.
    private mutating func place(
        _ type: FeatureType, rows: Int, nullCount: Int, _ sizes: ColumnSizes
    ) throws(WhenceError) -> PlacedColumns.Place {
        if nullCount == 0, sizes.validity == 0, let width = type.width, type != .bool, sizes.values == width * rows {
            // What nearly every column is.
            let values = try buffer(sizes.values)
            let none = values.lowerBound..<values.lowerBound
            return PlacedColumns.Place(
                type: type, nullCount: 0, validity: none, offsets: none, elementOffsets: none, values: values)
        }
        guard nullCount <= rows, sizes.validity == (nullCount == 0 ? 0 : (rows + 7) / 8) else {
            throw invalid("\(nullCount) nulls of \(rows) rows with a validity of \(sizes.validity) bytes")
        }
        let validity = try buffer(sizes.validity)
        if nullCount > 0 {
            let counted = rows - whole.extracting(validity).setBits(0..<rows)
            guard counted == nullCount else { throw invalid("\(nullCount) nulls are stated, \(counted) are there") }
        }
        var offsets = validity.upperBound..<validity.upperBound
        var elementOffsets = offsets
        let values: Range<Int>
        switch type {
        case .scalar(let scalar):
            if scalar.width == nil { offsets = try self.offsets(sizes.offsets, count: rows) }
            values = try self.values(scalar, count: rows, offsets: offsets, sizes.values)
        case .vector(let dimension):
            guard sizes.values == rows * dimension * 4 else { throw lengthOfValues(sizes.values) }
            values = try buffer(sizes.values)
        case .list(let scalar):
            offsets = try self.offsets(sizes.offsets, count: rows)
            let elements = whole.extracting(offsets).offset(rows)
            if scalar.width == nil { elementOffsets = try self.offsets(sizes.elementOffsets, count: elements) }
            values = try self.values(scalar, count: elements, offsets: elementOffsets, sizes.values)
        }
        return PlacedColumns.Place(
            type: type, nullCount: nullCount, validity: validity, offsets: offsets, elementOffsets: elementOffsets, values: values)
    }

    private func lengthOfValues(_ byteCount: Int) -> WhenceError {
        invalid("values of \(byteCount) bytes do not fit the type and the rows")
    }

    /// The values of `count` rows or elements.
    private mutating func values(
        _ scalar: ScalarType, count: Int, offsets: Range<Int>, _ byteCount: Int
    ) throws(WhenceError) -> Range<Int> {
        let expected = ColumnSizes.valueBytes(scalar, count) ?? whole.extracting(offsets).offset(count)
        guard byteCount == expected else { throw lengthOfValues(byteCount) }
        if scalar == .string {
            let table = whole.extracting(offsets)
            guard rest.extracting(0..<byteCount).isText(cutAt: table) else { throw invalid("a string is not UTF-8") }
        }
        return try buffer(byteCount)
    }

    /// Steps over a buffer, which has been found to lie within the payload, and its padding.
    private mutating func buffer(_ byteCount: Int) throws(WhenceError) -> Range<Int> {
        let start = offset
        try skip(ColumnSizes.padded(byteCount))
        return start..<start + byteCount
    }

    /// `count + 1` offsets that start at 0 and never fall.
    private mutating func offsets(_ byteCount: Int, count: Int) throws(WhenceError) -> Range<Int> {
        guard byteCount == 4 * (count + 1) else { throw invalid("offsets of \(byteCount) bytes for \(count) values") }
        let place = try buffer(byteCount)
        guard whole.extracting(place).areOffsets else { throw invalid("offsets do not start at 0 or fall") }
        return place
    }

    private func copy(_ place: PlacedColumns.Place, rows: Int) -> Column {
        let bytes = whole
        func offsets(_ range: Range<Int>) -> ColumnBuffer? { range.isEmpty ? nil : ColumnBuffer(copying: bytes.extracting(range)) }
        let values: ColumnBuffer
        switch place.type {
        case .scalar(.bool): values = ColumnBuffer(copyingBitmap: bytes.extracting(place.values), count: rows)
        case .list(.bool):
            let elements = bytes.extracting(place.offsets).offset(rows)
            values = ColumnBuffer(copyingBitmap: bytes.extracting(place.values), count: elements)
        default: values = ColumnBuffer(copying: bytes.extracting(place.values))
        }
        return Column(
            type: place.type, count: rows, nullCount: place.nullCount,
            validity: place.nullCount == 0 ? nil : ColumnBuffer(copyingBitmap: bytes.extracting(place.validity), count: rows),
            offsets: offsets(place.offsets), values: values, elementOffsets: offsets(place.elementOffsets))
    }
}

extension ColumnSizes {
    /// The lengths of a column of `type` that stand at `at`, which moves behind them.
    fileprivate init(_ type: FeatureType, _ bytes: RawSpan, _ at: inout Int) {
        let (rows, elements) = ColumnSizes.hasOffsets(type)
        let validity = bytes.number(&at)
        let offsets = rows ? bytes.number(&at) : 0
        let elementOffsets = elements ? bytes.number(&at) : 0
        self.init(validity: validity, offsets: offsets, elementOffsets: elementOffsets, values: bytes.number(&at))
    }
}

extension RawSpan {
    /// The UInt32 at `at`, which moves behind it.
    @inline(__always) fileprivate func number(_ at: inout Int) -> Int {
        let number = UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
        at += 4
        return Int(number)
    }

    /// Whether these Int32, of which there is at least one, start at 0 and never fall.
    fileprivate var areOffsets: Bool {
        unsafe withUnsafeBytes { raw in
            guard unsafe raw.loadUnaligned(as: Int32.self) == 0 else { return false }
            var falls = false
            // No way out of the loop, so that it is vectorised.
            for index in 1..<max(1, raw.count / 4) {
                unsafe falls =
                    falls
                    || raw.loadUnaligned(fromByteOffset: index * 4, as: Int32.self)
                        < raw.loadUnaligned(fromByteOffset: index * 4 - 4, as: Int32.self)
            }
            return !falls
        }
    }

    /// Whether the pieces between `offsets` (which start at 0, never fall and end at these bytes' end) are UTF-8, each for itself:
    /// all of it is, and no piece begins within a character.
    fileprivate func isText(cutAt offsets: RawSpan) -> Bool {
        let text = Span<UInt8>(_bytes: self)
        guard let utf8 = try? UTF8Span(validating: text) else { return false }
        if utf8.isKnownASCII { return true }
        for index in 0..<offsets.byteCount / 4 {
            let start = Int(unsafe offsets.unsafeLoadUnaligned(fromByteOffset: index * 4, as: Int32.self))
            if start < byteCount, self[start] & 0xC0 == 0x80 { return false }
        }
        return true
    }
}
