import RandomFixtures
import Testing
import WhenceCore

@testable import WhenceEngine

/// The table of the cache of latest rows, against a dictionary.
@Suite("The table of the cache of latest rows") struct EntryTableTests {
    private func entry(_ number: Int) -> LatestEntry {
        LatestEntry(
            view: 1, entityLength: 0, bytes: [], versions: [], validFrom: Timestamp(microseconds: Int64(number)), validUntil: .distantFuture
        )
    }

    @Test("what is put in is found until it is taken out, however hashes collide", arguments: [4, 64, Int.max])
    func random(hashes: Int) throws {
        let seed = SeededRandom.seed()
        var random = SeededRandom(seed: seed)
        var table = EntryTable()
        var expected: [UInt64: Timestamp] = [:]
        // Where there are few, half of them begin at one slot, and runs of them go round the end of the table.
        var all: [UInt64] = []
        for number in 0..<UInt64(min(hashes, 3000)) {
            all.append(hashes == .max ? random.next() : number % 2 == 0 ? number << 40 | 7 : number)
        }
        for step in 0..<20_000 {
            let hash = random.pick(all)
            if random.chance(1, 2) {
                let old = table.insert(entry(step), hash)
                #expect(old?.validFrom == expected.updateValue(Timestamp(microseconds: Int64(step)), forKey: hash), "WHENCE_SEED=\(seed)")
            } else {
                #expect(table.remove(hash)?.validFrom == expected.removeValue(forKey: hash), "WHENCE_SEED=\(seed)")
            }
            let other = random.pick(all)
            #expect(table[other]?.validFrom == expected[other] && table.count == expected.count, "WHENCE_SEED=\(seed)")
        }
        for hash in all { #expect(table[hash]?.validFrom == expected[hash], "WHENCE_SEED=\(seed)") }
        #expect(Set(table.hashes) == Set(expected.keys) && !expected.isEmpty)
    }
}
