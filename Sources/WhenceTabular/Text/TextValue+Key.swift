import WhenceCore

extension TextValue {
    /// Appends a join key to an encoded entity key (`Formats/keys.md`).
    ///
    /// Refused: null, absent, the empty text, NaN (for a string key an unquoted `NaN` in CSV, which is what a missing
    /// number leaves behind; in quotes it is a text like any other), a number with a fraction or out of range, and in
    /// JSON a value of another type. Throws `invalidKey`, or `limitExceeded` when the whole key has grown too long.
    public static func appendKey(_ field: RecordField, as type: KeyType, to out: inout [UInt8]) throws(WhenceError) {
        guard field.hasValue, field.bytes.byteCount > 0 else {
            throw WhenceError(.invalidKey, "a join key is missing", hint: "every row names its entity; leave out the rows that cannot")
        }
        let text = field.bytes
        let isUnquoted = field.state == .text
        if type != .bytes, isUnquoted || type != .string, UTF8Text.isEqual(text, ignoringCase: "nan") {
            throw WhenceError(
                .invalidKey, "NaN is no join key",
                hint: type == .string
                    ? "put it in quotes if it is meant as a text; otherwise leave the row out" : "leave the row out, or repair it")
        }
        do throws(WhenceError) {
            switch type {
            case .int64: EntityKey.append(try int64(field), to: &out)
            case .bool: EntityKey.append(.bool(try bool(field) == 1), to: &out)
            case .string:
                try checkString(field)
                EntityKey.append(string: text, to: &out)
            case .bytes:
                var raw: [UInt8] = []
                try appendBytes(field, to: &raw)
                unsafe EntityKey.append(bytes: raw.span.bytes, to: &out)
            }
        } catch {
            throw WhenceError(error.code == .invalidValue ? .invalidKey : error.code, "the join key: \(error.message)", hint: keyHint(type))
        }
        try EntityKey.check(byteCount: out.count)
    }

    private static func keyHint(_ type: KeyType) -> String {
        switch type {
        case .int64: "this key is an int64: a whole number, without quotes in JSON"
        case .string: "this key is a string: in JSON it stands in double quotes"
        case .bytes: "this key is bytes: base64, or in CSV 0x and hexadecimal digits"
        case .bool: "this key is a bool: true or false"
        }
    }

    /// The join key that a text on a command line stands for, by the rules of a CSV cell.
    public static func key(_ text: String, as type: KeyType) throws(WhenceError) -> KeyValue {
        let utf8 = Array(text.utf8)
        var encoded: [UInt8] = []
        try unsafe appendKey(RecordField(state: .quotedText, bytes: utf8.span.bytes), as: type, to: &encoded)
        guard let value = try EntityKey(encoded: encoded).values().first else { throw WhenceError(.invalidKey, "a join key is missing") }
        return value
    }

    /// The field as a value, for the edges: nil where it is absent. Costs an allocation for the longer types.
    public static func value(_ field: RecordField, as type: FeatureType, times: TimeParser) throws(WhenceError) -> Value? {
        if field.state == .absent { return nil }
        let builder = ColumnBuilder(type)
        try append(field, times: times, to: builder)
        return try builder.finish().value(0)
    }
}
