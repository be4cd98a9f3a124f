import Foundation

/// One column as it is about to be written.
public struct MeasuredColumn: Sendable {
    public let type: FeatureType
    /// Rows without a value.
    public let nullCount: Int
    public let sizes: ColumnSizes
}

/// Columns that are kept from read to read: begun anew, filled, measured, and written to where they are sent from. Nothing is allocated
/// once they have been used.
extension ProjectedColumns {
    /// Takes the values of the last read away and begins one of `rows` rows, no more than `count`.
    public func begin(rows: Int) {
        precondition(rows <= count && !isFinished && staging == nil)
        if usedRows > 0 {
            if unsafe hasMarks || memchr(states.start, 2, usedRows) != nil {
                for builder in builders { unsafe memset(builder.valid, 0, usedRows) }
            }
            unsafe memset(states.start, 0, usedRows)
            if let eventTimes { unsafe memset(eventTimes.valid, 0, usedRows) }
        }
        hasMarks = false
        usedRows = rows
    }

    /// Finds out how long the columns of the read are: the targets', then the event times and the ages that are asked for. Nothing may be
    /// set afterwards. Throws as `finish` does.
    ///
    /// - Parameter agesAt: the present, where the ages of the event times are asked for.
    public func measure(eventTimes: Bool, agesAt: Timestamp?) throws(WhenceError) {
        let rows = usedRows
        let isDense = unsafe memchr(states.start, 0, rows) == nil && memchr(states.start, 2, rows) == nil
        alikeBytes = isDense && mayBeAlike ? 8 * rows : nil
        if alikeBytes != nil { return }
        if !isDense {
            hasMarks = true
            for row in 0..<rows {
                let state = unsafe states.start.load(fromByteOffset: row, as: UInt8.self)
                if state == 2 { continue }
                for builder in builders { unsafe builder.valid[row] = state }
            }
        }
        var measured = measuredColumns
        measuredColumns = []
        measured.removeAll(keepingCapacity: true)
        for builder in builders {
            let (nullCount, sizes) = try builder.measure(rows, allValid: isDense)
            measured.append(MeasuredColumn(type: builder.type, nullCount: nullCount, sizes: sizes))
        }
        self.agesAt = agesAt
        if let times = self.eventTimes, eventTimes || agesAt != nil {
            let (nullCount, sizes) = try times.measure(rows, allValid: false)
            if eventTimes { measured.append(MeasuredColumn(type: .timestamp, nullCount: nullCount, sizes: sizes)) }
            if agesAt != nil { measured.append(MeasuredColumn(type: .int64, nullCount: nullCount, sizes: sizes)) }
        }
        measuredColumns = measured
    }

    /// The columns in the order in which they are written; of no meaning where all are alike.
    public var measured: [MeasuredColumn] { measuredColumns }

    /// How many columns there are, and the bytes of the values of each, where every one is of numbers of 8 bytes and every row has a value
    /// in all of them: the answer to most reads, which takes a loop without a look at types.
    public var alike: (count: Int, valueBytes: Int)? { alikeBytes.map { (builders.count, $0) } }

    /// The types of the targets.
    public var types: [FeatureType] { builders.map(\.type) }

    /// Memory that the columns hold, roughly, in bytes.
    public var byteCount: Int { builders.reduce(count) { $0 + count * ($1.stride + 1) } }

    /// Writes the buffers of all measured columns, one behind the other, each padded with zeros to a multiple of 8, and returns where they
    /// end. Precondition: `start` has room for the padded sizes of `measured`.
    public func write(to start: UnsafeMutableRawPointer) throws(WhenceError) -> UnsafeMutableRawPointer {
        let rows = usedRows
        var target = unsafe start
        if let alikeBytes {
            for index in 0..<builders.count {
                if rows == 1 {
                    unsafe target.storeBytes(of: bases[index].load(as: UInt64.self), as: UInt64.self)
                } else if rows > 0 {
                    unsafe target.copyMemory(from: bases[index], byteCount: alikeBytes)
                }
                unsafe target += alikeBytes
            }
            return unsafe target
        }
        let measured = measuredColumns
        for index in builders.indices { unsafe target = try builders[index].write(rows, measured[index].sizes, to: target) }
        if let eventTimes {
            for index in builders.count..<measured.count {
                let sizes = measured[index].sizes
                if measured[index].type == .int64, let agesAt {
                    unsafe target = try eventTimes.writeAges(rows, at: agesAt, sizes, to: target)
                } else {
                    unsafe target = try eventTimes.write(rows, sizes, to: target)
                }
            }
        }
        return unsafe target
    }
}
