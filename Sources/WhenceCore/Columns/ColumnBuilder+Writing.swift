import Foundation

/// The way of a column's rows to where they are sent from, without a `Column` in between: measured first, then written. The bytes are those
/// that `finish` and a copy would give; the rows stay.
///
/// Invariant of the unsafe parts: `write` is given room for `sizes.paddedBytes` bytes, where `sizes` are what `measure` said for the same
/// rows, and no row has changed in between.
extension ColumnBuilder {
    /// How many of the first `rows` rows have no value, and how long their buffers are.
    ///
    /// - Parameter allValid: every one of them has a value, whatever this builder's own marks say.
    /// Throws `limitExceeded` where values need more than 2 GiB, `corruption` where a list is none.
    func measure(_ rows: Int, allValid: Bool) throws(WhenceError) -> (nullCount: Int, sizes: ColumnSizes) {
        precondition(rows <= count)
        var nulls = 0
        if !allValid {
            nulls = rows
            for row in 0..<rows { nulls -= Int(unsafe valid[row]) }
        }
        var sizes = ColumnSizes(validity: nulls > 0 ? (rows + 7) / 8 : 0)
        switch type {
        case .scalar(.bool): sizes.values = (rows + 7) / 8
        case .scalar(.string), .scalar(.bytes):
            sizes.offsets = 4 * (rows + 1)
            for row in 0..<rows { sizes.values += unsafe bytes(of: row).count }
        case .list(let scalar):
            sizes.offsets = 4 * (rows + 1)
            if let width = scalar.width {
                var total = 0
                for row in 0..<rows {
                    let byteCount = unsafe bytes(of: row).count
                    guard byteCount % width == 0 else { throw RowHeader.corrupt("a list is cut short") }
                    total += byteCount
                }
                sizes.values = scalar == .bool ? (total + 7) / 8 : total
            } else {
                var elements = 0
                var total = 0
                for row in 0..<rows where unsafe valid[row] != 0 {
                    try FieldBytes.forEachElement(ofList: unsafe bytes(of: row).bytes) { (element) throws(WhenceError) in
                        elements += 1
                        total += element.byteCount
                    }
                }
                sizes.elementOffsets = 4 * (elements + 1)
                sizes.values = total
            }
        default: sizes.values = stride * rows
        }
        guard sizes.values <= Int(Int32.max), sizes.elementOffsets <= Int(Int32.max) else {
            throw WhenceError(
                .limitExceeded, "one batch of a column would hold more than 2 GiB of values", hint: "ask for fewer rows a batch")
        }
        return (nulls, sizes)
    }

    /// Writes the buffers of the first `rows` rows, each padded with zeros to a multiple of 8: validity, offsets, element offsets, values.
    /// Returns where the next column's begin.
    func write(_ rows: Int, _ sizes: ColumnSizes, to start: UnsafeMutableRawPointer) throws(WhenceError) -> UnsafeMutableRawPointer {
        var target = unsafe start
        if sizes.validity > 0 {
            let bits = unsafe ColumnBuilder.bitmap(&target, sizes.validity)
            for row in 0..<rows where unsafe valid[row] != 0 { unsafe ColumnBuilder.setBit(row, of: bits) }
        }
        switch type {
        case .scalar(.bool):
            let bits = unsafe ColumnBuilder.bitmap(&target, sizes.values)
            for row in 0..<rows where unsafe (sizes.validity == 0 || valid[row] != 0) {
                if unsafe values.load(fromByteOffset: row, as: UInt8.self) != 0 { unsafe ColumnBuilder.setBit(row, of: bits) }
            }
        case .scalar(.string), .scalar(.bytes):
            let offsets = unsafe ColumnBuilder.buffer(&target, sizes.offsets)
            let data = unsafe ColumnBuilder.buffer(&target, sizes.values)
            var at = 0
            for row in 0..<rows {
                let source = unsafe bytes(of: row)
                if source.count > 0 { unsafe (data + at).copyMemory(from: source.baseAddress.unsafelyUnwrapped, byteCount: source.count) }
                at += source.count
                unsafe offsets.storeBytes(of: Int32(at), toByteOffset: 4 * (row + 1), as: Int32.self)
            }
        case .list(let scalar):
            if let width = scalar.width {
                unsafe writeList(rows, sizes, width: width, packsBits: scalar == .bool, to: &target)
            } else {
                try unsafe writeList(rows, sizes, to: &target)
            }
        default:
            let data = unsafe ColumnBuilder.buffer(&target, sizes.values)
            if sizes.validity == 0 {
                if sizes.values > 0 { unsafe data.copyMemory(from: values, byteCount: sizes.values) }
            } else {
                // What a row without a value holds here may be left from an earlier read.
                for row in 0..<rows {
                    if unsafe valid[row] != 0 {
                        unsafe (data + row * stride).copyMemory(from: values + row * stride, byteCount: stride)
                    } else {
                        unsafe memset(data + row * stride, 0, stride)
                    }
                }
            }
        }
        return unsafe target
    }

    /// Writes a column of int64 with the ages at `now` of this column's times, with their validity in front.
    func writeAges(
        _ rows: Int, at now: Timestamp, _ sizes: ColumnSizes, to start: UnsafeMutableRawPointer
    ) throws(WhenceError) -> UnsafeMutableRawPointer {
        precondition(type == .timestamp)
        let end = try unsafe write(rows, sizes, to: start)
        let data = unsafe start + ColumnSizes.padded(sizes.validity)
        for row in 0..<rows where unsafe (sizes.validity == 0 || valid[row] != 0) {
            let time = unsafe data.loadUnaligned(fromByteOffset: 8 * row, as: Int64.self)
            unsafe data.storeBytes(of: now.microseconds - time, toByteOffset: 8 * row, as: Int64.self)
        }
        return unsafe end
    }

    private func writeList(
        _ rows: Int, _ sizes: ColumnSizes, width: Int, packsBits: Bool, to target: inout UnsafeMutableRawPointer
    ) {
        let offsets = unsafe ColumnBuilder.buffer(&target, sizes.offsets)
        let data = unsafe packsBits ? ColumnBuilder.bitmap(&target, sizes.values) : ColumnBuilder.buffer(&target, sizes.values)
        var elements = 0
        for row in 0..<rows {
            let source = unsafe bytes(of: row)
            if packsBits {
                for index in 0..<source.count where unsafe source[index] != 0 { unsafe ColumnBuilder.setBit(elements + index, of: data) }
            } else if source.count > 0 {
                unsafe (data + elements * width).copyMemory(from: source.baseAddress.unsafelyUnwrapped, byteCount: source.count)
            }
            elements += source.count / width
            unsafe offsets.storeBytes(of: Int32(elements), toByteOffset: 4 * (row + 1), as: Int32.self)
        }
    }

    /// Lists of strings or bytes.
    private func writeList(_ rows: Int, _ sizes: ColumnSizes, to target: inout UnsafeMutableRawPointer) throws(WhenceError) {
        let offsets = unsafe ColumnBuilder.buffer(&target, sizes.offsets)
        let ends = unsafe ColumnBuilder.buffer(&target, sizes.elementOffsets)
        let data = unsafe ColumnBuilder.buffer(&target, sizes.values)
        var elements = 0
        var at = 0
        for row in 0..<rows {
            if unsafe valid[row] != 0 {
                try FieldBytes.forEachElement(ofList: unsafe bytes(of: row).bytes) { (element) throws(WhenceError) in
                    unsafe element.withUnsafeBytes { source in
                        if let from = source.baseAddress { unsafe (data + at).copyMemory(from: from, byteCount: source.count) }
                    }
                    at += element.byteCount
                    elements += 1
                    unsafe ends.storeBytes(of: Int32(at), toByteOffset: 4 * elements, as: Int32.self)
                }
            }
            unsafe offsets.storeBytes(of: Int32(elements), toByteOffset: 4 * (row + 1), as: Int32.self)
        }
    }

    /// Takes `byteCount` bytes and their padding from `target`. The first word, which holds the first offset, and the last, which holds
    /// the padding, are zero.
    @inline(__always)
    private static func buffer(_ target: inout UnsafeMutableRawPointer, _ byteCount: Int) -> UnsafeMutableRawPointer {
        let start = unsafe target
        let padded = ColumnSizes.padded(byteCount)
        if padded > 0 {
            unsafe start.storeBytes(of: 0, as: UInt64.self)
            unsafe start.storeBytes(of: 0, toByteOffset: padded - 8, as: UInt64.self)
        }
        unsafe target += padded
        return unsafe start
    }

    /// The same for a bitmap: all of it is zero.
    private static func bitmap(_ target: inout UnsafeMutableRawPointer, _ byteCount: Int) -> UnsafeMutableRawPointer {
        let start = unsafe buffer(&target, byteCount)
        unsafe memset(start, 0, byteCount)
        return unsafe start
    }

    @inline(__always) private static func setBit(_ index: Int, of bits: UnsafeMutableRawPointer) {
        let before = unsafe bits.load(fromByteOffset: index >> 3, as: UInt8.self)
        unsafe bits.storeBytes(of: before | 1 << UInt8(index & 7), toByteOffset: index >> 3, as: UInt8.self)
    }
}
