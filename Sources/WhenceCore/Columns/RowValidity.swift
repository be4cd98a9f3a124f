/// Which rows of a column have a value, as Arrow wants to have it.
struct RowValidity {
    let nullCount: Int
    /// Nil where every row has a value.
    let bitmap: ColumnBuffer?

    /// - Parameter marks: `count` bytes: 1 where there is a value, 0 where there is none.
    init(_ marks: UnsafePointer<UInt8>, count: Int) {
        var valid = 0
        for row in 0..<count { valid &+= unsafe Int(marks[row]) }
        nullCount = count - valid
        bitmap = unsafe nullCount == 0 ? nil : RowValidity.packed(marks, count)
    }

    /// A bit for each of `count` bytes, which are 0, or not: the bit is then set.
    static func packed(_ marks: UnsafePointer<UInt8>, _ count: Int) -> ColumnBuffer {
        let bitmap = ColumnBuffer(zeros: (count + 7) / 8)
        let bytes = unsafe bitmap.mutableBytes
        let marks = unsafe UnsafeRawPointer(marks)
        for index in 0..<(count >> 3) {
            let eight = unsafe marks.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self).littleEndian
            // Each byte's bits come together in its highest one, the highest bits of all bytes in the highest byte.
            let isSet = ((eight & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x7F7F_7F7F_7F7F_7F7F | eight) >> 7 & 0x0101_0101_0101_0101
            unsafe bytes[index] = UInt8(truncatingIfNeeded: (isSet &* 0x0102_0408_1020_4080) >> 56)
        }
        for row in (count & ~7)..<count where unsafe marks.load(fromByteOffset: row, as: UInt8.self) != 0 {
            unsafe bytes[row >> 3] |= 1 << UInt8(row & 7)
        }
        return bitmap
    }
}
