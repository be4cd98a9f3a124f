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

    public init(_ projection: RowProjection, count: Int, withEventTimes: Bool = false) {
        self.count = count
        builders = projection.targets.map { ColumnBuilder($0.type, count: count) }
        eventTimes = withEventTimes ? ColumnBuilder(.timestamp, count: count) : nil
        states = ColumnBuffer(zeros: count)
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
        var columns: [Column] = []
        if let rows {
            for builder in builders { builder.truncate(to: rows) }
            eventTimes?.truncate(to: rows)
        }
        for builder in builders { columns.append(try builder.finish(states: states)) }
        if let eventTimes { columns.append(try eventTimes.finish()) }
        return columns
    }
}

/// Writes the wanted features of stored rows into columns; one thread at a time.
///
/// A row of the result is either answered whole by one dense version (`decodeDense`), or assembled from several:
/// `begin`, then `take` for each version from the newest on, until nothing is missing.
@safe public final class RowDecoder {
    public let projection: RowProjection
    private let columns: ProjectedColumns
    private let arena = ByteArena()
    private let targetCount: Int
    /// Base address and stride of each column's values, flat, so that the loop over them touches one line of memory.
    private let bases: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private let states: UnsafeMutablePointer<UInt8>
    private let allEightWide: Bool
    private var taken: [Bool]
    private var missing = 0
    private var row = 0
    // The plan of the schema last met; histories rarely mix many.
    private var plan: RowProjection.Plan?
    private var planID: UInt32 = 0
    private var denseOffsets: [Int] = []
    private var isDense = false

    public init(_ projection: RowProjection, into columns: ProjectedColumns) {
        self.projection = projection
        self.columns = columns
        targetCount = projection.targets.count
        unsafe bases = .allocate(capacity: max(1, targetCount))
        for (index, builder) in columns.builders.enumerated() {
            unsafe (bases + index).initialize(to: builder.values)
            if builder.isVariable { builder.retain(arena) }
        }
        unsafe states = columns.states.start.assumingMemoryBound(to: UInt8.self)
        allEightWide = columns.builders.allSatisfy { $0.stride == 8 && !$0.isVariable }
        taken = Array(repeating: false, count: targetCount)
    }

    deinit { unsafe bases.deallocate() }

    @inline(__always) private func usePlan(_ id: UInt32) throws(WhenceError) {
        if plan != nil && planID == id { return }
        let found = try projection.plan(id)
        plan = found
        planID = id
        denseOffsets = found.denseOffsets ?? []
        isDense = found.denseOffsets != nil
    }

    /// Answers row `row` from `version` alone if that can be done in one go: a plain row that carries every field of
    /// its schema, none null, all wanted ones of a fixed width and type. False, and nothing written, where it cannot.
    ///
    /// Cost: one copy a column; no allocation.
    public func decodeDense(_ row: Int, version: RawSpan, header: RowHeader, eventTime: Timestamp) throws(WhenceError) -> Bool {
        guard !header.isSparse, !header.hasNulls, header.kind == .row else { return false }
        try usePlan(header.schemaID)
        guard isDense, let layout = plan?.layout else { return false }
        precondition(row >= 0 && row < columns.count)
        let body = header.bodyOffset
        let isWhole = layout.variableCount == 0 ? version.byteCount == body + layout.fixedBytes : version.byteCount >= body + layout.fixedBytes
        guard isWhole else { throw RowHeader.corrupt("its values do not have the length that its schema says") }
        if allEightWide {
            for target in 0..<targetCount {
                let bits = unsafe version.unsafeLoadUnaligned(fromByteOffset: body &+ denseOffsets[target], as: UInt64.self)
                unsafe bases[target].storeBytes(of: bits, toByteOffset: row &* 8, as: UInt64.self)
            }
        } else {
            unsafe version.withUnsafeBytes { source in
                for target in 0..<targetCount {
                    let width = columns.builders[target].stride
                    let from = unsafe source.baseAddress.unsafelyUnwrapped + (body + denseOffsets[target])
                    unsafe (bases[target] + row * width).copyMemory(from: from, byteCount: width)
                }
            }
        }
        unsafe states[row] = 1
        columns.eventTimes?.set(row, fixed: eventTime.microseconds)
        return true
    }

    /// Takes all values of row `row` away.
    public func clear(_ row: Int) {
        precondition(row >= 0 && row < columns.count)
        if unsafe states[row] == 2 {
            for builder in columns.builders { builder.setNull(row) }
        }
        unsafe states[row] = 0
        columns.eventTimes?.setNull(row)
    }

    /// Starts to assemble row `row`.
    public func begin(_ row: Int) {
        precondition(row >= 0 && row < columns.count)
        self.row = row
        missing = targetCount
        for target in taken.indices { taken[target] = false }
        unsafe states[row] = 2
    }

    /// Takes from `version` every feature that is still missing and that it carries. True when none is missing any more.
    public func take(_ version: RawSpan, header: RowHeader, eventTime: Timestamp) throws(WhenceError) -> Bool {
        try usePlan(header.schemaID)
        guard let plan, missing > 0 else { return missing == 0 }
        let body = try RowBody(version, header: header, plan.layout)
        let before = missing
        for (target, access) in plan.accesses.enumerated() where !taken[target] && access.field >= 0 {
            switch body.place(of: access.field) {
            case .absent: continue
            case .null: break
            case .bytes(let range): store(target, version.extracting(range), access.conversion)
            }
            taken[target] = true
            missing -= 1
        }
        if before == targetCount && missing < before { columns.eventTimes?.set(row, fixed: eventTime.microseconds) }
        return missing == 0
    }

    private func store(_ target: Int, _ bytes: RawSpan, _ conversion: RowProjection.Conversion) {
        let builder = columns.builders[target]
        switch conversion {
        case .none: builder.set(row, raw: bytes, arena: arena)
        case .int32ToInt64: builder.set(row, fixed: Int64(unsafe bytes.unsafeLoadUnaligned(as: Int32.self)))
        case .int32ToFloat64: builder.set(row, fixed: Double(unsafe bytes.unsafeLoadUnaligned(as: Int32.self)))
        case .float32ToFloat64: builder.set(row, fixed: Double(unsafe bytes.unsafeLoadUnaligned(as: Float.self)))
        }
    }
}
