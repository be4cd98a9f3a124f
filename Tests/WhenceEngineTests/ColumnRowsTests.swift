import RandomFixtures
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Columns become the rows that were written down in them.
@Suite("Rows in columns") struct ColumnRowsTests {
    /// A row as a writer means it: what it is, and the values of the features that it carries.
    private struct Row {
        var driver: Int64
        var time: Timestamp
        var kind = VersionKind.row
        var values: [String: Value] = [:]
    }

    private static let features: [(name: String, type: FeatureType)] = [("count", .int64), ("rating", .float64), ("note", .string)]

    private static func column(_ type: FeatureType, _ values: [Value]) throws -> Column {
        let builder = ColumnBuilder(type)
        for value in values { try builder.append(value) }
        return try builder.finish()
    }

    private static func batch(_ rows: [Row], kinds: [Value]? = nil) throws -> ColumnBatch {
        var names = ["driver", "at", ColumnRows.kindColumn]
        let stated = rows.map { row -> Value in row.kind == .row ? .null : .string(row.kind == .deletion ? "deletion" : "retraction") }
        var columns = [
            try column(.int64, rows.map { .int64($0.driver) }), try column(.timestamp, rows.map { .timestamp($0.time) }),
            try column(.string, kinds ?? stated),
        ]
        for (name, type) in features {
            names += [name, ColumnRows.carriesColumn(name)]
            columns.append(try column(type, rows.map { $0.values[name] ?? .null }))
            columns.append(try column(.bool, rows.map { .bool($0.values[name] != nil) }))
        }
        return ColumnBatch(names: names, columns: columns, count: rows.count)
    }

    private static func random(_ count: Int, _ random: inout SeededRandom) -> [Row] {
        (0..<count).map { number in
            // No two versions of one time: which of them a batch takes is for other tests.
            var row = Row(driver: Int64.random(in: 0..<9, using: &random), time: Examples.minute(-1_000 + number))
            switch Int.random(in: 0..<10, using: &random) {
            case 0: row.kind = .deletion
            case 1: row.kind = .retraction
            default:
                let values: [Value] = [.int64(Int64(number)), .float64(Double(number) / 2), .string("note \(number)")]
                for (index, feature) in features.enumerated() {
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: break
                    case 1: row.values[feature.name] = .null
                    default: row.values[feature.name] = values[index]
                    }
                }
            }
            return row
        }
    }

    @Test("nulls, absent features, deletions and retractions, as ordinary writes and as backfills", arguments: [false, true])
    func sameAsRowByRow(backfill: Bool) throws {
        let seed = SeededRandom.seed()
        var random = SeededRandom(seed: seed)
        let rows = Self.random(500, &random)
        let (byRow, byColumn) = (try Examples(), try Examples())
        func fill(_ it: Examples, _ body: (RowBatch) throws -> Void) throws {
            if backfill {
                let bulk = try it.store.backfill("trips")
                try body(try bulk.rows())
                _ = try bulk.publish()
            } else {
                let batch = RowBatch(try it.store.catalog.view(named: "trips"))
                try body(batch)
                _ = try it.store.write(batch)
            }
        }
        try fill(byRow) { batch in
            for row in rows {
                let key = try Examples.key(row.driver)
                if row.kind == .row {
                    try batch.append(key, at: row.time, row.values)
                } else {
                    try row.kind == .deletion ? batch.appendDeletion(key, at: row.time) : batch.appendRetraction(key, at: row.time)
                }
            }
        }
        try fill(byColumn) { batch in
            let columns = try Self.batch(rows)
            let mapping = try ColumnRows(
                try byColumn.store.catalog.view(named: "trips"),
                columns: zip(columns.names, columns.columns).map { SpineColumn(name: $0, type: $1.type) }, eventTimeColumn: "at",
                missingIsNull: Bool.random(using: &random))
            try mapping.append(columns, rows: 0..<columns.count, to: batch)
        }
        for driver in 0..<9 as Range<Int64> {
            func told(_ it: Examples) throws -> [String] {
                try it.store.history("trips", try Examples.key(driver)).map { "\($0.kind) \($0.eventTime) \($0.values)" }
            }
            #expect(try told(byColumn) == told(byRow), "WHENCE_SEED=\(seed)")
        }
    }

    @Test("what contradicts itself is refused, with the row") func contradictions() throws {
        let it = try Examples()
        let view = try it.store.catalog.view(named: "trips")
        func refusal(_ rows: [Row], kinds: [Value]? = nil, _ change: (inout ColumnBatch) throws -> Void = { _ in }) throws -> String {
            var columns = try Self.batch(rows, kinds: kinds)
            try change(&columns)
            do {
                let mapping = try ColumnRows(
                    view, columns: zip(columns.names, columns.columns).map { SpineColumn(name: $0, type: $1.type) }, eventTimeColumn: "at")
                try mapping.append(columns, rows: 0..<columns.count, to: RowBatch(view))
                return "none"
            } catch {
                return "\(error)"
            }
        }
        let row = Row(driver: 1, time: Examples.noon, values: ["count": .int64(1)])
        let deletion = Row(driver: 1, time: Examples.noon, kind: .deletion)
        #expect(try refusal([row, deletion]) == "none")
        #expect(try refusal([row, deletion], kinds: [.string("row"), .string("")]) == "none")
        #expect(try refusal([row], kinds: [.string("tombstone")]).contains("row 1: '_kind' holds what is no kind of row"))
        #expect(
            try refusal([deletion, row], kinds: [.string("deletion"), .string("retraction")]).contains("row 2: a retraction carries no"))
        let uncarried = try refusal([row]) { $0 = try Self.replacing($0, "_carries.count", .bool, [.bool(false)]) }
        #expect(uncarried.contains("'count' has a value, and '_carries.count' says that the row does not carry it"))
        #expect(
            try refusal([row]) { $0 = try Self.replacing($0, "_carries.count", .int64, [.int64(1)]) }.contains("is bool, and holds int64"))
        // Of a feature that is not there nothing can be said.
        let alone = try refusal([row]) { batch in
            batch = ColumnBatch(names: batch.names.map { $0 == "note" ? "_carries.speed" : $0 }, columns: batch.columns, count: batch.count)
        }
        #expect(alone.contains("has no feature '_carries."))
    }

    private static func replacing(_ batch: ColumnBatch, _ name: String, _ type: FeatureType, _ values: [Value]) throws -> ColumnBatch {
        let columns = try zip(batch.names, batch.columns).map { $0 == name ? try column(type, values) : $1 }
        return ColumnBatch(names: batch.names, columns: columns, count: batch.count)
    }
}
