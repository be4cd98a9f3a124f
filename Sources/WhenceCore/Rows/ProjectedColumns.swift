import Foundation

/// The columns that a reader of one view fills: one a target, plus, where asked for, the event time of the version
/// that answered.
///
/// Rows may be filled from several threads, each row by one thread; each thread brings its own `RowDecoder`.
@safe public final class ProjectedColumns: @unchecked Sendable {
    public let count: Int
    @usableFromInline let builders: [ColumnBuilder]
    /// Event time of the newest version that gave a value to the row.
    let eventTimes: ColumnBuilder?
    /// For each row: 0 nothing, 1 a value in every column, 2 see the column's own marks.
    @usableFromInline let states: ColumnBuffer
    /// Where dense rows wait, each in one piece, until `unstage` deals them out to the columns: to write a row into eight
    /// columns in random order misses the cache eight times, to write it here once. Nil where that would not pay.
    let staging: ColumnBuffer?
    /// Whether the columns have been handed out; nothing may be written to them any more.
    public private(set) var isFinished = false
    // What `ProjectedColumns+Writing.swift` keeps of a read into columns that are used again.
    /// Rows of the read.
    var usedRows = 0
    /// Whether the builders' own marks have been set.
    var hasMarks = false
    /// The columns as they were measured; empty where all are alike.
    var measuredColumns: [MeasuredColumn] = []
    /// Bytes of the values of every column, where all are of numbers of 8 bytes and every row has all of them; else nil.
    var alikeBytes: Int?
    /// Whether all targets are of numbers of 8 bytes, and nothing else is asked for.
    let mayBeAlike: Bool
    /// Where each column's values begin: the loop over many columns and few rows touches nothing else. Columns that are used again do not grow.
    let bases: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// The present that ages are counted from, where they are asked for.
    var agesAt: Timestamp?

    /// - Parameter inRandomOrder: rows are not filled one after another; large results are then staged.
    public init(_ projection: RowProjection, count: Int, withEventTimes: Bool = false, inRandomOrder: Bool = false) {
        self.count = count
        builders = projection.targets.map { ColumnBuilder($0.type, count: count) }
        eventTimes = withEventTimes ? ColumnBuilder(.timestamp, count: count) : nil
        states = ColumnBuffer(zeros: count)
        mayBeAlike = !withEventTimes && builders.allSatisfy { $0.stride == 8 && !$0.isVariable && $0.type != .bool }
        unsafe bases = .allocate(capacity: max(1, builders.count))
        for (index, builder) in builders.enumerated() { unsafe (bases + index).initialize(to: builder.values) }
        let isStaged =
            inRandomOrder && count >= 16_384 && !withEventTimes && builders.count > 1
            && builders.allSatisfy { $0.stride == 8 && !$0.isVariable }
        staging = isStaged ? ColumnBuffer(zeros: count * builders.count * 8) : nil
    }

    deinit { unsafe bases.deallocate() }

    /// Deals the staged rows among `rows` out to the columns. Threads may do that at once for ranges that do not overlap; all
    /// rows must have been dealt out before `finish`.
    public func unstage(_ rows: Range<Int>) {
        guard let staging else { return }
        precondition(rows.lowerBound >= 0 && rows.upperBound <= count)
        let width = builders.count
        // A stretch at a time, so that its lines are still in the cache for the last column.
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: 128) {
            let end = min(start + 128, rows.upperBound)
            for (target, builder) in builders.enumerated() {
                for row in start..<end where unsafe states.start.load(fromByteOffset: row, as: UInt8.self) == 1 {
                    let bits = unsafe staging.start.load(fromByteOffset: (row &* width &+ target) &* 8, as: UInt64.self)
                    unsafe builder.values.storeBytes(of: bits, toByteOffset: row &* 8, as: UInt64.self)
                }
            }
        }
    }

    /// Whether row `row` of target `target` has a value; for columns that are still being filled.
    @inlinable public func isValid(_ row: Int, _ target: Int) -> Bool {
        precondition(row >= 0 && row < count)
        let state = unsafe states.start.load(fromByteOffset: row, as: UInt8.self)
        return state == 1 || (state == 2 && builders[target].isSet(row))
    }

    /// The bits of row `row` of a target of fixed width; for columns that are still being filled.
    @inlinable public func load<T: BitwiseCopyable>(_ row: Int, _ target: Int, as type: T.Type) -> T {
        builders[target].load(row, as: type)
    }

    /// The columns, in the order of the targets, then the event times where they were asked for. Called once, at the end.
    ///
    /// - Parameter rows: how many of the rows there are after all; nil for every one.
    public func finish(rows: Int? = nil) throws(WhenceError) -> [Column] {
        precondition(!isFinished, "columns are handed out once")
        isFinished = true
        var columns: [Column] = []
        if let rows {
            for builder in builders { builder.truncate(to: rows) }
            eventTimes?.truncate(to: rows)
        }
        let count = rows ?? self.count
        if unsafe memchr(states.start, 2, count) == nil {
            // Every row has all columns or none: found out once for all of them.
            let validity = unsafe RowValidity(UnsafePointer(states.start.assumingMemoryBound(to: UInt8.self)), count: count)
            for builder in builders { columns.append(try builder.finish(validity, states: states)) }
        } else {
            for builder in builders { columns.append(try builder.finish(states: states)) }
        }
        if let eventTimes { columns.append(try eventTimes.finish()) }
        return columns
    }
}
