/// A value that FlatBuffers can hold (https://flatbuffers.dev/internals/), as a tree, and its bytes: just what the
/// metadata of Arrow needs.
///
/// The bytes are laid out from the front: first the offset of the root table, then each table behind a table of its own
/// (the vtable) that says where its fields are, and behind the table what it refers to:
///
///     vtable   u16 bytes of the vtable | u16 bytes of the table's own part | u16 for each slot: where its field lies
///              in the table, or 0 where the slot is left at its default
///     table    i32 how far back the vtable is | the fields: numbers in place, everything else as a u32 that says how
///              far ahead it is
///     vector   u32 how many | the elements
///     string   u32 how many bytes | the bytes | 0
///
/// Numbers are little-endian, and each lies at a multiple of its own size from the start of the buffer. Offsets to what
/// a table refers to are known once that is written, so they are filled in behind. The same tree gives the same bytes.
indirect enum FlatBuffer {
    case uint8(UInt8)
    case bool(Bool)
    case int16(Int16)
    case int32(Int32)
    case int64(Int64)
    case string(String)
    /// The fields by slot; nil leaves a slot at its default.
    case table([FlatBuffer?])
    case tables([FlatBuffer])
    /// Structs of 64-bit numbers: all of them one behind the other, and how many numbers make one.
    case structs([Int64], fieldsEach: Int)

    /// The bytes of a buffer whose root is this table, padded to a multiple of 8.
    func serialized() -> [UInt8] {
        var out: [UInt8] = [0, 0, 0, 0]
        let root = FlatBuffer.append(self, to: &out)
        FlatBuffer.patch(UInt32(root), at: 0, in: &out)
        FlatBuffer.pad(&out, to: 8)
        return out
    }

    /// Bytes in place within a table.
    private var inlineBytes: Int {
        switch self {
        case .uint8, .bool: 1
        case .int16: 2
        case .int32, .string, .table, .tables, .structs: 4
        case .int64: 8
        }
    }

    private static func put(_ number: UInt64, bytes: Int, at offset: Int, in out: inout [UInt8]) {
        for index in 0..<bytes { out[offset + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index)) }
    }

    private static func patch(_ number: UInt32, at offset: Int, in out: inout [UInt8]) {
        put(UInt64(number), bytes: 4, at: offset, in: &out)
    }

    private static func pad(_ out: inout [UInt8], to alignment: Int) {
        while out.count % alignment != 0 { out.append(0) }
    }

    private static func append(_ number: UInt32, to out: inout [UInt8]) {
        out.append(contentsOf: [0, 0, 0, 0])
        patch(number, at: out.count - 4, in: &out)
    }

    /// Appends what is not a number, and returns where it begins.
    private static func append(_ value: FlatBuffer, to out: inout [UInt8]) -> Int {
        switch value {
        case .string(let text):
            pad(&out, to: 4)
            let start = out.count
            append(UInt32(text.utf8.count), to: &out)
            out.append(contentsOf: text.utf8)
            out.append(0)
            return start
        case .tables(let tables):
            pad(&out, to: 4)
            let start = out.count
            append(UInt32(tables.count), to: &out)
            for _ in tables { append(0, to: &out) }
            for (index, table) in tables.enumerated() {
                let place = start + 4 + index * 4
                patch(UInt32(append(table, to: &out) - place), at: place, in: &out)
            }
            return start
        case .structs(let numbers, let fieldsEach):
            // The numbers, not their count, lie at a multiple of 8.
            while out.count % 8 != 4 { out.append(0) }
            let start = out.count
            append(UInt32(numbers.count / fieldsEach), to: &out)
            for number in numbers {
                out.append(contentsOf: repeatElement(0, count: 8))
                put(UInt64(bitPattern: number), bytes: 8, at: out.count - 8, in: &out)
            }
            return start
        case .table(let slots): return appendTable(slots, to: &out)
        case .uint8, .bool, .int16, .int32, .int64: preconditionFailure("numbers stand in a table, not by themselves")
        }
    }

    private static func appendTable(_ slots: [FlatBuffer?], to out: inout [UInt8]) -> Int {
        var places: [Int] = []
        var size = 4
        for slot in slots {
            guard let slot else {
                places.append(0)
                continue
            }
            while size % slot.inlineBytes != 0 { size += 1 }
            places.append(size)
            size += slot.inlineBytes
        }
        let vtableBytes = 4 + 2 * slots.count
        while (out.count + vtableBytes) % 8 != 0 { out.append(0) }
        let vtable = out.count
        let start = vtable + vtableBytes
        out.append(contentsOf: repeatElement(0, count: vtableBytes + size))
        put(UInt64(vtableBytes), bytes: 2, at: vtable, in: &out)
        put(UInt64(size), bytes: 2, at: vtable + 2, in: &out)
        for (index, place) in places.enumerated() { put(UInt64(place), bytes: 2, at: vtable + 4 + 2 * index, in: &out) }
        put(UInt64(start - vtable), bytes: 4, at: start, in: &out)
        for (slot, place) in zip(slots, places) {
            let at = start + place
            switch slot {
            case nil: break
            case .uint8(let number): out[at] = number
            case .bool(let flag): out[at] = flag ? 1 : 0
            case .int16(let number): put(UInt64(UInt16(bitPattern: number)), bytes: 2, at: at, in: &out)
            case .int32(let number): put(UInt64(UInt32(bitPattern: number)), bytes: 4, at: at, in: &out)
            case .int64(let number): put(UInt64(bitPattern: number), bytes: 8, at: at, in: &out)
            case .some(let value): patch(UInt32(append(value, to: &out) - at), at: at, in: &out)
            }
        }
        return start
    }
}
