import WhenceCatalog
import WhenceCore

/// The columns of an entity's join keys, filled from encoded keys.
struct EntityColumns {
    private let builders: [ColumnBuilder]
    private var values: [KeyValue] = []
    /// The value of the only join key, where that is an integer.
    private var onlyInteger: Int64?

    init(_ entity: Entity) { builders = entity.joinKeys.map { ColumnBuilder($0.type.columnType) } }

    /// Appends the join keys of one row.
    ///
    /// - Parameter isSame: the caller knows that it is the entity of the row before.
    @inline(__always) mutating func append(_ entity: RawSpan, isSame: Bool) throws(WhenceError) {
        if !isSame || values.isEmpty { try decode(entity) }
        if let onlyInteger {
            builders[0].append(fixed: onlyInteger)
        } else {
            try appendValues()
        }
    }

    @inline(never) private mutating func decode(_ entity: RawSpan) throws(WhenceError) {
        values = try EntityKey.values(of: entity)
        if case .int64(let value) = values.first, builders.count == 1 { onlyInteger = value } else { onlyInteger = nil }
        guard values.count == builders.count else { throw RowHeader.damagedKey("entity") }
        for (value, builder) in zip(values, builders) where value.type.columnType != builder.type { throw RowHeader.damagedKey("entity") }
    }

    @inline(never) private func appendValues() throws(WhenceError) {
        for index in builders.indices {
            switch values[index] {
            case .int64(let value): builders[index].append(fixed: value)
            case .string(let text): try builders[index].append(.string(text))
            case .bytes(let bytes): try builders[index].append(.bytes(bytes))
            case .bool(let flag): try builders[index].append(.bool(flag))
            }
        }
    }

    func finish() throws(WhenceError) -> [Column] {
        var columns: [Column] = []
        for builder in builders { columns.append(try builder.finish()) }
        return columns
    }
}
