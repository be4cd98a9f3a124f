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
        unsafe try columns(
            count, rows: rows, headerBytes: ColumnSizes.padded(numbers), bodyBytes: bodyBytes
        ) { target throws(WhenceError) in
            for part in parts {
                if let alike = part.alike {
                    unsafe target.numbers(ofAlike: alike.count, valueBytes: alike.valueBytes)
                } else {
                    let measured = part.measured
                    for index in measured.indices {
                        unsafe target.numbers(measured[index].type, nullCount: measured[index].nullCount, measured[index].sizes)
                    }
                }
                unsafe target.body = try part.write(to: target.body)
            }
        }
    }
}
