import WhenceCore

/// The value of a column as text, appended to a buffer.
enum ValueText {
    /// Whether text is going into CSV or into JSON.
    enum Form { case csv, json }

    /// Appends the value in row `row` of `column`, which must be valid there. In JSON it is a whole JSON value; in CSV
    /// it is a cell before quoting.
    static func append(_ column: Column, _ row: Int, _ form: Form, to out: inout [UInt8]) {
        switch column.type {
        case .scalar(let scalar): append(column, row, scalar, offsets: column.offsets, form, to: &out)
        case .vector(let dimension):
            appendArray((row * dimension)..<((row + 1) * dimension), to: &out) { (element, out) in
                append(column, element, .float32, offsets: nil, .json, to: &out)
            }
        case .list(let scalar):
            appendArray(column.byteRange(row), to: &out) { (element, out) in
                append(column, element, scalar, offsets: column.elementOffsets, .json, to: &out)
            }
        }
    }

    private static func appendArray(_ elements: Range<Int>, to out: inout [UInt8], _ put: (Int, inout [UInt8]) -> Void) {
        out.append(0x5B)
        for element in elements {
            if element > elements.lowerBound { out.append(0x2C) }
            put(element, &out)
        }
        out.append(0x5D)
    }

    private static func append(
        _ column: Column, _ index: Int, _ scalar: ScalarType, offsets: ColumnBuffer?, _ form: Form, to out: inout [UInt8]
    ) {
        switch scalar {
        case .bool: out.append(contentsOf: (column.values.span[index >> 3] & (1 << UInt8(index & 7)) != 0 ? "true" : "false").utf8)
        case .int32: append(Int64(column.load(index, as: Int32.self)), to: &out)
        case .int64: append(column.load(index, as: Int64.self), to: &out)
        case .float32:
            let number = column.load(index, as: Float.self)
            if number.isFinite { out.append(contentsOf: number.description.utf8) } else { appendSpecial(Double(number), form, to: &out) }
        case .float64:
            let number = column.load(index, as: Double.self)
            if number.isFinite { out.append(contentsOf: number.description.utf8) } else { appendSpecial(number, form, to: &out) }
        case .timestamp:
            if form == .json { out.append(0x22) }
            Timestamp(microseconds: column.load(index, as: Int64.self)).appendText(to: &out)
            if form == .json { out.append(0x22) }
        case .string:
            let bytes = column.values.span.extracting(range(index, offsets))
            if form == .json { appendQuoted(bytes, to: &out) } else { unsafe bytes.withUnsafeBytes { unsafe out.append(contentsOf: $0) } }
        case .bytes:
            let bytes = column.values.span.extracting(range(index, offsets))
            if form == .json {
                out.append(0x22)
                BytesText.appendBase64(bytes, to: &out)
                out.append(0x22)
            } else {
                BytesText.appendHex(bytes, to: &out)
            }
        }
    }

    private static func range(_ index: Int, _ offsets: ColumnBuffer?) -> Range<Int> {
        guard let offsets else { return 0..<0 }
        let start = unsafe offsets.span.unsafeLoadUnaligned(fromByteOffset: index * 4, as: Int32.self)
        let end = unsafe offsets.span.unsafeLoadUnaligned(fromByteOffset: index * 4 + 4, as: Int32.self)
        return Int(start)..<Int(end)
    }

    private static func appendSpecial(_ number: Double, _ form: Form, to out: inout [UInt8]) {
        let text =
            switch form {
            case .csv: number.isNaN ? "nan" : number < 0 ? "-inf" : "inf"
            case .json: number.isNaN ? "\"NaN\"" : number < 0 ? "\"-Infinity\"" : "\"Infinity\""
            }
        out.append(contentsOf: text.utf8)
    }

    static func append(_ number: Int64, to out: inout [UInt8]) {
        if number < 0 { out.append(0x2D) }
        var rest = number.magnitude
        let start = out.count
        repeat {
            out.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        out[start...].reverse()
    }

    /// Appends a JSON string.
    static func appendQuoted(_ bytes: RawSpan, to out: inout [UInt8]) {
        out.append(0x22)
        for index in 0..<bytes.byteCount {
            let byte = bytes[index]
            switch byte {
            case 0x22, 0x5C:
                out.append(0x5C)
                out.append(byte)
            case 0x0A: out.append(contentsOf: [0x5C, 0x6E])
            case 0x0D: out.append(contentsOf: [0x5C, 0x72])
            case 0x09: out.append(contentsOf: [0x5C, 0x74])
            case 0..<0x20:
                out.append(contentsOf: [0x5C, 0x75, 0x30, 0x30, 0x30 + (byte >> 4)])
                out.append(byte & 15 < 10 ? 0x30 + byte & 15 : 0x57 + byte & 15)
            default: out.append(byte)
            }
        }
        out.append(0x22)
    }
}
