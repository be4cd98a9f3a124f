/// Builds the bytes of one row after another under one schema. Reuse it: after the first rows it allocates nothing.
///
/// For each row: `begin`, any of the `set` calls, `finish`. A field that is never set is absent.
@safe public struct RowEncoder: ~Copyable {
    public let layout: RowLayout
    /// Memory for the row that is being built; every access to it is in this file.
    @usableFromInline let memory: Memory
    private var header = RowHeader(kind: .row)
    /// The bytes of variable-length fields, in the order in which they were set.
    private var variable: [UInt8] = []
    /// Whether the fields were set in their order; unless one was set twice, `variable` is then what a row holds.
    private var isVariableInOrder = true
    private var lastVariableIndex = -1
    private var fault: Fault?
    @usableFromInline var presentCount = 0
    @usableFromInline var nullCount = 0

    /// Why the row cannot be finished.
    private enum Fault {
        case tooLong(field: Int, bytes: Int)
        case malformed(field: Int)
    }

    /// What is known of one field.
    @usableFromInline enum State {
        @inlinable static var absent: UInt8 { 0 }
        @inlinable static var null: UInt8 { 1 }
        @inlinable static var value: UInt8 { 2 }
    }

    /// Where one field is kept.
    @usableFromInline struct Place: BitwiseCopyable {
        /// Within the fixed section of a dense row, or -1.
        @usableFromInline var offset: Int32
        /// In the fixed section, or 0.
        @usableFromInline var width: Int32
        /// Among the variable-length fields, or -1.
        @usableFromInline var variableIndex: Int32
    }

    /// The bytes of one variable-length field within `variable`.
    fileprivate struct Part: BitwiseCopyable {
        var start = 0
        var count = 0
    }

    /// One allocation, laid out once: places, parts, a dense row, a row with bitmaps, states. Both rows have room for the
    /// longest header in front, so that a header of any length ends where the row's body begins and one copy takes all.
    @safe @usableFromInline struct Memory {
        @usableFromInline let start: UnsafeMutableRawPointer
        @usableFromInline let places: UnsafeMutablePointer<Place>
        fileprivate let parts: UnsafeMutablePointer<Part>
        /// The fixed section of a dense row, and behind it the table of ends.
        @usableFromInline let dense: UnsafeMutableRawPointer
        /// The body of a row with bitmaps, put together by `finish`.
        fileprivate let loose: UnsafeMutableRawPointer
        /// One byte a field.
        @usableFromInline let states: UnsafeMutablePointer<UInt8>
        @usableFromInline let fieldCount: Int

        fileprivate init(_ layout: RowLayout) {
            let count = layout.schema.fields.count
            let header = 16
            let placeBytes = (count * MemoryLayout<Place>.stride + 15) & ~15
            let partBytes = layout.variableCount * MemoryLayout<Part>.stride
            let bodyBytes = layout.fixedBytes + layout.variableCount * 4
            let denseBytes = (header + bodyBytes + 15) & ~15
            let looseBytes = (header + 2 * layout.bitmapBytes + bodyBytes + 15) & ~15
            let total = placeBytes + partBytes + denseBytes + looseBytes + max(1, count)
            unsafe start = .allocate(byteCount: total, alignment: 16)
            unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: total)
            unsafe places = start.bindMemory(to: Place.self, capacity: count)
            unsafe parts = (start + placeBytes).bindMemory(to: Part.self, capacity: layout.variableCount)
            unsafe dense = start + (placeBytes + partBytes + header)
            unsafe loose = start + (placeBytes + partBytes + denseBytes + header)
            unsafe states = (start + (placeBytes + partBytes + denseBytes + looseBytes)).bindMemory(to: UInt8.self, capacity: count)
            fieldCount = count
            for field in 0..<count {
                unsafe places[field] = Place(
                    offset: Int32(layout.fixedOffsets[field]), width: Int32(layout.widths[field]),
                    variableIndex: Int32(layout.variableIndexes[field]))
            }
        }
    }

    public init(_ layout: RowLayout) {
        self.layout = layout
        memory = Memory(layout)
    }

    deinit { unsafe memory.start.deallocate() }

    /// Starts a row. `availability` is nil where it is to be the commit time.
    public mutating func begin(availability: Timestamp?) {
        if presentCount > 0 { unsafe memory.states.update(repeating: State.absent, count: memory.fieldCount) }
        header = RowHeader(kind: .row, schemaID: layout.schema.id, availability: availability)
        if !variable.isEmpty { variable.removeAll(keepingCapacity: true) }
        isVariableInOrder = true
        lastVariableIndex = -1
        fault = nil
        presentCount = 0
        nullCount = 0
    }

    /// Gives `field` a state; the counts are of the states.
    @inlinable mutating func mark(_ field: Int, _ state: UInt8) {
        let before = unsafe memory.states[field]
        if before == state { return }
        if before == State.absent { presentCount += 1 }
        if before == State.null { nullCount -= 1 }
        if state == State.null { nullCount += 1 }
        unsafe memory.states[field] = state
    }

    /// Sets `field` to null.
    public mutating func setNull(_ field: Int) {
        precondition(field >= 0 && field < memory.fieldCount)
        mark(field, State.null)
    }

    /// Sets a field of a fixed width. The value's width must be the field's.
    @inlinable public mutating func set<T: BitwiseCopyable>(_ field: Int, fixed value: T) {
        precondition(field >= 0 && field < memory.fieldCount)
        let place = unsafe memory.places[field]
        precondition(Int(place.width) == MemoryLayout<T>.size && place.width > 0)
        unsafe memory.dense.storeBytes(of: value, toByteOffset: Int(place.offset), as: T.self)
        mark(field, State.value)
    }

    /// Sets a field to bytes in the row's own form: little-endian elements; UTF-8; a list as `Formats/rows.md` says.
    /// Bytes that are too long, or not of that form, are refused by `finish`.
    public mutating func set(_ field: Int, raw bytes: RawSpan) {
        precondition(field >= 0 && field < memory.fieldCount)
        let place = unsafe memory.places[field]
        if place.width > 0 {
            precondition(bytes.byteCount == Int(place.width))
            let target = unsafe UnsafeMutableRawBufferPointer(start: memory.dense + Int(place.offset), count: bytes.byteCount)
            unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        } else {
            setVariable(field, Int(place.variableIndex), bytes)
        }
        mark(field, State.value)
    }

    private mutating func setVariable(_ field: Int, _ index: Int, _ bytes: RawSpan) {
        guard bytes.byteCount <= Limits.valueBytes else {
            fault = .tooLong(field: field, bytes: bytes.byteCount)
            return
        }
        let type = layout.schema.fields[field].type
        if type != .bytes, !FieldBytes.areWellFormed(bytes, as: type) { fault = .malformed(field: field) }
        unsafe memory.parts[index] = Part(start: variable.count, count: bytes.byteCount)
        if index <= lastVariableIndex { isVariableInOrder = false }
        lastVariableIndex = index
        unsafe bytes.withUnsafeBytes { unsafe variable.append(contentsOf: $0) }
    }

    /// Sets a field to a value of its own type. Throws `invalidValue` for another type, `limitExceeded` for one too long.
    public mutating func set(_ field: Int, _ value: Value) throws(WhenceError) {
        let (type, name) = (layout.schema.fields[field].type, layout.schema.fields[field].name)
        if value == .null { return setNull(field) }
        var raw: [UInt8] = []
        let isOfType: Bool
        do throws(WhenceError) {
            isOfType = try FieldBytes.append(value, as: type, to: &raw)
        } catch { throw error.at("feature '\(name)'") }
        guard isOfType else {
            throw WhenceError(.invalidValue, "feature '\(name)' is \(type.name), and this value is not: \(value.excerpt)")
        }
        guard raw.count <= Limits.valueBytes else { throw tooLong(field, raw.count) }
        unsafe set(field, raw: raw.span.bytes)
    }

    private borrowing func tooLong(_ field: Int, _ bytes: Int) -> WhenceError {
        WhenceError(
            .limitExceeded,
            "the value of '\(layout.schema.fields[field].name)' has \(bytes) bytes, more than the limit of \(Limits.valueBytes)",
            hint: "keep large objects elsewhere and store a reference")
    }

    /// Lays the carried fields of an encoded row of the same schema over what is set so far.
    public mutating func overlay(_ row: RawSpan) throws(WhenceError) {
        let body = try RowBody(row, layout)
        for field in 0..<memory.fieldCount {
            switch body.place(of: field) {
            case .absent: break
            case .null: setNull(field)
            case .bytes(let range): set(field, raw: row.extracting(range))
            }
        }
    }

    /// Says that a deletion, or a retraction, of the same entity and event time stands beneath this row in its batch.
    public mutating func markOver(deletion: Bool, retraction: Bool) {
        header.isOverDeletion = deletion
        header.isOverRetraction = retraction
    }

    /// Appends the row to `out`, which is as it was when this throws: `limitExceeded` when a value or the row is too long,
    /// `invalidValue` when a value's bytes are not of its type's form.
    public mutating func finish(into out: inout [UInt8]) throws(WhenceError) {
        if let fault {
            switch fault {
            case .tooLong(let field, let bytes): throw tooLong(field, bytes)
            case .malformed(let field):
                let field = layout.schema.fields[field]
                throw WhenceError(
                    .invalidValue, "the bytes given for '\(field.name)' are no \(field.type.name)",
                    hint: field.type == .string ? "text must be UTF-8" : "")
            }
        }
        header.isSparse = presentCount < memory.fieldCount
        header.hasNulls = nullCount > 0
        let isLoose = header.isSparse || header.hasNulls
        let body = unsafe isLoose ? memory.loose : memory.dense
        var length = isLoose ? putBitmapsAndFixed() : layout.fixedBytes
        var variableBytes = 0
        if layout.variableCount > 0 {
            (length, variableBytes) = unsafe putEnds(at: body, length)
        }
        let headerBytes = header.byteCount
        let total = headerBytes + length + variableBytes
        guard total <= Limits.rowBytes else {
            throw WhenceError(
                .limitExceeded, "a row of \(total) bytes is longer than the limit of \(Limits.rowBytes)",
                hint: "keep large objects elsewhere and store a reference")
        }
        unsafe header.write(to: body - headerBytes)
        let front = unsafe UnsafeRawBufferPointer(start: body - headerBytes, count: headerBytes + length)
        out.append(addingCapacity: total) { span in
            unsafe span.withUnsafeMutableBufferPointer { buffer, count in
                let row = UnsafeMutableRawBufferPointer(buffer)
                unsafe row.copyMemory(from: front)
                if variableBytes > 0 {
                    unsafe putVariable(UnsafeMutableRawBufferPointer(rebasing: row[front.count...]), variableBytes)
                }
                count = total
            }
        }
    }

    /// Writes the bitmaps, and the fixed section of the fields that are present, to the loose row. Returns their length.
    private borrowing func putBitmapsAndFixed() -> Int {
        let states = unsafe memory.states
        var at = 0
        if header.isSparse { putBitmap(&at) { $0 != State.absent } }
        if header.hasNulls { putBitmap(&at) { $0 == State.null } }
        for field in 0..<memory.fieldCount where unsafe states[field] != State.absent {
            let place = unsafe memory.places[field]
            guard place.width > 0 else { continue }
            let width = Int(place.width)
            if unsafe states[field] == State.value {
                unsafe (memory.loose + at).copyMemory(from: memory.dense + Int(place.offset), byteCount: width)
            } else {
                unsafe (memory.loose + at).initializeMemory(as: UInt8.self, repeating: 0, count: width)
            }
            at += width
        }
        return at
    }

    @inline(__always) private borrowing func putBitmap(_ at: inout Int, _ isSet: (UInt8) -> Bool) {
        let bitmap = unsafe memory.loose + at
        unsafe bitmap.initializeMemory(as: UInt8.self, repeating: 0, count: layout.bitmapBytes)
        for field in 0..<memory.fieldCount where isSet(unsafe memory.states[field]) {
            let byte = unsafe bitmap.load(fromByteOffset: field >> 3, as: UInt8.self)
            unsafe bitmap.storeBytes(of: byte | 1 << UInt8(field & 7), toByteOffset: field >> 3, as: UInt8.self)
        }
        at += layout.bitmapBytes
    }

    /// Writes the table of ends behind `length` bytes of `body`. Returns the length with it, and the bytes that follow it.
    private borrowing func putEnds(at body: UnsafeMutableRawPointer, _ length: Int) -> (Int, Int) {
        var at = length
        // An end beyond 32 bits is cut here; such a row is refused for its length before anyone sees it.
        var end = 0
        for field in 0..<memory.fieldCount {
            let (index, state) = unsafe (Int(memory.places[field].variableIndex), memory.states[field])
            guard index >= 0, state != State.absent else { continue }
            if state == State.value { end += unsafe memory.parts[index].count }
            unsafe body.storeBytes(of: UInt32(truncatingIfNeeded: end).littleEndian, toByteOffset: at, as: UInt32.self)
            at += 4
        }
        return (at, end)
    }

    /// Copies the variable-length fields, `byteCount` bytes in all, one behind the other to `target`.
    private borrowing func putVariable(_ target: UnsafeMutableRawBufferPointer, _ byteCount: Int) {
        unsafe variable.withUnsafeBytes { source in
            if isVariableInOrder && source.count == byteCount { return unsafe target.copyMemory(from: source) }
            var at = 0
            for field in 0..<memory.fieldCount where unsafe memory.states[field] == State.value {
                let index = unsafe Int(memory.places[field].variableIndex)
                guard index >= 0 else { continue }
                let part = unsafe memory.parts[index]
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[at...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[part.start..<(part.start + part.count)]))
                at += part.count
            }
        }
    }

    /// Appends a deletion or a retraction.
    public static func append(_ kind: VersionKind, availability: Timestamp?, to out: inout [UInt8]) {
        precondition(kind != .row)
        RowHeader(kind: kind, availability: availability).append(to: &out)
    }
}
