import RandomFixtures
import Testing
import WhenceCore

/// Rows of several schemas into columns, against the same said with values.
@Suite struct RowProjectionTests {
    /// What a later schema makes of `schema`: some features retired, some widened, some added.
    static func evolved(_ schema: Schema, _ random: inout SeededRandom) -> Schema {
        var fields: [SchemaField] = []
        for field in schema.fields where random.below(6) > 0 {
            let wider = [FeatureType.int64, .float64].filter { field.type.widens(to: $0) }
            fields.append(
                SchemaField(
                    id: field.id, name: field.name,
                    type: wider.isEmpty || random.below(2) == 0 ? field.type : wider[random.below(wider.count)]))
        }
        for id in 100..<(100 + random.below(3)) {
            fields.append(SchemaField(id: UInt32(id), name: "n\(id)", type: random.featureType()))
        }
        return Schema(id: schema.id + 1, fields: fields.shuffled(using: &random))
    }

    static func widened(_ value: Value, to type: FeatureType) -> Value {
        switch (value, type) {
        case (.int32(let number), .scalar(.int64)): .int64(Int64(number))
        case (.int32(let number), .scalar(.float64)): .float64(Double(number))
        case (.float32(let number), .scalar(.float64)): .float64(Double(number))
        default: value
        }
    }

    @Test func columnsHoldWhatTheRowsSay() throws {
        var random = SeededRandom.printed()
        for _ in 0..<300 {
            // Often all eight bytes wide, or all of fixed widths, which are read in ways of their own.
            let types: [FeatureType] = [[.int64, .float64, .timestamp], [.bool, .int32, .float32, .vector(dimension: 2)], []][
                random.below(3)]
            let first = Schema(
                id: 1,
                fields: (0..<(1 + random.below(9))).map {
                    SchemaField(
                        id: UInt32($0), name: "f\($0)", type: types.isEmpty ? random.featureType() : types[random.below(types.count)])
                })
            let second = RowProjectionTests.evolved(first, &random)
            let layouts = [RowLayout(first), RowLayout(second)]
            let targets = second.fields.filter { _ in random.below(4) > 0 }
            let projection = RowProjection(targets: targets.map { .init(featureID: $0.id, type: $0.type) }, layouts: layouts)
            let columns = ProjectedColumns(projection, count: 12, withEventTimes: true)
            var decoder = RowDecoder(projection, into: columns)
            var expected: [[Value]] = []
            for row in (0..<12).shuffled(using: &random) {
                var answer: [UInt32: Value] = [:]
                var answered: Timestamp?
                var isDone = false
                // From the newest version on, until nothing is missing.
                for age in 0..<random.below(4) where !isDone {
                    let layout = layouts[random.below(2)]
                    let event = Timestamp(microseconds: Int64(1_000 - age))
                    let values = RowCodecTests.random(&random, layout.schema)
                    let bytes = try RowCodecTests.encode(values, layout)
                    let span = unsafe bytes.span.bytes
                    let header = try RowHeader(span)
                    for (index, field) in layout.schema.fields.enumerated() {
                        guard let value = values[index], answer[field.id] == nil, let target = targets.first(where: { $0.id == field.id })
                        else { continue }
                        answer[field.id] = RowProjectionTests.widened(value, to: target.type)
                        answered = answered ?? event
                    }
                    if age == 0 {
                        if try decoder.decodeDense(row, version: span, header: header, eventTime: event) {
                            isDone = true
                            answered = event
                            continue
                        }
                        decoder.begin(row)
                    }
                    isDone = try decoder.take(span, header: header, eventTime: event)
                }
                expected.append(
                    [.int64(Int64(row))] + targets.map { answer[$0.id] ?? .null } + [answered.map { .timestamp($0) } ?? .null])
            }
            let finished = try columns.finish()
            for line in expected {
                guard case .int64(let row) = line[0] else { continue }
                for (column, value) in zip(finished, line.dropFirst()) {
                    #expect(column.value(Int(row)).isIdentical(to: value), "\(column.type.name) row \(row)")
                }
            }
        }
    }
}
