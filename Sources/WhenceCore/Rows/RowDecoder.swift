/// Writes the wanted features of stored rows into columns; one thread at a time.
///
/// A row of the result is either answered whole by one dense version (`decodeDense`), or assembled from several:
/// `begin`, then `take` for each version from the newest on, until nothing is missing.
///
/// Invariant of the unsafe parts: `bases` and `offsets` have a place for each target; every row is checked against
/// `rowCount` before anything is written, and every version against the length that its schema says.
@safe public struct RowDecoder: ~Copyable {
    public let projection: RowProjection
    private let columns: ProjectedColumns
    private let arena = ByteArena()
    @usableFromInline let rowCount: Int
    @usableFromInline let targetCount: Int
    /// Base address of each column's values, flat, so that the loop over them touches one line of memory.
    @usableFromInline let bases: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// Bytes from one row to the next at those addresses: 8, or a whole row where rows are staged.
    @usableFromInline let rowStride: Int
    @usableFromInline let states: UnsafeMutablePointer<UInt8>
    private let allEightWide: Bool
    private let hasEventTimes: Bool
    private var taken: [Bool]
    private var missing = 0
    private var row = 0
    private var body = RowBody()
    // The plan of the schema last met; histories rarely mix many.
    private var plan: RowProjection.Plan?
    /// The id of that schema where its dense rows can be copied eight bytes a target; else one that no row has.
    @usableFromInline var quickSchemaID = UInt64.max
    /// For each target its place in the fixed section of such a row.
    @usableFromInline let offsets: UnsafeMutablePointer<Int>
    @usableFromInline var quickFixedBytes = 0

    public init(_ projection: RowProjection, into columns: ProjectedColumns) {
        self.projection = projection
        self.columns = columns
        rowCount = columns.count
        targetCount = projection.targets.count
        unsafe bases = .allocate(capacity: max(1, targetCount))
        unsafe offsets = .allocate(capacity: max(1, targetCount))
        for (index, builder) in columns.builders.enumerated() {
            let staged = unsafe columns.staging.map { unsafe $0.start + index * 8 }
            unsafe (bases + index).initialize(to: staged ?? builder.values)
            if builder.isVariable { builder.retain(arena) }
        }
        unsafe states = columns.states.start.assumingMemoryBound(to: UInt8.self)
        allEightWide = columns.builders.allSatisfy { $0.stride == 8 && !$0.isVariable }
        hasEventTimes = columns.eventTimes != nil
        rowStride = columns.staging == nil ? 8 : targetCount * 8
        taken = Array(repeating: false, count: targetCount)
    }

    deinit {
        unsafe bases.deallocate()
        unsafe offsets.deallocate()
    }

    @inline(never) private mutating func usePlan(_ id: UInt32) throws(WhenceError) {
        let found = try projection.plan(id)
        plan = found
        quickSchemaID = .max
        guard let dense = found.denseOffsets, allEightWide, !hasEventTimes, found.layout.variableCount == 0 else { return }
        for target in 0..<targetCount { unsafe (offsets + target).initialize(to: dense[target]) }
        quickFixedBytes = found.layout.fixedBytes
        quickSchemaID = UInt64(id)
    }

    /// Answers row `row` from `version` alone if that can be done in one go: a plain row that carries every field of
    /// its schema, none null, all wanted ones of a fixed width and type. False, and nothing written, where it cannot.
    ///
    /// Cost: one copy a column; no allocation.
    @inlinable @inline(__always) public mutating func decodeDense(
        _ row: Int, version: RawSpan, header: RowHeader, eventTime: Timestamp
    ) throws(WhenceError) -> Bool {
        guard !header.isSparse, !header.hasNulls, header.kind == .row else { return false }
        guard UInt64(header.schemaID) == quickSchemaID, version.byteCount == header.bodyOffset &+ quickFixedBytes else {
            return try decodeDenseSlowly(row, version: version, header: header, eventTime: eventTime)
        }
        precondition(row >= 0 && row < rowCount)
        for target in 0..<targetCount {
            let bits = unsafe version.unsafeLoadUnaligned(
                fromUncheckedByteOffset: header.bodyOffset &+ offsets[target], as: UInt64.self)
            unsafe bases[target].storeBytes(of: bits, toByteOffset: row &* rowStride, as: UInt64.self)
        }
        unsafe states[row] = 1
        return true
    }

    /// Where the first value of `row` is written.
    @inlinable public func place(of row: Int) -> UnsafeRawPointer {
        precondition(row >= 0 && row < rowCount)
        return unsafe targetCount == 0 ? UnsafeRawPointer(states) : UnsafeRawPointer(bases[0]) + row &* rowStride
    }

    /// For columns of other widths, with event times, or at the first row of a schema.
    @usableFromInline @inline(never) mutating func decodeDenseSlowly(
        _ row: Int, version: RawSpan, header: RowHeader, eventTime: Timestamp
    ) throws(WhenceError) -> Bool {
        if plan?.layout.schema.id != header.schemaID { try usePlan(header.schemaID) }
        guard let plan, let dense = plan.denseOffsets else { return false }
        precondition(row >= 0 && row < rowCount)
        let body = header.bodyOffset
        let layout = plan.layout
        let isWhole =
            layout.variableCount == 0 ? version.byteCount == body + layout.fixedBytes : version.byteCount >= body + layout.fixedBytes
        guard isWhole else { throw RowHeader.corrupt("its values do not have the length that its schema says") }
        unsafe version.withUnsafeBytes { source in
            for target in 0..<targetCount {
                let width = plan.accesses[target].width
                let from = unsafe source.baseAddress.unsafelyUnwrapped + (body + dense[target])
                let stride = columns.staging == nil ? width : rowStride
                unsafe (bases[target] + row * stride).copyMemory(from: from, byteCount: width)
            }
        }
        unsafe states[row] = 1
        columns.eventTimes?.set(row, fixed: eventTime.microseconds)
        return true
    }

    /// Forgets the values of an earlier read whose columns begin anew.
    public mutating func reuse() { arena.reuse() }

    /// Takes all values of row `row` away.
    @inlinable public mutating func clear(_ row: Int) {
        precondition(row >= 0 && row < rowCount)
        if unsafe states[row] != 0 { clearFilled(row) }
    }

    @usableFromInline mutating func clearFilled(_ row: Int) {
        // The bytes of the only row are needed no more.
        if rowCount == 1 { arena.removeAll() }
        if unsafe states[row] == 2 {
            for builder in columns.builders { builder.setNull(row) }
        }
        unsafe states[row] = 0
        columns.eventTimes?.setNull(row)
    }

    /// Starts to assemble row `row`.
    public mutating func begin(_ row: Int) {
        precondition(row >= 0 && row < rowCount)
        self.row = row
        missing = targetCount
        for target in taken.indices { taken[target] = false }
        unsafe states[row] = 2
    }

    /// Takes from `version` every feature that is still missing and that it carries. True when none is missing any more.
    public mutating func take(_ version: RawSpan, header: RowHeader, eventTime: Timestamp) throws(WhenceError) -> Bool {
        if plan?.layout.schema.id != header.schemaID { try usePlan(header.schemaID) }
        guard let plan, missing > 0 else { return missing == 0 }
        try body.find(version, header: header, plan.layout)
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
