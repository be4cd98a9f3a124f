import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Images of sorted files: a join that comes again reads them, and its answer is the one that RocksDB gives.
@Suite("Images of files") struct HistoryTests {
    private static let drivers = 1...40 as ClosedRange<Int64>

    /// A store whose views' files are read into images by the first join, or after so many walks.
    private func examples(walks: Int = 0, bytes: Int = 64 << 20) throws -> Examples {
        let it = try Examples {
            $0.historyCacheWalks = walks
            $0.historyCacheBytes = bytes
        }
        try write(it, count: 10)
        return it
    }

    /// Writes a version of every driver at each of so many minutes before noon.
    private func write(_ it: Examples, count: Int, _ offset: Int64 = 0) throws {
        let trips = try it.store.batch("trips")
        for driver in HistoryTests.drivers {
            for minutes in 1...count {
                try trips.append(
                    try Examples.key(driver), at: Examples.minute(-minutes), ["count": .int64(driver * 1000 + Int64(minutes) + offset)])
            }
        }
        try it.store.write(trips)
    }

    private func usedBytes(_ it: Examples) throws -> Int { try it.store.statistics().historyCacheUsedBytes }

    /// The counts of all drivers at a minute, by one join.
    private func counts(_ it: Examples, at minute: Int, knownAt: Timestamp? = nil) throws -> [Value] {
        let ids = HistoryTests.drivers.map { Value.int64($0) }
        let spine = ColumnBatch(
            names: ["driver", "event_time"],
            columns: [
                try Store.column(.int64, ids), try Store.column(.timestamp, ids.map { _ in .timestamp(Examples.minute(minute)) }),
            ], count: ids.count)
        let service = try it.store.catalog.resolve(features: ["trips.count"])
        var join = try it.store.join(JoinRequest(service: service, knownAt: knownAt), spine: RowsSpine([spine]))
        guard let batch = try join.next() else { return [] }
        return (0..<batch.count).map { batch.columns[2].value($0) }
    }

    private func expected(_ minutes: Int, _ offset: Int64 = 0) -> [Value] {
        HistoryTests.drivers.map { .int64($0 * 1000 + Int64(minutes) + offset) }
    }

    @Test("a view is read into images when joins have walked through it once, and not before") func paidFor() throws {
        let it = try examples(walks: 1)
        try it.store.flush("trips")
        #expect(try counts(it, at: -3) == expected(3))
        #expect(try usedBytes(it) == 0)
        #expect(try counts(it, at: -3) == expected(3))
        #expect(try usedBytes(it) > 400 * 24)
        #expect(try counts(it, at: -7) == expected(7))
        // Behind the last version of each, before the first, and between two.
        #expect(try counts(it, at: 0) == expected(1))
        #expect(try counts(it, at: -11).allSatisfy { $0 == .null })
    }

    @Test("rows in memtables, in files of level 0 and below are found beside images") func places() throws {
        let it = try examples()
        try it.store.compact("trips")
        #expect(try counts(it, at: -3) == expected(3))
        let compacted = try usedBytes(it)
        #expect(compacted > 0)
        // In the memtable: of all drivers, then of one.
        let pin = try it.store.lastCommit
        try it.write("trips", 7, at: -3, ["count": .int64(1)])
        var changed = expected(3)
        changed[6] = .int64(1)
        #expect(try counts(it, at: -3) == changed)
        #expect(try counts(it, at: -3, knownAt: pin) == expected(3))
        // In level 0.
        try it.store.flush("trips")
        #expect(try counts(it, at: -3) == changed)
        #expect(try counts(it, at: -3, knownAt: pin) == expected(3))
        try write(it, count: 5, 500)
        #expect(try counts(it, at: -3) == expected(3, 500))
        #expect(try counts(it, at: -8) == expected(8))
        // New files take the place of those that were there.
        try it.store.compact("trips")
        #expect(try counts(it, at: -3) == expected(3, 500))
        #expect(try counts(it, at: -3, knownAt: pin) == expected(3))
        #expect(try usedBytes(it) > compacted)
    }

    @Test("what retention removes and erasure erases is in no image") func removed() throws {
        let it = try examples()
        try it.store.compact("trips")
        #expect(try counts(it, at: -3) == expected(3))
        _ = try it.store.erase("driver", Examples.key(7))
        #expect(try usedBytes(it) == 0)
        var changed = expected(3)
        changed[6] = .null
        #expect(try counts(it, at: -3) == changed)
        #expect(try usedBytes(it) > 0)
        // The last version of each is what a read at the horizon finds; those before it go.
        it.clock.now = Examples.minute(30)
        #expect(try it.store.retain("trips", horizon: Examples.minute(20)).versionsRemoved > 0)
        #expect(try usedBytes(it) == 0)
        changed = expected(1)
        changed[6] = .null
        #expect(try counts(it, at: 25) == changed)
        try it.reopen()
        #expect(try counts(it, at: 25) == changed)
    }

    @Test("deletions and retractions are versions like others") func deletions() throws {
        let it = try examples()
        let batch = try it.store.batch("trips")
        try batch.appendDeletion(try Examples.key(1), at: Examples.minute(-2))
        try batch.appendRetraction(try Examples.key(2), at: Examples.minute(-3))
        try it.store.write(batch)
        try it.store.compact("trips")
        var then = expected(3)
        then[1] = .int64(2004)
        #expect(try counts(it, at: -3) == then)
        var later = expected(2)
        later[0] = .null
        #expect(try counts(it, at: -2) == later)
        #expect(try usedBytes(it) > 0)
    }

    @Test(
        "no more memory than was stated; a view that does not fit has some of its images, or none",
        arguments: [0, 1 << 10, 12 << 10, 64 << 20])
    func budget(bytes: Int) throws {
        let it = try examples(bytes: bytes)
        try it.store.flush("trips")
        try write(it, count: 3, 500)
        try it.store.flush("trips")
        for _ in 0..<3 {
            #expect(try counts(it, at: -2) == expected(2, 500))
            #expect(try counts(it, at: -9) == expected(9))
            #expect(try usedBytes(it) <= bytes)
        }
        #expect(try (usedBytes(it) > 0) == (bytes > 12 << 8))
    }

    @Test("images of the view that was read last push out those of the others") func evicted() throws {
        let roomy = try examples()
        try roomy.store.flush("trips")
        #expect(try counts(roomy, at: -3) == expected(3))
        let trips = try usedBytes(roomy)
        #expect(trips > 0)
        // Room for the larger of two images, and for nothing else.
        let it = try examples(bytes: trips + 100)
        try it.store.flush("trips")
        #expect(try counts(it, at: -3) == expected(3))
        #expect(try usedBytes(it) == trips)
        let position = try it.store.batch("position")
        for driver in HistoryTests.drivers { try position.append(try Examples.key(driver), at: Examples.minute(-5), ["lat": .float64(1)]) }
        try it.store.write(position)
        try it.store.flush("position")
        #expect(try it.value("position.lat", at: 0) == .float64(1))
        #expect(try (1..<trips).contains(usedBytes(it)))
        #expect(try counts(it, at: -3) == expected(3))
        #expect(try usedBytes(it) == trips)
    }

    @Test("keys longer than a prefix, of which many share it") func longKeys() throws {
        let it = try examples()
        let weather = try it.store.batch("weather")
        let cities = (0..<50).map { "Saint-Something-sur-Mer-\($0)" }
        for (index, city) in cities.enumerated() {
            for minutes in [10, 20] {
                try weather.append(
                    try EntityKey([.string("FR"), .string(city)]), at: Examples.minute(-minutes),
                    ["temp": .float32(Float(index * 100 + minutes))])
            }
        }
        try it.store.write(weather)
        try it.store.compact("weather")
        let names = cities + ["Saint-Something-sur-Mer", "Saint-Something-sur-Mer-", "Saint-Something-sur-Mer-500", "A", "Z"]
        let spine = ColumnBatch(
            names: ["country", "city", "event_time"],
            columns: [
                try Store.column(.string, names.map { _ in .string("FR") }), try Store.column(.string, names.map { .string($0) }),
                try Store.column(.timestamp, names.indices.map { .timestamp(Examples.minute($0 % 2 == 0 ? -10 : -11)) }),
            ], count: names.count)
        for _ in 0..<2 {
            var join = try it.store.join(
                JoinRequest(service: try it.store.catalog.resolve(features: ["weather.temp"])), spine: RowsSpine([spine]))
            let batch = try #require(try join.next())
            for index in names.indices {
                let value = Value.float32(Float(index * 100 + (index % 2 == 0 ? 10 : 20)))
                #expect(batch.columns[3].value(index) == (index < cities.count ? value : .null), "\(names[index])")
            }
            #expect(try usedBytes(it) > 0)
        }
    }
}
