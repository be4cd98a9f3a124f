/// Builds the bytes of one row after another under one schema. Reuse it: after the first rows it allocates nothing.
///
/// For each row: `begin`, any of the `set` calls, `finish`. A field that is never set is absent.
public struct RowEncoder: ~Copyable {
    public let layout: RowLayout
    private var header = RowHeader(kind: .row)
    /// 0 absent, 1 null, 2 a value.
    private var states: [UInt8]
    private var fixed: [UInt8]
    /// For each variable-length field its bytes within `variable`.
    private var ranges: [Range<Int>]
    private var variable: [UInt8] = []
    private var presentCount = 0
    private var nullCount = 0

    public init(_ layout: RowLayout) {
        self.layout = layout
        states = Array(repeating: 0, count: layout.schema.fields.count)
        fixed = Array(repeating: 0, count: layout.fixedBytes)
        ranges = Array(repeating: 0..<0, count: layout.variableCount)
    }

    /// Starts a row. `availability` is nil where it is to be the commit time.
    public mutating func begin(availability: Timestamp?) {
        if presentCount > 0 {
            for index in states.indices { states[index] = 0 }
        }
        header = RowHeader(kind: .row, schemaID: layout.schema.id, availability: availability)
        variable.removeAll(keepingCapacity: true)
        presentCount = 0
        nullCount = 0
    }

    private mutating func mark(_ field: Int, _ state: UInt8) {
        if states[field] == 0 { presentCount += 1 }
        if states[field] == 1 { nullCount -= 1 }
        if state == 1 { nullCount += 1 }
        states[field] = state
    }

    /// Sets `field` to null.
    public mutating func setNull(_ field: Int) { mark(field, 1) }

    /// Sets a field of a fixed width. The value's width must be the field's.
    public mutating func set<T: BitwiseCopyable>(_ field: Int, fixed value: T) {
        precondition(layout.widths[field] == MemoryLayout<T>.size)
        let offset = layout.fixedOffsets[field]
        unsafe fixed.withUnsafeMutableBytes { unsafe $0.storeBytes(of: value, toByteOffset: offset, as: T.self) }
        mark(field, 2)
    }

    /// Sets a field to bytes in the row's own form: little-endian elements; UTF-8; a list as `Formats/rows.md` says.
    public mutating func set(_ field: Int, raw bytes: RawSpan) {
        let width = layout.widths[field]
        if width > 0 {
            precondition(bytes.byteCount == width)
            let offset = layout.fixedOffsets[field]
            unsafe fixed.withUnsafeMutableBytes { target in
                unsafe bytes.withUnsafeBytes { source in
                    unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset..<(offset + width)]).copyMemory(from: source)
                }
            }
        } else {
            let start = variable.count
            unsafe bytes.withUnsafeBytes { unsafe variable.append(contentsOf: $0) }
            ranges[layout.variableIndexes[field]] = start..<variable.count
        }
        mark(field, 2)
    }

    /// Sets a field to a value of its own type. Throws `invalidValue` for another type, `limitExceeded` for one too long.
    public mutating func set(_ field: Int, _ value: Value) throws(WhenceError) {
        let type = layout.schema.fields[field].type
        if value == .null { return setNull(field) }
        var raw: [UInt8] = []
        guard try FieldBytes.append(value, as: type, to: &raw) else {
            throw WhenceError(
                .invalidValue, "feature '\(layout.schema.fields[field].name)' is \(type.name), and this value is not: \(value)")
        }
        guard raw.count <= Limits.valueBytes else {
            throw WhenceError(
                .limitExceeded, "the value of '\(layout.schema.fields[field].name)' has \(raw.count) bytes, more than \(Limits.valueBytes)",
                hint: "keep large objects elsewhere and store a reference")
        }
        unsafe set(field, raw: raw.span.bytes)
    }

    /// Lays the carried fields of an encoded row of the same schema over what is set so far.
    public mutating func overlay(_ row: RawSpan) throws(WhenceError) {
        let body = try RowBody(row, layout)
        for field in layout.schema.fields.indices {
            switch body.place(of: field) {
            case .absent: break
            case .null: setNull(field)
            case .bytes(let range):
                set(field, raw: row.extracting(range))
            }
        }
    }

    /// Says that a deletion, or a retraction, of the same entity and event time stands beneath this row in its batch.
    public mutating func markOver(deletion: Bool, retraction: Bool) {
        header.isOverDeletion = deletion
        header.isOverRetraction = retraction
    }

    /// Appends the row to `out`. Throws `limitExceeded` when it is too long.
    public mutating func finish(into out: inout [UInt8]) throws(WhenceError) {
        let start = out.count
        header.isSparse = presentCount < states.count
        header.hasNulls = nullCount > 0
        header.append(to: &out)
        if header.isSparse { appendBitmap(to: &out) { $0 != 0 } }
        if header.hasNulls { appendBitmap(to: &out) { $0 == 1 } }
        if header.isSparse || header.hasNulls {
            for field in states.indices where states[field] != 0 && layout.widths[field] > 0 {
                let offset = layout.fixedOffsets[field]
                if states[field] == 2 {
                    out.append(contentsOf: fixed[offset..<(offset + layout.widths[field])])
                } else {
                    for _ in 0..<layout.widths[field] { out.append(0) }
                }
            }
        } else {
            out.append(contentsOf: fixed)
        }
        if layout.variableCount > 0 {
            var end: UInt32 = 0
            for field in states.indices where states[field] != 0 && layout.variableIndexes[field] >= 0 {
                if states[field] == 2 { end += UInt32(ranges[layout.variableIndexes[field]].count) }
                for shift in stride(from: UInt32(0), to: 32, by: 8) { out.append(UInt8(truncatingIfNeeded: end >> shift)) }
            }
            for field in states.indices where states[field] == 2 && layout.variableIndexes[field] >= 0 {
                out.append(contentsOf: variable[ranges[layout.variableIndexes[field]]])
            }
        }
        guard out.count - start <= Limits.rowBytes else {
            let length = out.count - start
            out.removeLast(length)
            throw WhenceError(
                .limitExceeded, "a row of \(length) bytes is longer than the limit of \(Limits.rowBytes)",
                hint: "keep large objects elsewhere and store a reference")
        }
    }

    private func appendBitmap(to out: inout [UInt8], _ isSet: (UInt8) -> Bool) {
        var byte: UInt8 = 0
        for index in states.indices {
            if isSet(states[index]) { byte |= 1 << UInt8(index & 7) }
            if index & 7 == 7 {
                out.append(byte)
                byte = 0
            }
        }
        if states.count & 7 != 0 { out.append(byte) }
    }

    /// Appends a deletion or a retraction.
    public static func append(_ kind: VersionKind, availability: Timestamp?, to out: inout [UInt8]) {
        precondition(kind != .row)
        RowHeader(kind: kind, availability: availability).append(to: &out)
    }
}
