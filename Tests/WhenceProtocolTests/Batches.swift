import RandomFixtures

@testable import WhenceCore
@testable import WhenceProtocol

extension ColumnBatch {
    /// A batch of one column a type, with the values given row by row.
    init(_ columns: [(name: String, type: FeatureType, values: [Value])]) throws {
        var built: [Column] = []
        for (_, type, values) in columns {
            let builder = ColumnBuilder(type)
            for value in values { try builder.append(value) }
            built.append(try builder.finish())
        }
        self.init(names: columns.map(\.name), columns: built, count: columns.first?.values.count ?? 0)
    }

    /// The values, column by column.
    var values: [[Value]] { columns.map { column in (0..<column.count).map { column.value($0) } } }

    /// Whether the other has the same columns with the same values, to the bit.
    func isIdentical(to other: ColumnBatch) -> Bool {
        BatchSchema(of: self) == BatchSchema(of: other) && count == other.count
            && zip(values, other.values).allSatisfy { zip($0, $1).allSatisfy { $0.isIdentical(to: $1) } }
    }
}

extension SeededRandom {
    /// A batch of `rows` rows with columns of any type; about one value in four is missing, in some columns none.
    mutating func batch(rows: Int, maxColumns: Int = 6) throws -> ColumnBatch {
        let columns = below(maxColumns + 1)
        if columns == 0 { return ColumnBatch(names: [], columns: [], count: rows) }
        return try ColumnBatch(
            (0..<columns).map { index in
                let type = featureType()
                let full = below(3) == 0
                return ("c\(index)", type, (0..<rows).map { _ in !full && below(4) == 0 ? .null : value(type) })
            })
    }
}
