import Foundation
import RandomFixtures
import StoreFixtures
import Synchronization
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Joins whose spine does not fit into memory: the same answers through temporary files, of which nothing is left.
@Suite("Joins that spill") struct SpilledJoinTests {
    static let yaml = """
        entities:
          - { name: user, join_keys: [{ name: user, type: int64 }] }
          - { name: place, join_keys: [{ name: town, type: string }, { name: number, type: int64 }] }
        views:
          - name: counts
            entity: user
            features: [{ name: a, type: float64 }, { name: b, type: float64 }]
          - name: words
            entity: user
            features: [{ name: text, type: string }, { name: marks, type: "list<string>" }, { name: is_new, type: bool }]
          - name: weather
            entity: place
            features: [{ name: temp, type: float32 }]
        services:
          - name: all
            features:
              - { view: counts, prefix: "" }
              - { view: words, prefix: "" }
              - { view: weather, prefix: "" }
              - { view: counts, join_keys: { user: other }, prefix: other_ }
        """
    private let it: Examples
    private let seed = SeededRandom.seed()
    private static let users = 40
    private static let towns = ["Aalen", "Aalen-West", "a town whose name is longer than eight bytes", ""]

    init() throws {
        it = try Examples(yaml: SpilledJoinTests.yaml)
        var random = SeededRandom(seed: seed)
        let counts = try it.store.batch("counts")
        let words = try it.store.batch("words")
        for user in 0..<Int64(SpilledJoinTests.users) {
            let key = try EntityKey([.int64(user)])
            for minute in stride(from: -200, to: 0, by: 20) {
                var values: [String: Value] = ["a": .float64(Double(user) + Double(minute) / 1000)]
                if !random.chance(1, 3) { values["b"] = random.chance(1, 4) ? .null : .float64(Double(minute)) }
                try counts.append(key, at: Examples.minute(minute + random.below(15)), values)
                guard user % 3 != 0 else { continue }
                try words.append(
                    key, at: Examples.minute(minute + random.below(15)),
                    [
                        "text": .string(String(repeating: "w", count: random.below(300))),
                        "marks": .list((0..<random.below(4)).map { .string("mark \($0)") }), "is_new": .bool(random.chance(1, 2)),
                    ])
            }
        }
        let weather = try it.store.batch("weather")
        for town in SpilledJoinTests.towns {
            for number in 0..<3 as Range<Int64> {
                try weather.append(
                    try EntityKey([.string(town), .int64(number)]), at: Examples.minute(-100 + random.below(50)),
                    ["temp": .float32(Float(random.below(40)))])
            }
        }
        try it.store.write([counts, words, weather])
    }

    /// A spine in batches of random sizes, some of them empty.
    private func spine(_ rows: Int, largestBatch: Int) throws -> [ColumnBatch] {
        var random = SeededRandom(seed: seed &+ UInt64(rows))
        var batches: [ColumnBatch] = []
        var row = 0
        while row < rows {
            let count = min(rows - row, random.below(largestBatch + 1))
            let users = ColumnBuilder(.int64)
            let others = ColumnBuilder(.scalar(.int32))
            let (towns, numbers) = (ColumnBuilder(.string), ColumnBuilder(.int64))
            let times = ColumnBuilder(.timestamp)
            let (labels, flags, notes) = (ColumnBuilder(.string), ColumnBuilder(.bool), ColumnBuilder(.list(.string)))
            for index in row..<(row + count) {
                let null = random.chance(1, 20)
                try users.append(null ? .null : .int64(Int64(random.below(SpilledJoinTests.users + 2))))
                try others.append(random.chance(1, 2) ? .null : .int32(Int32(random.below(SpilledJoinTests.users))))
                try towns.append(random.chance(1, 10) ? .null : .string(SpilledJoinTests.towns[random.below(SpilledJoinTests.towns.count)]))
                try numbers.append(.int64(Int64(random.below(4))))
                try times.append(.timestamp(Examples.minute(-210 + random.below(215))))
                try labels.append(.string("row \(index)"))
                try flags.append(random.chance(1, 5) ? .null : .bool(random.chance(1, 2)))
                try notes.append(random.chance(1, 5) ? .null : .list((0..<random.below(3)).map { .string("note \($0)") }))
            }
            batches.append(
                ColumnBatch(
                    names: ["user", "other", "town", "number", "event_time", "label", "flag", "notes"],
                    columns: try [users, others, towns, numbers, times, labels, flags, notes].map { try $0.finish() }, count: count))
            row += count
        }
        return batches
    }

    private func request(_ change: (inout JoinRequest) -> Void = { _ in }) throws -> JoinRequest {
        var request = JoinRequest(service: try it.store.catalog.resolve(service: "all"))
        change(&request)
        return request
    }

    private func run(_ batches: [ColumnBatch], _ request: JoinRequest) throws -> (rows: [[Value]], spilled: Int, blocks: Int) {
        var join = try it.store.join(request, spine: RowsSpine(batches))
        var rows: [[Value]] = []
        var blocks = 0
        while let block = try join.next() {
            for row in 0..<block.count { rows.append(block.columns.map { $0.value(row) }) }
            blocks += 1
        }
        #expect(try join.next() == nil)
        return (rows, join.spilledBytes, blocks)
    }

    private func temporaryFiles() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: it.path + "/tmp") }

    @Test("the same bits as in memory and in blocks, whatever the memory, the threads and the batches") func identical() throws {
        print("identical: WHENCE_SEED=\(seed)")
        for (rows, largest) in [(2000, 40), (12_000, 5000)] {
            let batches = try spine(rows, largestBatch: largest)
            let expected = try run([try ColumnBatch(concatenating: batches)], try request { $0.threads = 1 })
            #expect(expected.rows.count == rows && expected.spilled == 0 && expected.blocks == 1)
            #expect(Set(expected.rows.map { $0.suffix(8) }).count > 100, "the rows differ")
            #expect(try run(batches, try request { $0.spill = .never }).rows == expected.rows, "WHENCE_SEED=\(seed)")
            for (memory, threads) in [(1, 1), (1, 3), (200_000, 2), (2_000_000, 2)] {
                for asServed in [false, true] where !asServed || threads == 2 {
                    let found = try run(
                        batches,
                        try request {
                            $0.memoryBytes = memory
                            $0.threads = threads
                            $0.asServed = asServed
                        })
                    let same = try asServed ? run(batches, try request { $0.asServed = true }).rows : expected.rows
                    #expect(found.rows == same, "WHENCE_SEED=\(seed): \(rows) rows, \(memory) bytes, \(threads) threads")
                    #expect(found.spilled == 0 || found.blocks > 1)
                    if memory < 1_000_000 { #expect(found.spilled > 0, "\(rows) rows do not fit into \(memory) bytes") }
                }
            }
        }
        #expect(try temporaryFiles() == [])
    }

    @Test("a spine that fits into memory writes nothing, in however many batches it comes") func fits() throws {
        let found = try run(try spine(2000, largestBatch: 100), try request { $0.spill = .inDirectory("/nowhere") })
        #expect(found.rows.count == 2000 && found.spilled == 0)
    }

    @Test("all of it sees one state, and commits meanwhile are not in it") func oneState() throws {
        let batches = try spine(3000, largestBatch: 400)
        let expected = try run(batches, try request())
        var join = try it.store.join(try request { $0.memoryBytes = 1 }, spine: RowsSpine(batches))
        var rows: [[Value]] = []
        var blocks = 0
        while let block = try join.next() {
            for row in 0..<block.count { rows.append(block.columns.map { $0.value(row) }) }
            blocks += 1
            #expect(try temporaryFiles() == [], "what has no name cannot be left behind, however the process ends")
            if blocks == 2 {
                let batch = try it.store.batch("counts")
                for user in 0..<Int64(SpilledJoinTests.users) {
                    try batch.append(try EntityKey([.int64(user)]), at: Examples.minute(-300), ["a": .float64(-1)])
                }
                try it.store.write(batch)
            }
        }
        #expect(rows == expected.rows)
        #expect(try run(batches, try request { $0.memoryBytes = 1 }).rows != expected.rows, "a new join sees them")
        #expect(
            try run(
                batches,
                try request {
                    $0.memoryBytes = 1
                    $0.knownAt = join.knownAt
                }
            ).rows == expected.rows, "and one that is pinned does not")
    }

    @Test("a directory that is not there, or is a file, is named, with the way out; nothing is left") func unwritable() throws {
        let batches = try spine(500, largestBatch: 50)
        let file = it.path + "/FORMAT"
        for directory in [it.path + "/not-there", file] {
            var join = try it.store.join(
                try request {
                    $0.memoryBytes = 1
                    $0.spill = .inDirectory(directory)
                }, spine: RowsSpine(batches))
            do throws(WhenceError) {
                _ = try join.next()
                Issue.record("a join spilled into \(directory)")
            } catch {
                #expect(error.code == .permissionDenied && error.place == directory, "\(error)")
                #expect(error.hint.contains("more memory"))
            }
            #expect(try join.next() == nil, "an error ends the join")
        }
        #expect(try temporaryFiles() == [])
    }

    @Test("errors amid the spine end the join and leave no files") func badSpine() throws {
        var batches = try spine(500, largestBatch: 50)
        let times = try Store.column(.timestamp, [.null])
        let last = try #require(batches.last { $0.count > 0 })
        let one = ColumnBatch(
            names: last.names,
            columns: try zip(last.names, last.columns).map { name, column in
                name == "event_time" ? times : try Store.column(column.type, [column.value(0)])
            }, count: 1)
        batches.append(one)
        var join = try it.store.join(try request { $0.memoryBytes = 1 }, spine: RowsSpine(batches))
        do throws(WhenceError) {
            _ = try join.next()
            Issue.record("a row without a time was joined")
        } catch {
            #expect(error.code == .invalidTime && error.place.contains("row 501"), "\(error)")
        }
        #expect(try join.next() == nil)
        var other = try it.store.join(
            try request { $0.memoryBytes = 1 },
            spine: RowsSpine(try spine(500, largestBatch: 50) + [ColumnBatch(names: one.names.reversed(), columns: one.columns, count: 1)]))
        #expect(throws: WhenceError.self) { _ = try other.next() }
        #expect(try temporaryFiles() == [])
    }

    @Test("a store that is open for reading only is joined in blocks, unless a directory is named") func readOnly() throws {
        let batches = try spine(1000, largestBatch: 100)
        let expected = try run(batches, try request())
        it.close()
        var options = StoreOptions()
        options.readOnly = true
        let store = try Store(at: it.path, options: options)
        let scratch = try ScratchDirectory()
        let service = try store.catalog.resolve(service: "all")
        for (spill, spills) in [(JoinSpill.inStore, false), (.inDirectory(scratch.path("")), true)] {
            var join = try store.join(JoinRequest(service: service, memoryBytes: 1, spill: spill), spine: RowsSpine(batches))
            var rows: [[Value]] = []
            while let block = try join.next() {
                for row in 0..<block.count { rows.append(block.columns.map { $0.value(row) }) }
            }
            #expect(rows == expected.rows)
            #expect((join.spilledBytes > 0) == spills)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("")) == [])
    }

    @Test("says how far it is: up to all rows of the spine, then up to all that are looked up") func progress() throws {
        let seen = Mutex<[JoinProgress]>([])
        let batches = try spine(3000, largestBatch: 200)
        _ = try run(
            batches,
            try request {
                $0.memoryBytes = 1
                $0.progress = { progress in seen.withLock { $0.append(progress) } }
            })
        let steps = seen.withLock { $0 }
        #expect(steps.contains(.spine(rows: 3000)))
        let lookups = steps.compactMap { if case .lookup(let rows, let total) = $0 { (rows, total) } else { nil } }
        #expect(lookups.allSatisfy { $0.1 == 9000 }, "three groups of join keys")
        #expect(zip(lookups, lookups.dropFirst()).allSatisfy { $0.0 < $1.0 })
        // Rows without an entity need no look.
        #expect(lookups.last.map { $0.0 > 6000 && $0.0 < 9000 } == true)
    }
}
