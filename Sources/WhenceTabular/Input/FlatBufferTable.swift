import WhenceCore

/// A table of FlatBuffers (https://flatbuffers.dev/internals/) in bytes that nobody vouches for: every offset is checked
/// before it is followed. `FlatBuffer` says how tables lie.
struct FlatBufferTable {
    /// An offset that leads out of the buffer, or something that cannot be where it is.
    static var fault: WhenceError {
        WhenceError(.malformedInput, "the metadata is damaged", hint: "the file was cut short or changed; write it again")
    }

    private let bytes: [UInt8]
    private let start: Int
    private let virtual: Int
    private let slotCount: Int
    private let tableBytes: Int

    /// The root table of a buffer.
    init(root bytes: [UInt8]) throws(WhenceError) {
        let offset = try FlatBufferTable.number(bytes, 0, 4)
        try self.init(bytes, at: Int(offset))
    }

    private init(_ bytes: [UInt8], at start: Int) throws(WhenceError) {
        let back = Int(Int32(truncatingIfNeeded: try FlatBufferTable.number(bytes, start, 4)))
        let virtual = start - back
        let virtualBytes = Int(try FlatBufferTable.number(bytes, virtual, 2))
        let tableBytes = Int(try FlatBufferTable.number(bytes, virtual + 2, 2))
        guard virtualBytes >= 4, virtualBytes <= bytes.count - virtual, tableBytes <= bytes.count - start else {
            throw FlatBufferTable.fault
        }
        self.bytes = bytes
        self.start = start
        self.virtual = virtual
        self.tableBytes = tableBytes
        slotCount = (virtualBytes - 4) / 2
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ width: Int) throws(WhenceError) -> UInt64 {
        guard at >= 0, width <= bytes.count - at else { throw FlatBufferTable.fault }
        var value: UInt64 = 0
        for index in 0..<width { value |= UInt64(bytes[at + index]) << UInt64(8 * index) }
        return value
    }

    /// Where the field of a slot lies, or nil where it is left at its default.
    private func place(_ slot: Int, _ width: Int) throws(WhenceError) -> Int? {
        guard slot < slotCount else { return nil }
        let offset = Int(try FlatBufferTable.number(bytes, virtual + 4 + 2 * slot, 2))
        if offset == 0 { return nil }
        guard offset + width <= tableBytes else { throw FlatBufferTable.fault }
        return start + offset
    }

    /// A number of `width` bytes, sign-extended; `otherwise` where the slot is left at its default.
    func int(_ slot: Int, width: Int, otherwise: Int = 0) throws(WhenceError) -> Int {
        guard let place = try place(slot, width) else { return otherwise }
        let shift = UInt64(64 - 8 * width)
        return Int(Int64(bitPattern: try FlatBufferTable.number(bytes, place, width) << shift) >> Int64(shift))
    }

    func bool(_ slot: Int) throws(WhenceError) -> Bool { try int(slot, width: 1) != 0 }

    private func follow(_ place: Int) throws(WhenceError) -> Int { place + Int(try FlatBufferTable.number(bytes, place, 4)) }

    func table(_ slot: Int) throws(WhenceError) -> FlatBufferTable? {
        guard let place = try place(slot, 4) else { return nil }
        return try FlatBufferTable(bytes, at: try follow(place))
    }

    func string(_ slot: Int) throws(WhenceError) -> String? {
        guard let place = try place(slot, 4) else { return nil }
        let (first, count) = try vector(place, elementBytes: 1)
        guard let text = String(validating: bytes[first..<(first + count)], as: UTF8.self) else { throw FlatBufferTable.fault }
        return text
    }

    /// Where the elements of a vector begin, and how many there are.
    private func vector(_ place: Int, elementBytes: Int) throws(WhenceError) -> (first: Int, count: Int) {
        let at = try follow(place)
        let count = Int(try FlatBufferTable.number(bytes, at, 4))
        guard count <= (bytes.count - at - 4) / elementBytes else { throw FlatBufferTable.fault }
        return (at + 4, count)
    }

    /// The tables of a vector of them; none where the slot is left at its default.
    func tables(_ slot: Int) throws(WhenceError) -> [FlatBufferTable] {
        guard let place = try place(slot, 4) else { return [] }
        let (first, count) = try vector(place, elementBytes: 4)
        var tables: [FlatBufferTable] = []
        for index in 0..<count { tables.append(try FlatBufferTable(bytes, at: try follow(first + 4 * index))) }
        return tables
    }

    /// The numbers of a vector of structs of 64-bit numbers, all one behind the other.
    func longs(_ slot: Int, fieldsEach: Int) throws(WhenceError) -> [Int64] {
        guard let place = try place(slot, 4) else { return [] }
        let (first, count) = try vector(place, elementBytes: 8 * fieldsEach)
        var numbers: [Int64] = []
        for index in 0..<(count * fieldsEach) { numbers.append(Int64(bitPattern: try FlatBufferTable.number(bytes, first + 8 * index, 8))) }
        return numbers
    }
}
