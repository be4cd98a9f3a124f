import WhenceCore

/// Typed values from the fields of text tables (`Formats/text-input.md` says what each type accepts).
///
/// Every function throws `invalidValue`, `invalidTime`, `invalidKey` or `limitExceeded` without a place; the caller adds
/// it: `error.at(reader.place(column: index))`. Types of a fixed width cost no allocation.
public enum TextValue {
    /// Sets field `index` of the row in `encoder`, whose type there must be `type`; an absent field is left unset.
    public static func set(
        _ field: RecordField, as type: FeatureType, index: Int, times: TimeParser, into encoder: inout RowEncoder
    ) throws(WhenceError) {
        switch field.state {
        case .absent: return
        case .null: return encoder.setNull(index)
        default: break
        }
        switch type {
        case .scalar(.bool): encoder.set(index, fixed: try bool(field))
        case .scalar(.int32): encoder.set(index, fixed: try int32(field))
        case .scalar(.int64): encoder.set(index, fixed: try int64(field))
        case .scalar(.float32): encoder.set(index, fixed: try float32(field))
        case .scalar(.float64): encoder.set(index, fixed: try float64(field))
        case .scalar(.timestamp): encoder.set(index, fixed: try times.parse(field).microseconds)
        case .scalar(.string):
            try checkString(field)
            encoder.set(index, raw: field.bytes)
        case .scalar(.bytes), .vector, .list:
            let raw = try raw(field, as: type, times: times)
            unsafe encoder.set(index, raw: raw.span.bytes)
        }
    }

    /// Appends the field to a column of the builder's type; null and absent both give a row without a value.
    public static func append(_ field: RecordField, times: TimeParser, to builder: ColumnBuilder) throws(WhenceError) {
        guard field.hasValue else { return builder.appendNull() }
        switch builder.type {
        case .scalar(.bool): builder.append(fixed: try bool(field))
        case .scalar(.int32): builder.append(fixed: try int32(field))
        case .scalar(.int64): builder.append(fixed: try int64(field))
        case .scalar(.float32): builder.append(fixed: try float32(field))
        case .scalar(.float64): builder.append(fixed: try float64(field))
        case .scalar(.timestamp): builder.append(fixed: try times.parse(field).microseconds)
        case .scalar(.string):
            try checkString(field)
            builder.append(raw: field.bytes)
        case .scalar(.bytes), .vector, .list:
            let raw = try raw(field, as: builder.type, times: times)
            unsafe builder.append(raw: raw.span.bytes)
        }
    }

    // MARK: Fixed widths

    /// 1 for true and 0 for false.
    static func bool(_ field: RecordField) throws(WhenceError) -> UInt8 {
        let text = field.bytes
        if field.state == .bool { return text[0] == 0x74 ? 1 : 0 }
        if field.state == .text || field.state == .quotedText {
            if text.byteCount == 1, text[0] == 0x30 || text[0] == 0x31 { return text[0] - 0x30 }
            if UTF8Text.isEqual(text, ignoringCase: "true") { return 1 }
            if UTF8Text.isEqual(text, ignoringCase: "false") { return 0 }
        }
        throw refuse(field, "bool", hint: "write true or false")
    }

    static func int32(_ field: RecordField) throws(WhenceError) -> Int32 {
        let wide = try int64(field, name: "int32")
        guard let value = Int32(exactly: wide) else {
            throw WhenceError(.invalidValue, "\(wide) is out of the range of int32", hint: "declare the feature as int64")
        }
        return value
    }

    static func int64(_ field: RecordField, name: String = "int64") throws(WhenceError) -> Int64 {
        guard field.state == .text || field.state == .quotedText || field.state == .number else {
            throw refuse(field, name, hint: "write a whole number, without quotes in JSON")
        }
        switch DecimalText.int64(field.bytes) {
        case .value(let value): return value
        case .fraction: throw refuse(field, name, hint: "only whole numbers are; declare the feature as float64")
        case .outOfRange: throw WhenceError(.invalidValue, "\(String(clipping: field.bytes)) is out of the range of \(name)")
        case .notANumber: throw refuse(field, name, hint: "write a whole number; leave the cell empty where there is no value")
        }
    }

    static func float64(_ field: RecordField) throws(WhenceError) -> Double {
        try checkNumber(field, "float64")
        switch DecimalText.float64(field.bytes) {
        case .value(let value): return value
        case .outOfRange: throw WhenceError(.invalidValue, "\(String(clipping: field.bytes)) is out of the range of float64")
        default: throw refuse(field, "float64", hint: "write a number with a decimal point; leave the cell empty where there is no value")
        }
    }

    static func float32(_ field: RecordField) throws(WhenceError) -> Float {
        try checkNumber(field, "float32")
        switch DecimalText.float32(field.bytes) {
        case .value(let value): return value
        case .outOfRange:
            throw WhenceError(
                .invalidValue, "\(String(clipping: field.bytes)) is out of the range of float32", hint: "declare the feature as float64")
        default: throw refuse(field, "float32", hint: "write a number with a decimal point; leave the cell empty where there is no value")
        }
    }

    /// JSON has no NaN and no infinities: there, and only there, strings stand for them.
    private static func checkNumber(_ field: RecordField, _ name: String) throws(WhenceError) {
        switch field.state {
        case .text, .quotedText, .number: return
        case .string:
            let text = field.bytes
            let first = text.byteCount > 0 ? text[0] | 0x20 : 0
            let second = text.byteCount > 1 ? text[1] | 0x20 : 0
            if first == 0x6E || first == 0x69 || ((first == 0x2D || text.byteCount > 0 && text[0] == 0x2B) && second == 0x69) { return }
        default: break
        }
        throw refuse(field, name, hint: "write a number without quotes; \"NaN\", \"Infinity\" and \"-Infinity\" are the only strings")
    }

    // MARK: Other widths

    static func checkString(_ field: RecordField) throws(WhenceError) {
        try checkSize(field.bytes.byteCount)
        switch field.state {
        case .string: return
        case .text, .quotedText:
            guard UTF8Text.isValid(field.bytes) else {
                throw WhenceError(.invalidValue, "'\(String(clipping: field.bytes))' is not valid UTF-8", hint: "convert the file to UTF-8")
            }
        default: throw refuse(field, "string", hint: "put it in double quotes")
        }
    }

    /// The field in the row's own form (`Formats/rows.md`), for the types whose text is not yet that.
    static func raw(_ field: RecordField, as type: FeatureType, times: TimeParser) throws(WhenceError) -> [UInt8] {
        var raw: [UInt8] = []
        switch type {
        case .scalar(let scalar): try append(field, as: scalar, times: times, to: &raw)
        case .vector(let dimension):
            raw.reserveCapacity(dimension * 4)
            let count = try appendElements(field, as: .float32, typeName: type.name, times: times, to: &raw)
            guard count == dimension else {
                throw WhenceError(
                    .invalidValue, "this vector has \(count) element\(count == 1 ? "" : "s"), and the feature has \(dimension)",
                    hint: "write a JSON array of \(dimension) numbers")
            }
        case .list(let scalar): _ = try appendElements(field, as: scalar, typeName: type.name, times: times, to: &raw)
        }
        try checkSize(raw.count)
        return raw
    }

    /// Appends one scalar in the row's own form.
    private static func append(_ field: RecordField, as scalar: ScalarType, times: TimeParser, to raw: inout [UInt8]) throws(WhenceError) {
        func put<T: FixedWidthInteger>(_ number: T) {
            var rest = number
            for _ in 0..<(T.bitWidth / 8) {
                raw.append(UInt8(truncatingIfNeeded: rest))
                if T.bitWidth > 8 { rest >>= 8 }
            }
        }
        switch scalar {
        case .bool: raw.append(try bool(field))
        case .int32: put(try int32(field))
        case .int64: put(try int64(field))
        case .float32: put(try float32(field).bitPattern)
        case .float64: put(try float64(field).bitPattern)
        case .timestamp: put(try times.parse(field).microseconds)
        case .string:
            try checkString(field)
            for index in 0..<field.bytes.byteCount { raw.append(field.bytes[index]) }
        case .bytes: try appendBytes(field, to: &raw)
        }
    }

    static func appendBytes(_ field: RecordField, to raw: inout [UInt8]) throws(WhenceError) {
        let isCSV = field.state == .text || field.state == .quotedText
        guard isCSV || field.state == .string else { throw refuse(field, "bytes", hint: "write base64 in a string") }
        let isDecoded =
            isCSV && BytesText.startsLikeHex(field.bytes)
            ? BytesText.decodeHex(field.bytes, into: &raw) : BytesText.decodeBase64(field.bytes, into: &raw)
        guard isDecoded else {
            throw refuse(
                field, "bytes",
                hint: isCSV
                    ? "write 0x and an even number of hexadecimal digits, or base64 with its padding" : "write base64 with its padding")
        }
    }

    /// Appends the elements of a JSON array, and returns how many there are.
    private static func appendElements(
        _ field: RecordField, as scalar: ScalarType, typeName: String, times: TimeParser, to raw: inout [UInt8]
    ) throws(WhenceError) -> Int {
        let isCSV = field.state == .text || field.state == .quotedText
        guard field.state == .structure || isCSV else { throw refuse(field, typeName, hint: "write a JSON array") }
        guard !isCSV || UTF8Text.isValid(field.bytes) else { throw refuse(field, typeName, hint: "convert the file to UTF-8") }
        var ends: [UInt32] = []
        var count = 0
        var refused: WhenceError?
        var scanner = JSONScanner(field.bytes)
        do throws(JSONFault) {
            guard scanner.take(0x5B) else { throw scanner.fault("expected '['") }
            if !scanner.take(0x5D) {
                repeat {
                    let item = try scanner.value(depth: 0)
                    count += 1
                    do throws(WhenceError) {
                        if refused == nil { try append(item, of: field.bytes, as: scalar, times: times, to: &raw) }
                    } catch {
                        refused = error.at("element \(count)")
                    }
                    if scalar.width == nil { ends.append(UInt32(truncatingIfNeeded: raw.count)) }
                } while scanner.take(0x2C)
                guard scanner.take(0x5D) else { throw scanner.fault("expected ',' or ']'") }
            }
            scanner.skipSpace()
            guard scanner.isAtEnd else { throw scanner.fault("text follows the array") }
        } catch {
            throw WhenceError(
                .invalidValue, "'\(String(clipping: field.bytes))' is not a JSON array: \(error.message) (byte \(error.offset + 1))",
                hint: "write \(typeName) as [1, 2, 3]")
        }
        if let refused { throw refused }
        if scalar.width == nil {
            // Strings and bytes: how many, where each ends, then their bytes.
            var head: [UInt8] = []
            for number in [UInt32(count)] + ends {
                for shift in stride(from: UInt32(0), to: 32, by: 8) { head.append(UInt8(truncatingIfNeeded: number >> shift)) }
            }
            raw = head + raw
        }
        return count
    }

    private static func append(
        _ item: JSONScanner.Item, of text: RawSpan, as scalar: ScalarType, times: TimeParser, to raw: inout [UInt8]
    ) throws(WhenceError) {
        let bytes = text.extracting(item.range)
        switch item.kind {
        case .null:
            throw WhenceError(
                .invalidValue, "a null stands in it", hint: "lists and vectors hold values only; leave it out, or make the whole null")
        case .array, .object: throw WhenceError(.invalidValue, "an array stands in it", hint: "lists hold plain values only")
        case .bool: try append(RecordField(state: .bool, bytes: bytes), as: scalar, times: times, to: &raw)
        case .number: try append(RecordField(state: .number, bytes: bytes), as: scalar, times: times, to: &raw)
        case .string:
            guard item.hasEscapes else { return try append(RecordField(state: .string, bytes: bytes), as: scalar, times: times, to: &raw) }
            var plain: [UInt8] = []
            JSONScanner.unescape(bytes) { plain.append($0) }
            try unsafe append(RecordField(state: .string, bytes: plain.span.bytes), as: scalar, times: times, to: &raw)
        }
    }

    // MARK: Refusals

    static func checkSize(_ byteCount: Int) throws(WhenceError) {
        guard byteCount <= Limits.valueBytes else {
            throw WhenceError(
                .limitExceeded, "this value has \(byteCount) bytes, more than \(Limits.valueBytes)",
                hint: "keep large objects elsewhere and store a reference")
        }
    }

    static func refuse(_ field: RecordField, _ typeName: String, hint: String) -> WhenceError {
        let shown = String(clipping: field.bytes)
        let what =
            switch field.state {
            case .string: "the string \"\(shown)\""
            case .number: "the number \(shown)"
            case .bool: shown
            case .structure: "the array \(shown)"
            default: shown.isEmpty ? "the empty text" : "'\(shown)'"
            }
        return WhenceError(
            .invalidValue, "\(what) is not \(typeName == "int32" || typeName == "int64" ? "an" : "a") \(typeName)", hint: hint)
    }
}
