import NIOCore
public import WhenceCore

extension FrameWriter {
    /// Writes the answer to an online read whose columns are still where they were read into: the same bytes as `OnlineAnswer`'s, without
    /// the columns in between. Throws `limitExceeded`, and leaves the buffer as it was, where the other side would not take it.
    ///
    /// - Parameters:
    ///   - parts: the columns of each selection, measured.
    ///   - rows: entities.
    public mutating func writeOnlineAnswer<Parts: RandomAccessCollection<ProjectedColumns>>(
        time: Timestamp, schema: IdentifiedSchema, sendsSchema: Bool, _ parts: Parts, rows: Int, requestID: UInt32
    ) throws(WhenceError) {
        try frame(.onlineAnswer, requestID: requestID) { writer throws(WhenceError) in
            writer.time(time)
            writer.integer(schema.id)
            writer.flag(sendsSchema)
            if sendsSchema { writer.buffer.writeImmutableBuffer(schema.bytes) }
            try writer.measuredColumns(parts, rows: rows)
        }
    }

    /// Puts columns down as `columns` does, from where they were read into.
    private mutating func measuredColumns<Parts: RandomAccessCollection<ProjectedColumns>>(
        _ parts: Parts, rows: Int
    ) throws(WhenceError) {
        pad()
        var numbers = 8
        var bodyBytes = 0
        var count = 0
        for part in parts {
            if let alike = part.alike {
                count += alike.count
                numbers += 12 * alike.count
                bodyBytes += alike.valueBytes * alike.count
                continue
            }
            let measured = part.measured
            count += measured.count
            for column in measured.span.indices {
                numbers += ColumnSizes.headerBytes(measured[column].type)
                bodyBytes += measured[column].sizes.paddedBytes
            }
        }
        let headerBytes = ColumnSizes.padded(numbers)
        let byteCount = headerBytes + bodyBytes
        try checkRoom(for: byteCount, rows: rows)
        var failure: WhenceError?
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { memory in
            guard let start = memory.baseAddress else { return 0 }
            var header = unsafe start
            func number(_ value: Int) {
                unsafe header.storeBytes(of: UInt32(truncatingIfNeeded: value).littleEndian, as: UInt32.self)
                unsafe header += 4
            }
            number(rows)
            number(count)
            var body = unsafe start + headerBytes
            do throws(WhenceError) {
                for part in parts {
                    if let alike = part.alike {
                        for _ in 0..<alike.count {
                            unsafe header.storeBytes(of: 0, as: UInt64.self)
                            unsafe header.storeBytes(
                                of: UInt32(truncatingIfNeeded: alike.valueBytes).littleEndian, toByteOffset: 8, as: UInt32.self)
                            unsafe header += 12
                        }
                        unsafe body = try part.write(to: body)
                        continue
                    }
                    let measured = part.measured
                    for index in measured.indices {
                        let column = measured[index]
                        let (offsets, elementOffsets) = ColumnSizes.hasOffsets(column.type)
                        number(column.nullCount)
                        number(column.sizes.validity)
                        if offsets { number(column.sizes.offsets) }
                        if elementOffsets { number(column.sizes.elementOffsets) }
                        number(column.sizes.values)
                    }
                    unsafe body = try part.write(to: body)
                }
            } catch {
                failure = error
                return 0
            }
            if numbers < headerBytes { number(0) }
            // Each column takes what was measured of it, so neither cursor has left the memory.
            unsafe precondition(header == start + headerBytes && body == start + byteCount)
            return byteCount
        }
        if let failure { throw failure }
    }
}
