import NIOCore
import WhenceCore

extension FrameWriter {
    /// Puts the rows of `batch` in `range` (nil: all) down in Arrow's layout: a few numbers for each column, then its buffers as they
    /// are. Precondition: the range begins at a multiple of 8.
    mutating func columns(_ batch: ColumnBatch, _ range: Range<Int>? = nil) throws(WhenceError) {
        let range = range ?? 0..<batch.count
        precondition(range.lowerBound & 7 == 0 && range.upperBound <= batch.count)
        guard range.count <= WireLimits.rows else {
            throw WhenceError(
                .limitExceeded, "\(range.count) rows are more than \(WireLimits.rows) in one message", hint: "send fewer rows at a time")
        }
        pad()
        let byteCount = ColumnSlice.payloadBytes(batch, range)
        guard payloadBytes + byteCount <= maximumPayloadBytes else {
            throw WhenceError(
                .limitExceeded,
                "\(range.count) rows take \(byteCount) bytes, more than the \(maximumPayloadBytes) that the other side takes in one message",
                hint: "send fewer rows at a time")
        }
        buffer.reserveCapacity(minimumWritableBytes: byteCount)
        buffer.writeMultipleIntegers(UInt32(range.count), UInt32(batch.columns.count), endianness: .little)
        for column in batch.columns {
            let slice = ColumnSlice(column, range)
            buffer.writeMultipleIntegers(UInt32(slice.nullCount), UInt32(slice.sizes.validity), endianness: .little)
            let (rows, elements) = ColumnSizes.hasOffsets(column.type)
            if rows { integer(UInt32(slice.sizes.offsets)) }
            if elements { integer(UInt32(slice.sizes.elementOffsets)) }
            integer(UInt32(slice.sizes.values))
        }
        pad()
        for column in batch.columns { put(ColumnSlice(column, range)) }
    }

    private mutating func put(_ slice: ColumnSlice) {
        let column = slice.column
        let (sizes, rows, elements) = (slice.sizes, slice.rows, slice.elements)
        if sizes.validity > 0 {
            putBits(column.validity, rows)
            pad()
        }
        if sizes.offsets > 0 { putOffsets(column.offsets, rows) }
        if sizes.elementOffsets > 0 { putOffsets(column.elementOffsets, elements) }
        switch column.type {
        case .scalar(.bool), .list(.bool): putBits(column.values, elements)
        default: put(column.values, from: slice.valuesStart, sizes.values)
        }
        pad()
    }

    /// Bytes of `source`, zeros where it has fewer.
    private mutating func put(_ source: ColumnBuffer?, from start: Int, _ byteCount: Int) {
        var present = 0
        if let source, start < source.byteCount {
            present = min(byteCount, source.byteCount - start)
            buffer.writeBytes(source.span.extracting(start..<start + present))
        }
        if byteCount > present { buffer.writeRepeatingByte(0, count: byteCount - present) }
    }

    /// The bits in `range`, those past the last one 0.
    private mutating func putBits(_ source: ColumnBuffer?, _ range: Range<Int>) {
        let byteCount = (range.count + 7) / 8
        guard byteCount > 0 else { return }
        let shift = range.lowerBound & 7
        if shift == 0 {
            put(source, from: range.lowerBound / 8, byteCount)
        } else if let source {
            // Only elements of lists of bool may begin within a byte.
            let bits = source.span
            for index in 0..<byteCount {
                let from = range.lowerBound / 8 + index
                let low = bits[from] >> UInt8(shift)
                let high = from + 1 < bits.byteCount ? bits[from + 1] << UInt8(8 - shift) : 0
                buffer.writeInteger(low | high)
            }
        }
        if range.count & 7 != 0, let last: UInt8 = buffer.getInteger(at: buffer.writerIndex - 1) {
            buffer.setInteger(last & ((1 << UInt8(range.count & 7)) - 1), at: buffer.writerIndex - 1)
        }
    }

    /// The offsets of the values in `range`, counted from the first one's.
    private mutating func putOffsets(_ source: ColumnBuffer?, _ range: Range<Int>) {
        let byteCount = 4 * (range.count + 1)
        let first = source?.offset(range.lowerBound) ?? 0
        if first == 0 {
            put(source, from: range.lowerBound * 4, byteCount)
        } else if let source {
            let start = buffer.writerIndex
            put(source, from: range.lowerBound * 4, byteCount)
            let base = Int32(first)
            let readerIndex = buffer.readerIndex
            unsafe buffer.withUnsafeMutableReadableBytes { bytes in
                let from = start - readerIndex
                // Within what was just written; where a frame begins in the buffer says nothing of alignment.
                for index in 0...range.count {
                    let place = from + 4 * index
                    let offset = unsafe bytes.loadUnaligned(fromByteOffset: place, as: Int32.self)
                    unsafe bytes.storeBytes(of: offset - base, toByteOffset: place, as: Int32.self)
                }
            }
        }
        pad()
    }
}
