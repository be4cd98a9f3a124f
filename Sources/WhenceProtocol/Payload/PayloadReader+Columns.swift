import NIOCore
import WhenceCore

extension PayloadReader {
    /// Reads `columns` of `schema`: every length checked against the type, every offset, every string; each buffer copied once.
    mutating func columns(_ schema: BatchSchema, maximumRows: Int = WireLimits.rows) throws(WhenceError) -> ColumnBatch {
        try align()
        let rows = Int(try integer(UInt32.self))
        let count = Int(try integer(UInt32.self))
        guard count == schema.count else { throw invalid("rows have \(count) columns, the schema \(schema.count)") }
        guard rows <= WireLimits.rows else { throw invalid("a message of \(rows) rows has more than \(WireLimits.rows)") }
        guard rows <= maximumRows else {
            throw WhenceError(
                .limitExceeded, "\(rows) rows are more than the \(maximumRows) of one request", hint: "send fewer rows at a time")
        }
        var headers = self
        try skip(schema.types.reduce(0) { $0 + ColumnSizes.headerBytes($1) })
        try align()
        var columns: [Column] = []
        columns.reserveCapacity(count)
        for (name, type) in zip(schema.names, schema.types) {
            let nullCount = Int(try headers.integer(UInt32.self))
            let sizes = try headers.sizes(type)
            guard sizes.paddedBytes <= left else { throw invalid("a message ends within column '\(name)'") }
            do throws(WhenceError) {
                columns.append(try column(type, rows: rows, nullCount: nullCount, sizes))
            } catch {
                throw error.at("column '\(name)'")
            }
        }
        return ColumnBatch(names: schema.names, columns: columns, count: rows)
    }

    private mutating func sizes(_ type: FeatureType) throws(WhenceError) -> ColumnSizes {
        var sizes = ColumnSizes()
        let (rows, elements) = ColumnSizes.hasOffsets(type)
        sizes.validity = Int(try integer(UInt32.self))
        if rows { sizes.offsets = Int(try integer(UInt32.self)) }
        if elements { sizes.elementOffsets = Int(try integer(UInt32.self)) }
        sizes.values = Int(try integer(UInt32.self))
        return sizes
    }

    private mutating func column(
        _ type: FeatureType, rows: Int, nullCount: Int, _ sizes: ColumnSizes
    ) throws(WhenceError) -> Column {
        guard nullCount <= rows, sizes.validity == (nullCount == 0 ? 0 : (rows + 7) / 8) else {
            throw invalid("\(nullCount) nulls of \(rows) rows with a validity of \(sizes.validity) bytes")
        }
        let validity = try nullCount == 0 ? nil : bitmap(sizes.validity, bits: rows)
        if let validity {
            let counted = rows - validity.setBits(0..<rows)
            guard counted == nullCount else { throw invalid("\(nullCount) nulls are stated, \(counted) are there") }
        }
        var offsets: ColumnBuffer?
        var elementOffsets: ColumnBuffer?
        let values: ColumnBuffer
        switch type {
        case .scalar(let scalar):
            if scalar.width == nil { offsets = try self.offsets(sizes.offsets, count: rows) }
            values = try self.values(scalar, count: rows, offsets: offsets, sizes.values)
        case .vector(let dimension):
            guard sizes.values == rows * dimension * 4 else { throw lengthOfValues(sizes.values) }
            values = try take(sizes.values)
        case .list(let scalar):
            let rowOffsets = try self.offsets(sizes.offsets, count: rows)
            let elements = rowOffsets.offset(rows)
            if scalar.width == nil { elementOffsets = try self.offsets(sizes.elementOffsets, count: elements) }
            values = try self.values(scalar, count: elements, offsets: elementOffsets, sizes.values)
            offsets = rowOffsets
        }
        return Column(
            type: type, count: rows, nullCount: nullCount, validity: validity, offsets: offsets, values: values,
            elementOffsets: elementOffsets)
    }

    private func lengthOfValues(_ byteCount: Int) -> WhenceError {
        invalid("values of \(byteCount) bytes do not fit the type and the rows")
    }

    /// The values of `count` rows or elements.
    private mutating func values(
        _ scalar: ScalarType, count: Int, offsets: ColumnBuffer?, _ byteCount: Int
    ) throws(WhenceError) -> ColumnBuffer {
        guard byteCount == ColumnSizes.valueBytes(scalar, count) ?? offsets?.offset(count) ?? 0 else { throw lengthOfValues(byteCount) }
        if scalar == .bool { return try bitmap(byteCount, bits: count) }
        if scalar == .string, let offsets {
            guard rest.extracting(0..<byteCount).isText(cutAt: offsets.span) else { throw invalid("a string is not UTF-8") }
        }
        return try take(byteCount)
    }

    private mutating func take(_ byteCount: Int) throws(WhenceError) -> ColumnBuffer {
        let copy = ColumnBuffer(copying: rest.extracting(0..<byteCount))
        try skip(ColumnSizes.padded(byteCount))
        return copy
    }

    private mutating func bitmap(_ byteCount: Int, bits: Int) throws(WhenceError) -> ColumnBuffer {
        let copy = ColumnBuffer(copyingBitmap: rest.extracting(0..<byteCount), count: bits)
        try skip(ColumnSizes.padded(byteCount))
        return copy
    }

    /// `count + 1` offsets that start at 0 and never fall.
    private mutating func offsets(_ byteCount: Int, count: Int) throws(WhenceError) -> ColumnBuffer {
        guard byteCount == 4 * (count + 1) else { throw invalid("offsets of \(byteCount) bytes for \(count) values") }
        let copy = try take(byteCount)
        guard copy.areOffsets else { throw invalid("offsets do not start at 0 or fall") }
        return copy
    }
}

extension ColumnBuffer {
    /// Whether these Int32 start at 0 and never fall.
    fileprivate var areOffsets: Bool {
        let bytes = span
        return unsafe bytes.withUnsafeBytes { raw in
            let offsets = unsafe raw.assumingMemoryBound(to: Int32.self)
            guard unsafe offsets[0] == 0 else { return false }
            var falls = false
            // No way out of the loop, so that it is vectorised.
            for index in 1..<max(1, offsets.count) { unsafe falls = falls || offsets[index] < offsets[index - 1] }
            return !falls
        }
    }
}

extension RawSpan {
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
