import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Training sets without a list of entities: a view itself is the spine.
@Suite("Spines from a view") struct ViewSpineTests {
    private let it: Examples

    init() throws {
        it = try Examples()
        try it.write("trips", 1, at: -30, ["count": .int64(1)])
        try it.write("trips", 1, at: -10, ["count": .int64(2)])
        try it.write("trips", 1, at: -10, ["count": .int64(3)])
        try it.write("trips", 2, at: -20, ["count": .int64(4)])
        let batch = try it.store.batch("trips")
        try batch.appendDeletion(try Examples.key(2), at: Examples.minute(-5))
        try it.store.write(batch)
    }

    private func rows(_ spine: some Spine, maxRows: Int = 100) throws -> [[Value]] {
        var spine = spine
        var rows: [[Value]] = []
        while let batch = try spine.next(maxRows: maxRows) {
            #expect(batch.count <= maxRows && batch.count > 0)
            #expect(batch.names == spine.columns.map(\.name))
            rows += (0..<batch.count).map { row in batch.columns.map { $0.value(row) } }
        }
        return rows
    }

    private func at(_ minutes: Int) -> Value { .timestamp(Examples.minute(minutes)) }

    @Test("every row of a view: corrected ones once, deletions left out; entity by entity, the newest first") func scan() throws {
        let expected: [[Value]] = [
            [.int64(1), at(-10), .int64(3)], [.int64(1), at(-30), .int64(1)], [.int64(2), at(-20), .int64(4)],
        ]
        for maxRows in [1, 2, 100] {
            #expect(try rows(try it.store.scan(ScanRequest(view: "trips", features: ["count"])), maxRows: maxRows) == expected)
        }
        let range = ScanRequest(view: "trips", features: ["count"], from: Examples.minute(-20), to: Examples.minute(-10))
        #expect(try rows(try it.store.scan(range)) == [expected[2]])
        #expect(try rows(try it.store.scan(ScanRequest(view: "trips", features: [], eventTimeColumn: "t"))).map(\.count) == [2, 2, 2])
        let unknown = #expect(throws: WhenceError.self) { try it.store.scan(ScanRequest(view: "trips", features: ["colour"])) }
        #expect(unknown?.code == .unknownFeature)
        for name in ["count", "driver"] {
            let twice = #expect(throws: WhenceError.self) {
                try it.store.scan(ScanRequest(view: "trips", features: ["count"], eventTimeColumn: name))
            }
            #expect(twice?.code == .invalidArgument && twice?.message.contains("named '\(name)'") == true)
        }
        let missing = #expect(throws: WhenceError.self) { try it.store.scan(ScanRequest(view: "planes")) }
        #expect(missing?.code == .notFound)
    }

    @Test("a scan of a range of entities, both ends included; the first join keys alone stand for all that begin with them")
    func keyRange() throws {
        let other = try Examples(
            yaml: """
                entities: [{ name: leg, join_keys: [{ name: carrier, type: string }, { name: flight, type: int64 }] }]
                views: [{ name: legs, entity: leg, features: [{ name: delay, type: float64 }] }]
                """)
        let batch = try other.store.batch("legs")
        let legs: [(String, Int64)] = [("A", -5), ("A", 0), ("A", 300), ("AA", 1), ("B", 1), ("B", 70_000), ("C", 2)]
        for leg in legs {
            try batch.append(try EntityKey([.string(leg.0), .int64(leg.1)]), at: Examples.minute(0), ["delay": .float64(1)])
        }
        try other.store.write(batch)
        func scan(_ first: [KeyValue], _ last: [KeyValue]) throws -> [[Value]] {
            try rows(
                try other.store.scan(
                    ScanRequest(
                        view: "legs", features: [], firstKey: first.isEmpty ? nil : try EntityKey(first),
                        lastKey: last.isEmpty ? nil : try EntityKey(last)))
            ).map { Array($0.prefix(2)) }
        }
        func is_(_ found: [[Value]], _ range: Range<Int>) -> Bool { found == legs[range].map { [.string($0.0), .int64($0.1)] } }
        #expect(try is_(scan([], []), 0..<7))
        #expect(try is_(scan([.string("A")], [.string("A")]), 0..<3))
        #expect(try is_(scan([.string("A"), .int64(0)], [.string("B")]), 1..<6))
        #expect(try is_(scan([.string("A"), .int64(1)], [.string("B"), .int64(1)]), 2..<5))
        #expect(try is_(scan([.string("AB")], []), 4..<7))
        #expect(try is_(scan([], [.string("A"), .int64(-6)]), 0..<0))
        #expect(try is_(scan([.string("C")], [.string("B")]), 0..<0))
    }

    @Test("a scan stops after as many versions as it is told to look at, and goes on") func boundedScan() throws {
        for range in [
            ScanRequest(view: "trips", features: ["count"]),
            ScanRequest(view: "trips", features: ["count"], from: Examples.minute(-20), to: Examples.minute(-10)),
        ] {
            let expected = try rows(try it.store.scan(range))
            for versions in 1...6 {
                var scan = try it.store.scan(range)
                var found: [[Value]] = []
                var calls = 0
                while let batch = try scan.next(maxRows: 2, versions: versions) {
                    calls += 1
                    #expect(batch.count <= min(2, versions))
                    found += (0..<batch.count).map { row in batch.columns.map { $0.value(row) } }
                }
                #expect(found == expected)
                // There are five versions.
                #expect(calls >= 5 / versions, "\(versions) versions at a time")
            }
        }
    }

    @Test("a scan sees one state, also when it is pinned") func pinnedScan() throws {
        let pin = try it.store.lastCommit
        var scan = try it.store.scan(ScanRequest(view: "trips", features: ["count"]))
        #expect(try scan.next(maxRows: 1)?.count == 1)
        try it.write("trips", 1, at: -25, ["count": .int64(9)])
        try it.write("trips", 3, at: -25, ["count": .int64(9)])
        #expect(try rows(scan).count == 2)
        #expect(try rows(try it.store.scan(ScanRequest(view: "trips", features: ["count"], knownAt: pin))).count == 3)
        #expect(try rows(try it.store.scan(ScanRequest(view: "trips", features: ["count"]))).count == 5)
    }

    @Test("the entities at given instants: those for which a read finds anything") func entities() throws {
        let instants = [-40, -30, -20, -5].map(Examples.minute)
        let expected: [[Value]] = [
            [.int64(1), at(-5)], [.int64(1), at(-20)], [.int64(1), at(-30)], [.int64(2), at(-20)],
        ]
        for maxRows in [1, 3, 100] { #expect(try rows(try it.store.entities(of: "trips", at: instants), maxRows: maxRows) == expected) }
        // Only those that are not older than a stated time; an instant that is named twice counts once.
        let young = try it.store.entities(of: "trips", at: [instants[2], instants[2]], from: Examples.minute(-25))
        #expect(try rows(young) == [[.int64(2), at(-20)]])
        #expect(try rows(try it.store.entities(of: "trips", at: [])).isEmpty)
        // As served, nothing was known before noon.
        #expect(try rows(try it.store.entities(of: "trips", at: instants, asServed: true)).isEmpty)
    }

    @Test("a view joined to another one") func joined() throws {
        try it.write("position", 1, at: -12, ["lat": .float64(5)])
        let service = try it.store.catalog.resolve(features: ["position.lat"])
        var join = try it.store.join(
            JoinRequest(service: service), spine: try it.store.scan(ScanRequest(view: "trips", features: ["count"])))
        let batch = try #require(try join.next())
        #expect(batch.names == ["driver", "event_time", "count", "position.lat"])
        #expect((0..<3).map { batch.columns[3].value($0) } == [.float64(5), .null, .null])
    }
}
