import Foundation
import Synchronization

/// Makes one column: either row after row with `append`, or by writing rows of a known number in any order with `set`.
///
/// Rows may be set from several threads at once, as long as each row is set by one thread only and variable-length
/// bytes come from an arena of that thread. `finish` is called once, after all of them.
@safe public final class ColumnBuilder: @unchecked Sendable {
    public let type: FeatureType
    /// Rows so far.
    @inlinable public var count: Int { unsafe rowCount }
    // Every method reads or writes these once and calls nothing meanwhile, so a check of each access would find nothing; it would
    // take a tenth of a scan.
    @exclusivity(unchecked) @usableFromInline var rowCount: Int
    /// Bytes that a row takes here: the value itself, or where its bytes are and how many.
    @usableFromInline let stride: Int
    @usableFromInline let isVariable: Bool
    @exclusivity(unchecked) @usableFromInline var capacity: Int
    @exclusivity(unchecked) @usableFromInline var values: UnsafeMutableRawPointer
    /// One byte a row: 1 where there is a value.
    @exclusivity(unchecked) @usableFromInline var valid: UnsafeMutablePointer<UInt8>
    private let ownArena = ByteArena()
    /// Behind a lock, because the threads that fill rows may each bring theirs when they start.
    private let arenas = Mutex<[ByteArena]>([])

    /// Where the bytes of one variable-length value are.
    @safe @usableFromInline struct Slot: BitwiseCopyable {
        @usableFromInline var start: UnsafeRawPointer?
        @usableFromInline var count: Int

        @usableFromInline init(start: UnsafeRawPointer?, count: Int) {
            unsafe self.start = start
            self.count = count
        }
    }

    /// A builder of `count` rows, all without a value until they are set; more can be appended.
    public init(_ type: FeatureType, count: Int = 0) {
        self.type = type
        unsafe rowCount = count
        isVariable = type.width == nil
        stride = type.width ?? MemoryLayout<Slot>.stride
        unsafe capacity = max(16, count)
        unsafe values = ColumnBuffer.allocate(capacity * stride)
        unsafe valid = ColumnBuffer.allocate(capacity).assumingMemoryBound(to: UInt8.self)
    }

    deinit {
        unsafe free(values)
        unsafe free(valid)
    }

    /// Keeps `arena` alive until the column is finished; call it before bytes of `arena` are set.
    public func retain(_ arena: ByteArena) { arenas.withLock { $0.append(arena) } }

    // MARK: Row by row

    @usableFromInline func grow() {
        let larger = unsafe capacity * 2
        let newValues = unsafe ColumnBuffer.allocate(larger * stride)
        unsafe newValues.copyMemory(from: values, byteCount: count * stride)
        let newValid = unsafe ColumnBuffer.allocate(larger)
        unsafe newValid.copyMemory(from: valid, byteCount: count)
        unsafe free(values)
        unsafe free(valid)
        unsafe values = newValues
        unsafe valid = newValid.assumingMemoryBound(to: UInt8.self)
        unsafe capacity = larger
    }

    /// Appends a row without a value.
    @inlinable public func appendNull() {
        if unsafe count == capacity { grow() }
        unsafe rowCount += 1
    }

    /// Appends a value of a fixed width.
    @inlinable public func append<T: BitwiseCopyable>(fixed value: T) {
        precondition(MemoryLayout<T>.size == stride && !isVariable)
        if unsafe count == capacity { grow() }
        unsafe values.storeBytes(of: value, toByteOffset: count * stride, as: T.self)
        unsafe valid[count] = 1
        unsafe rowCount += 1
    }

    /// Appends a value in the row's own form (`Formats/rows.md`).
    public func append(raw bytes: RawSpan) {
        if unsafe count == capacity { grow() }
        unsafe rowCount += 1
        set(count - 1, raw: bytes, arena: ownArena)
    }

    /// Appends a value of the column's type. Throws `invalidValue` for any other.
    public func append(_ value: Value) throws(WhenceError) {
        if value == .null { return appendNull() }
        var raw: [UInt8] = []
        guard try FieldBytes.append(value, as: type, to: &raw) else {
            throw WhenceError(.invalidValue, "a column of \(type.name) cannot hold \(value.excerpt)")
        }
        unsafe append(raw: raw.span.bytes)
    }

    /// Forgets all rows; the memory stays.
    public func removeAll() {
        unsafe memset(values, 0, count * stride)
        unsafe memset(valid, 0, count)
        unsafe rowCount = 0
        ownArena.removeAll()
        arenas.withLock { $0.removeAll() }
    }

    /// Forgets the rows from `count` on.
    public func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count)
        unsafe memset(values + count * stride, 0, (self.count - count) * stride)
        unsafe memset(valid + count, 0, self.count - count)
        unsafe rowCount = count
    }

    // MARK: In any order

    /// Sets row `row` to a value in the row's own form; bytes that differ in length are copied into `arena`.
    @inlinable public func set(_ row: Int, raw bytes: RawSpan, arena: ByteArena) {
        precondition(row >= 0 && row < count)
        if isVariable {
            let slot = unsafe Slot(start: arena.append(bytes), count: bytes.byteCount)
            unsafe values.storeBytes(of: slot, toByteOffset: row * stride, as: Slot.self)
        } else {
            precondition(bytes.byteCount == stride)
            unsafe bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(start: values + row * stride, count: stride).copyMemory(from: source)
            }
        }
        unsafe valid[row] = 1
    }

    /// Sets row `row` to a value of a fixed width.
    @inlinable public func set<T: BitwiseCopyable>(_ row: Int, fixed value: T) {
        precondition(row >= 0 && row < count && MemoryLayout<T>.size == stride && !isVariable)
        unsafe values.storeBytes(of: value, toByteOffset: row * stride, as: T.self)
        unsafe valid[row] = 1
    }

    /// Whether row `row` has a value.
    @inlinable public func isSet(_ row: Int) -> Bool {
        precondition(row >= 0 && row < count)
        return unsafe valid[row] != 0
    }

    /// The bits of row `row` of a column of fixed width.
    @inlinable public func load<T: BitwiseCopyable>(_ row: Int, as _: T.Type) -> T {
        precondition(row >= 0 && row < count && MemoryLayout<T>.size == stride && !isVariable)
        return unsafe values.loadUnaligned(fromByteOffset: row * stride, as: T.self)
    }

    /// Appends the bytes of row `row`, which has a value: in the row's own form, behind their length (4 bytes) where that differs.
    func append(row: Int, to out: inout [UInt8]) {
        precondition(row >= 0 && row < count)
        if isVariable {
            let slot = unsafe values.loadUnaligned(fromByteOffset: row * stride, as: Slot.self)
            unsafe withUnsafeBytes(of: UInt32(slot.count)) { unsafe out.append(contentsOf: $0) }
            unsafe out.append(contentsOf: UnsafeRawBufferPointer(start: slot.start, count: slot.count))
        } else {
            unsafe out.append(contentsOf: UnsafeRawBufferPointer(start: values + row * stride, count: stride))
        }
    }

    /// Takes row `row`'s value away.
    @inlinable public func setNull(_ row: Int) {
        precondition(row >= 0 && row < count)
        unsafe memset(values + row * stride, 0, stride)
        unsafe valid[row] = 0
    }

    // MARK: Finish

    /// The column, and an empty builder. `states`, where given, says for each row: 0 no value, 1 a value, 2 as this builder knows. Throws
    /// `limitExceeded` when the values need more than 2 GiB.
    public func finish(states: ColumnBuffer? = nil) throws(WhenceError) -> Column {
        if let states { take(states) }
        return unsafe try finish(RowValidity(UnsafePointer(valid), count: count))
    }

    /// The same, where it is known already which rows have a value: `states` says 0 or 1 for each, and `validity` is made from them.
    func finish(_ validity: RowValidity, states: ColumnBuffer) throws(WhenceError) -> Column {
        if isVariable { take(states) }
        return try finish(validity)
    }

    private func take(_ states: ColumnBuffer) {
        precondition(states.byteCount >= count)
        for row in 0..<count {
            let state = unsafe states.start.load(fromByteOffset: row, as: UInt8.self)
            if state != 2 { unsafe valid[row] = state }
        }
    }

    private func finish(_ rows: RowValidity) throws(WhenceError) -> Column {
        let nulls = rows.nullCount
        let validity = rows.bitmap
        let column: Column
        switch type {
        case .scalar(.bool):
            column = unsafe Column(
                type: type, count: count, nullCount: nulls, validity: validity, offsets: nil,
                values: RowValidity.packed(UnsafePointer(values.assumingMemoryBound(to: UInt8.self)), count))
        case .scalar(.string), .scalar(.bytes):
            let (offsets, bytes) = unsafe try gather {
                $0.count
            } copy: {
                unsafe $1.copyMemory(from: $0)
            }
            column = Column(type: type, count: count, nullCount: nulls, validity: validity, offsets: offsets, values: bytes)
        case .list(let scalar): column = try finishList(scalar, nulls, validity)
        default:
            let buffer = unsafe ColumnBuffer(adopting: values, byteCount: count * stride)
            column = Column(type: type, count: count, nullCount: nulls, validity: validity, offsets: nil, values: buffer)
            unsafe values = ColumnBuffer.allocate(16 * stride)
            unsafe free(valid)
            unsafe valid = ColumnBuffer.allocate(16).assumingMemoryBound(to: UInt8.self)
            unsafe capacity = 16
            unsafe rowCount = 0
        }
        removeAll()
        return column
    }

    /// The bytes of row `row` of a column of variable width; none where it has no value.
    func bytes(of row: Int) -> UnsafeRawBufferPointer {
        guard unsafe valid[row] != 0 else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
        let slot = unsafe values.loadUnaligned(fromByteOffset: row * stride, as: Slot.self)
        return unsafe UnsafeRawBufferPointer(start: slot.start, count: slot.count)
    }

    /// Offsets from the length of each row's part, and the parts one behind the other.
    private func gather(
        _ length: (UnsafeRawBufferPointer) -> Int, copy: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Void
    ) throws(WhenceError) -> (ColumnBuffer, ColumnBuffer) {
        let offsets = ColumnBuffer(zeros: (count + 1) * 4)
        var total = 0
        for row in 0..<count {
            total += unsafe length(bytes(of: row))
            guard total <= Int(Int32.max) else {
                throw WhenceError(
                    .limitExceeded, "one batch of a column would hold more than 2 GiB of values", hint: "ask for fewer rows a batch")
            }
            unsafe offsets.mutableBytes.storeBytes(of: Int32(total), toByteOffset: (row + 1) * 4, as: Int32.self)
        }
        let values = ColumnBuffer(zeros: total)
        var at = 0
        for row in 0..<count {
            let source = unsafe bytes(of: row)
            let part = unsafe length(source)
            unsafe copy(source, UnsafeMutableRawBufferPointer(rebasing: values.mutableBytes[at..<(at + part)]))
            at += part
        }
        return (offsets, values)
    }

    private func finishList(_ scalar: ScalarType, _ nulls: Int, _ validity: ColumnBuffer?) throws(WhenceError) -> Column {
        let offsets = ColumnBuffer(zeros: (count + 1) * 4)
        let elements = ColumnBuilder(.scalar(scalar))
        for row in 0..<count {
            let raw = unsafe bytes(of: row)
            if let width = scalar.width {
                guard raw.count % width == 0 else { throw RowHeader.corrupt("a list is cut short") }
                for offset in Swift.stride(from: 0, to: raw.count, by: width) {
                    let element = unsafe UnsafeRawBufferPointer(rebasing: raw[offset..<(offset + width)])
                    elements.append(raw: unsafe element.bytes)
                }
            } else if unsafe valid[row] != 0 {
                try FieldBytes.forEachElement(ofList: unsafe raw.bytes) { (element) throws(WhenceError) in elements.append(raw: element) }
            }
            guard elements.count <= Int(Int32.max) else {
                throw WhenceError(
                    .limitExceeded, "one batch of a list column would hold too many elements", hint: "ask for fewer rows a batch")
            }
            unsafe offsets.mutableBytes.storeBytes(of: Int32(elements.count), toByteOffset: (row + 1) * 4, as: Int32.self)
        }
        let child = try elements.finish()
        return Column(
            type: type, count: count, nullCount: nulls, validity: validity, offsets: offsets, values: child.values,
            elementOffsets: child.offsets)
    }
}

/// Memory for bytes that stay where they are until the arena goes; one thread at a time.
@safe public final class ByteArena: @unchecked Sendable {
    private var chunks: [UnsafeMutableRawPointer] = unsafe []
    private var left = 0
    private var next: UnsafeMutableRawPointer?
    /// Bytes of the last of the chunks.
    private var lastBytes = 0
    /// Bytes of memory that the arena holds.
    public private(set) var byteCount = 0

    public init() {}

    deinit { removeAll() }

    /// Frees everything.
    public func removeAll() {
        while let chunk = unsafe chunks.popLast() { unsafe free(chunk) }
        left = 0
        byteCount = 0
        lastBytes = 0
    }

    /// Forgets what was appended, and keeps the last block of memory, which is the longest, for what comes, unless it is long.
    public func reuse() {
        guard byteCount > 0 else { return }
        guard lastBytes <= 64 << 10, let last = unsafe chunks.popLast() else { return removeAll() }
        let kept = lastBytes
        removeAll()
        unsafe chunks.append(last)
        unsafe next = last
        (left, byteCount, lastBytes) = (kept, kept, kept)
    }

    /// Copies `bytes` and returns where the copy is; it stays there until `removeAll` or the end of the arena.
    public func append(_ bytes: RawSpan) -> UnsafeRawPointer? {
        let count = bytes.byteCount
        if count == 0 { return nil }
        if count > left {
            let size = max(count, min(1 << 20, max(4096, byteCount)))
            let chunk = unsafe ColumnBuffer.allocate(size)
            unsafe chunks.append(chunk)
            unsafe next = chunk
            left = size
            byteCount += size
            lastBytes = size
        }
        guard let target = unsafe next else { return nil }
        unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: count) }
        unsafe next = target + count
        left -= count
        return UnsafeRawPointer(target)
    }
}
