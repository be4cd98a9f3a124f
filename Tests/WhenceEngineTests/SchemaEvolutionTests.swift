import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Definitions change while the rows that were written under the old ones stay as they are.
@Suite("Schema evolution") struct SchemaEvolutionTests {
    private static func yaml(_ features: String) -> String {
        """
        entities:
          - { name: driver, join_keys: [{ name: driver, type: int64 }] }
        views:
          - name: trips
            entity: driver
            features: [\(features)]
        """
    }

    private let it: Examples

    init() throws {
        it = try Examples(
            yaml: SchemaEvolutionTests.yaml("{ name: count, type: int32 }, { name: rating, type: float32 }, { name: note, type: string }"))
        try it.write(at: -30, ["count": .int32(1), "rating": .float32(1.5), "note": .string("old")])
        #expect(try it.latest("trips.count") == [.int32(1)])
    }

    @Test("a feature is added: absent in old rows, looked for behind sparse new ones") func added() throws {
        try it.store.define(
            SchemaEvolutionTests.yaml(
                "{ name: tags, type: 'list<string>' }, { name: count, type: int32 }, { name: rating, type: float32 }, { name: note, type: string }"
            ))
        #expect(try it.latest("trips.tags", "trips.count") == [.null, .int32(1)])
        try it.write(at: -20, ["tags": .list([.string("a"), .string("")])])
        try it.write(at: -10, ["count": .int32(2)])
        let expected: [Value] = [.list([.string("a"), .string("")]), .int32(2), .string("old")]
        for _ in 0..<2 {
            #expect(try it.latest("trips.tags", "trips.count", "trips.note") == expected)
            #expect(try it.store.values(["trips.tags", "trips.count", "trips.note"], "driver", 1, at: Examples.noon) == expected)
            try it.store.compact("trips")
            try it.reopen()
        }
        #expect(try it.value("trips.tags", at: -25) == .null)
    }

    @Test("a feature is widened: old rows are read as the wider type") func widened() throws {
        try it.store.define(
            SchemaEvolutionTests.yaml("{ name: count, type: int64 }, { name: rating, type: float64 }, { name: note, type: string }"))
        #expect(try it.latest("trips.count", "trips.rating") == [.int64(1), .float64(1.5)])
        try it.write(at: -20, ["count": .int64(1 << 40)])
        #expect(try it.store.values(["trips.count", "trips.rating"], "driver", 1, at: Examples.noon) == [.int64(1 << 40), .float64(1.5)])
        #expect(try it.value(at: -25) == .int64(1))
        #expect(throws: WhenceError.self) {
            try it.store.define(
                SchemaEvolutionTests.yaml("{ name: count, type: int32 }, { name: rating, type: float64 }, { name: note, type: string }"))
        }
    }

    @Test("a feature is retired: no longer read or written, and still in the history") func retired() throws {
        try it.store.define(SchemaEvolutionTests.yaml("{ name: count, type: int32 }, { name: rating, type: float32 }"))
        #expect(throws: WhenceError.self) { try it.value("trips.note", at: 0) }
        #expect(throws: WhenceError.self) { try it.write(at: -5, ["note": .string("new")]) }
        #expect(try it.latest("trips.count") == [.int32(1)])
        #expect(try it.store.history("trips", try Examples.key(1)).first?.values.map(\.name).sorted() == ["count", "note", "rating"])
        var scan = try it.store.scan(ScanRequest(view: "trips"))
        #expect(try scan.next(maxRows: 10)?.names == ["driver", "event_time", "count", "rating"])
        let retired = try it.store.history("trips", try Examples.key(1)).first?.values.first { $0.name == "note" }?.field
        try it.store.define(
            SchemaEvolutionTests.yaml("{ name: count, type: int32 }, { name: rating, type: float32 }, { name: note, type: string }"))
        try it.write(at: -5, ["note": .string("of the new one")])
        let versions = try it.store.history("trips", try Examples.key(1))
        let fields = versions.compactMap { $0.values.first { $0.name == "note" }?.field }
        #expect(fields.count >= 2 && fields.last == retired && fields.first != retired)
    }

    @Test("a batch that was made before may still be written, alone") func olderBatch() throws {
        let older = try it.store.batch("trips")
        try older.append(try Examples.key(1), at: Examples.minute(-5), ["count": .int32(5), "note": .string("made before")])
        try it.store.define(
            SchemaEvolutionTests.yaml(
                "{ name: extra, type: bool }, { name: count, type: int64 }, { name: rating, type: float32 }, { name: note, type: string }"))
        let newer = try it.store.batch("trips")
        try newer.append(try Examples.key(1), at: Examples.minute(-4), ["extra": .bool(true)])
        #expect(throws: WhenceError.self) { try it.store.write([older, newer]) }
        #expect(try it.value(at: 0) == .int64(1))
        try it.store.write(older)
        try it.store.write(newer)
        #expect(
            try it.store.values(["trips.extra", "trips.count", "trips.note"], "driver", 1, at: Examples.noon) == [
                .bool(true), .int64(5), .string("made before"),
            ])
    }

    @Test("a plan that was made before another was applied is refused, and nothing of it is done") func stalePlan() throws {
        let plan = try it.store.plan(
            try Definitions.parse(
                yaml: SchemaEvolutionTests.yaml(
                    "{ name: count, type: int64 }, { name: rating, type: float32 }, { name: note, type: string }"), file: "a"))
        try it.store.define(
            "entities: [{ name: city, join_keys: [{ name: city, type: string }] }]\nviews: [{ name: weather, entity: city, features: [{ name: temp, type: float64 }] }]"
        )
        #expect(throws: WhenceError.self) { try it.store.apply(plan) }
        #expect(try it.latest("trips.count") == [.int32(1)])
        try it.reopen()
        #expect(try it.store.catalog.views.keys.sorted() == ["trips", "weather"])
        #expect(try it.latest("trips.count") == [.int32(1)])
    }
}
