import Foundation
import RandomFixtures
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore

@testable import WhenceEngine

/// Sorted runs on disk, and their merge: against sorting everything in memory.
@Suite("Runs") struct RunTests {
    private let scratch: ScratchDirectory
    private let seed = SeededRandom.seed()

    init() throws { scratch = try ScratchDirectory() }

    fileprivate struct Entry: Equatable {
        var key: [UInt8]
        var row: [UInt8]
    }

    private func file() throws(WhenceError) -> SpillFile { try SpillFile(in: scratch.path, for: "the test") }

    /// A run of random entries; keys repeat within it and among runs. The row says where it came from.
    private func entries(_ run: Int, _ random: inout SeededRandom, atMost count: Int) -> [Entry] {
        let made = (0..<random.below(count + 1)).map { index in
            // Some keys begin as others do, and longer than eight bytes.
            let stem = [UInt8](repeating: 7, count: random.below(3) * 6)
            let times = [UInt8](repeating: 0, count: 14) + [UInt8(random.below(3)), UInt8(random.below(3))]
            return Entry(
                key: stem + [UInt8(1 + random.below(4))] + times,
                row: Array("\(run).\(index)".utf8) + [UInt8](repeating: 0, count: random.chance(1, 50) ? 9000 : random.below(20)))
        }
        return made.enumerated().sorted { a, b in
            a.element.key == b.element.key ? a.offset < b.offset : a.element.key.lexicographicallyPrecedes(b.element.key)
        }.map(\.element)
    }

    private func write(_ entries: [Entry], to file: SpillFile) throws -> Run {
        var buffer = VersionBuffer()
        for entry in entries {
            let start = buffer.bytes.count
            buffer.bytes += entry.key
            let keyEnd = buffer.bytes.count
            buffer.bytes += entry.row
            buffer.close(start: start, keyEnd: keyEnd)
        }
        return try Run(writing: buffer, to: file)
    }

    private func read(_ merged: consuming MergedRuns) throws -> [Entry] {
        var found: [Entry] = []
        while !merged.isAtEnd {
            let length = merged.current.currentKeyLength
            let bytes = merged.current.withEntry { entry in unsafe entry.withUnsafeBytes { unsafe Array($0) } }
            found.append(Entry(key: Array(bytes[..<length]), row: Array(bytes[length...])))
            try merged.next()
        }
        return found
    }

    /// All entries in the order of their keys, those of one key in the order of their runs.
    private func sorted(_ runs: [[Entry]]) -> [Entry] {
        runs.joined().enumerated().sorted { a, b in
            a.element.key == b.element.key ? a.offset < b.offset : a.element.key.lexicographicallyPrecedes(b.element.key)
        }.map(\.element)
    }

    @Test("merged in the order of keys, then of runs, for any number of runs, empty ones among them") func merges() throws {
        print("merges: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        for count in [0, 1, 2, 3, 5, 8, 17, 64] {
            let file = try file()
            let made = (0..<count).map { entries($0, &random, atMost: 40) }
            let runs = try made.map { try write($0, to: file) }
            let all = sorted(made)
            #expect(try read(MergedRuns(runs, windowBytes: 1)) == all, "WHENCE_SEED=\(seed): \(count) runs")
            guard let start = all.randomKey(&random), let end = all.randomKey(&random) else { continue }
            let within = all.filter { !$0.key.lexicographicallyPrecedes(start) && $0.key.lexicographicallyPrecedes(end) }
            #expect(
                try read(MergedRuns(runs, from: start, to: end, windowBytes: 1 << 16)) == within,
                "WHENCE_SEED=\(seed): a range of \(count) runs"
            )
        }
    }

    @Test("thousands of runs: in passes, no more at once than stated, and nothing written more often than it must") func passes() throws {
        print("passes: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        for (count, fanIn, passes) in [(64, 64, 0), (65, 64, 1), (3000, 64, 1), (3000, 3, 7), (5000, 64, 2)] {
            let first = try file()
            let made = (0..<count).map { entries($0, &random, atMost: 5) }
            let runs = try made.map { try write($0, to: first) }
            let total = runs.reduce(0) { $0 + $1.range.count }
            var files: [SpillFile] = []
            let reduced = try MergedRuns.reduce(runs, fanIn: fanIn, windowBytes: 4096, threads: 2) { () throws(WhenceError) in
                files.append(try file())
                return files[files.count - 1]
            }
            #expect(reduced.count <= fanIn && files.count == passes, "\(count) runs, \(fanIn) at once: \(files.count) passes")
            #expect(reduced.reduce(0) { $0 + $1.range.count } == total)
            if count == 65 { #expect(files[0].byteCount == runs[0].range.count + runs[1].range.count, "two runs are one too many") }
            #expect(
                try read(MergedRuns(reduced, windowBytes: 4096)) == sorted(made), "WHENCE_SEED=\(seed): \(count) runs, \(fanIn) at once")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [])
    }

    @Test("a backfill of thousands of runs is the one that fits into memory, row by row") func backfill() throws {
        print("backfill: WHENCE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        let spilled = try Examples()
        let whole = try Examples()
        let fills = try [
            Backfill(spilled.store, spilled.store.view("trips"), runBytes: 150), Backfill(whole.store, whole.store.view("trips")),
        ]
        for index in 0..<6000 {
            let id = Int64(random.below(50))
            let minute = -random.below(30)
            var values: [String: Value] = [:]
            if random.chance(1, 2) { values["count"] = .int64(Int64(index)) }
            if random.chance(1, 2) { values["rating"] = random.chance(1, 5) ? .null : .float64(Double(index)) }
            for fill in fills {
                let rows = try fill.rows()
                if index % 17 == 0 {
                    try rows.appendDeletion(try Examples.key(id), at: Examples.minute(minute))
                } else {
                    try rows.append(try Examples.key(id), at: Examples.minute(minute), values)
                }
            }
        }
        for fill in fills { _ = try fill.publish() }
        #expect(fills[0].spilledBytes > 0 && fills[1].spilledBytes == 0)
        for id in 0..<50 as Range<Int64> {
            let key = try Examples.key(id)
            let (found, expected) = (try spilled.store.history("trips", key), try whole.store.history("trips", key))
            #expect(found.map(\.eventTime) == expected.map(\.eventTime) && found.map(\.kind) == expected.map(\.kind), "WHENCE_SEED=\(seed)")
            #expect(found.map { "\($0.values)" } == expected.map { "\($0.values)" }, "WHENCE_SEED=\(seed): driver \(id)")
        }
    }
}

extension [RunTests.Entry] {
    fileprivate func randomKey(_ random: inout SeededRandom) -> [UInt8]? { isEmpty ? nil : self[random.below(count)].key }
}
