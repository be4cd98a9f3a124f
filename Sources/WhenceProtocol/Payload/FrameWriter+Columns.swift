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
        let (headerBytes, bodyBytes) = ColumnExtent.byteCounts(batch, range)
        unsafe try columns(batch.columns.count, rows: range.count, headerBytes: headerBytes, bodyBytes: bodyBytes) { target in
            unsafe target.put(batch, range)
        }
    }

    /// Puts `count` columns of `rows` rows down, of which `fill` writes the numbers and the buffers.
    ///
    /// - Parameters:
    ///   - headerBytes: of the two counts and the columns' numbers, padded to 8.
    ///   - bodyBytes: of the columns' buffers, each padded to 8.
    @inline(__always) mutating func columns(
        _ count: Int, rows: Int, headerBytes: Int, bodyBytes: Int, _ fill: (inout ColumnsTarget) throws(WhenceError) -> Void
    ) throws(WhenceError) {
        pad()
        let byteCount = headerBytes + bodyBytes
        try checkRoom(for: byteCount, rows: rows)
        var failure: WhenceError?
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { memory in
            guard let start = memory.baseAddress else { return 0 }
            var target = unsafe ColumnsTarget(start, headerBytes: headerBytes, byteCount: byteCount)
            unsafe target.number(rows)
            unsafe target.number(count)
            do throws(WhenceError) {
                unsafe try fill(&target)
            } catch {
                failure = error
                return 0
            }
            unsafe target.close()
            return byteCount
        }
        if let failure { throw failure }
    }

    /// Refuses columns that the other side would not take in this message.
    private func checkRoom(for byteCount: Int, rows: Int) throws(WhenceError) {
        guard payloadBytes + byteCount <= maximumPayloadBytes else {
            throw WhenceError(
                .limitExceeded,
                "\(rows) rows take \(byteCount) bytes, more than the \(maximumPayloadBytes) that the other side takes in one message",
                hint: "send fewer rows at a time")
        }
    }
}

/// The memory that `columns` are written to: their numbers from its beginning, their buffers from behind those.
///
/// Invariant: it is as long as was reckoned for the same rows (`ColumnExtent.byteCounts`, `ProjectedColumns.measure`), and each column takes
/// of it what was reckoned for it; so neither cursor leaves it. `close` checks both.
@unsafe struct ColumnsTarget {
    private var header: UnsafeMutableRawPointer
    /// Where the next buffer goes.
    var body: UnsafeMutableRawPointer
    private let bodyStart: UnsafeMutableRawPointer
    private let end: UnsafeMutableRawPointer

    init(_ start: UnsafeMutableRawPointer, headerBytes: Int, byteCount: Int) {
        unsafe header = start
        unsafe body = start + headerBytes
        unsafe bodyStart = body
        unsafe end = start + byteCount
    }

    /// What the header says of a column of `type`.
    @inline(__always) mutating func numbers(_ type: FeatureType, nullCount: Int, _ sizes: ColumnSizes) {
        let (offsets, elementOffsets) = ColumnSizes.hasOffsets(type)
        unsafe number(nullCount)
        unsafe number(sizes.validity)
        if offsets { unsafe number(sizes.offsets) }
        if elementOffsets { unsafe number(sizes.elementOffsets) }
        unsafe number(sizes.values)
    }

    /// The same of `count` columns of a fixed width, in each of which every row has a value.
    @inline(__always) mutating func numbers(ofAlike count: Int, valueBytes: Int) {
        for _ in 0..<count {
            unsafe header.storeBytes(of: 0, as: UInt64.self)
            unsafe header.storeBytes(of: UInt32(truncatingIfNeeded: valueBytes).littleEndian, toByteOffset: 8, as: UInt32.self)
            unsafe header += 12
        }
    }

    /// Ends the header with its padding, and makes sure that all has its place.
    mutating func close() {
        if unsafe header < bodyStart { unsafe number(0) }
        unsafe precondition(header == bodyStart && body == end)
    }

    mutating func put(_ batch: ColumnBatch, _ rows: Range<Int>) {
        let columns = batch.columns.span
        let isWhole = rows.count == batch.count
        for index in columns.indices {
            if let fixed = ColumnExtent(fixed: columns[index].type, nullCount: columns[index].nullCount, isWhole: isWhole, rows) {
                unsafe number(fixed.nullCount)
                unsafe number(fixed.sizes.validity)
                unsafe number(fixed.sizes.values)
                if fixed.nullCount > 0 { unsafe bits(columns[index].validity, rows) }
                unsafe bytes(columns[index].values, from: fixed.valuesStart, fixed.sizes.values)
            } else {
                unsafe put(columns[index], rows)
            }
        }
    }

    private mutating func put(_ column: borrowing Column, _ rows: Range<Int>) {
        let extent = ColumnExtent(column, rows)
        let sizes = extent.sizes
        unsafe numbers(column.type, nullCount: extent.nullCount, sizes)
        if sizes.validity > 0 { unsafe bits(column.validity, rows) }
        if sizes.offsets > 0 { unsafe offsets(column.offsets, rows) }
        if sizes.elementOffsets > 0 { unsafe offsets(column.elementOffsets, extent.elements) }
        switch column.type {
        case .scalar(.bool), .list(.bool): unsafe bits(column.values, extent.elements)
        default: unsafe bytes(column.values, from: extent.valuesStart, sizes.values)
        }
    }

    @inline(__always) mutating func number(_ value: Int) {
        unsafe header.storeBytes(of: UInt32(value).littleEndian, as: UInt32.self)
        unsafe header += 4
    }

    /// Bytes of `source`, zeros where it has fewer, and padding.
    private mutating func bytes(_ source: ColumnBuffer?, from start: Int, _ byteCount: Int) {
        guard byteCount > 0 else { return }
        let padded = ColumnSizes.padded(byteCount)
        // The last word first: what is not written over is padding.
        unsafe body.storeBytes(of: 0, toByteOffset: padded - 8, as: UInt64.self)
        var present = 0
        if let source, start < source.byteCount {
            present = min(byteCount, source.byteCount - start)
            let from = source.span.extracting(start..<start + present)
            unsafe from.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(start: body, count: present).copyMemory(from: $0) }
        }
        if present < byteCount { unsafe (body + present).initializeMemory(as: UInt8.self, repeating: 0, count: byteCount - present) }
        unsafe body += padded
    }

    /// The bits in `range`, those past the last one 0.
    private mutating func bits(_ source: ColumnBuffer?, _ range: Range<Int>) {
        let byteCount = (range.count + 7) / 8
        guard byteCount > 0 else { return }
        let start = unsafe body
        let shift = range.lowerBound & 7
        unsafe bytes(source, from: range.lowerBound / 8, byteCount)
        if shift != 0, let source {
            // Only elements of lists of bool may begin within a byte.
            let bits = source.span
            for index in 0..<byteCount {
                let from = range.lowerBound / 8 + index
                let low = bits[from] >> UInt8(shift)
                let high = from + 1 < bits.byteCount ? bits[from + 1] << UInt8(8 - shift) : 0
                unsafe start.storeBytes(of: low | high, toByteOffset: index, as: UInt8.self)
            }
        }
        if range.count & 7 != 0 {
            let last = unsafe start.load(fromByteOffset: byteCount - 1, as: UInt8.self)
            unsafe start.storeBytes(of: last & ((1 << UInt8(range.count & 7)) - 1), toByteOffset: byteCount - 1, as: UInt8.self)
        }
    }

    /// The offsets of the values in `range`, counted from the first one's.
    private mutating func offsets(_ source: ColumnBuffer?, _ range: Range<Int>) {
        let start = unsafe body
        let base = Int32(source?.offset(range.lowerBound) ?? 0)
        unsafe bytes(source, from: range.lowerBound * 4, 4 * (range.count + 1))
        guard base != 0 else { return }
        // Where a frame begins in the buffer says nothing of alignment.
        for index in 0...range.count {
            let offset = unsafe start.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self)
            unsafe start.storeBytes(of: offset - base, toByteOffset: 4 * index, as: Int32.self)
        }
    }
}
