import RandomFixtures
import Testing
import WhenceCore

@Suite struct EntityKeyTests {
    static func random(_ random: inout SeededRandom, _ type: KeyType) -> KeyValue {
        switch type {
        case .int64: .int64(random.integer())
        case .string: .string(random.text(upTo: 4))
        case .bytes: .bytes(random.bytes(upTo: 4))
        case .bool: .bool(random.below(2) == 1)
        }
    }

    /// The order of the values themselves, said without the encoding.
    static func precedes(_ a: [KeyValue], _ b: [KeyValue]) -> Bool {
        for (x, y) in zip(a, b) {
            switch (x, y) {
            case (.int64(let x), .int64(let y)): if x != y { return x < y }
            case (.string(let x), .string(let y)):
                if !x.utf8.elementsEqual(y.utf8) { return x.unicodeScalars.lexicographicallyPrecedes(y.unicodeScalars) }
            case (.bytes(let x), .bytes(let y)): if x != y { return x.lexicographicallyPrecedes(y) }
            case (.bool(let x), .bool(let y)): if x != y { return y }
            default: Issue.record("the types differ")
            }
        }
        return a.count < b.count
    }

    @Test func encodedOrderIsTheOrderOfTheValues() throws {
        var random = SeededRandom.printed()
        for _ in 0..<20_000 {
            let types = (0..<(1 + random.below(4))).map { _ in KeyType.allCases[random.below(4)] }
            let a = types.map { EntityKeyTests.random(&random, $0) }
            // Often a near neighbour: the same but for one element.
            var b = a
            if random.below(2) == 0 {
                let index = random.below(b.count)
                b[index] = EntityKeyTests.random(&random, types[index])
            } else {
                b = types.map { EntityKeyTests.random(&random, $0) }
            }
            let (x, y) = (try EntityKey(a), try EntityKey(b))
            #expect((x < y) == EntityKeyTests.precedes(a, b), "\(a) \(b)")
            #expect((y < x) == EntityKeyTests.precedes(b, a), "\(a) \(b)")
            #expect(try EntityKey(x.values()).bytes == x.bytes)
        }
    }

    @Test func versionsOfOneEntitySortNewestFirstAndApartFromOthers() throws {
        var random = SeededRandom.printed()
        struct Version {
            var entity: [KeyValue]
            var event: Timestamp
            var commit: Timestamp
            var key: [UInt8]
        }
        var versions: [Version] = []
        for _ in 0..<600 {
            // Few short strings, so that many are prefixes of each other, with NULs at the seams.
            let entity: [KeyValue] = [.string(["", "\0", "\0\0", "a", "a\0", "a\0\u{1}", "a\0a"][random.below(7)])]
            let event = Timestamp(
                microseconds: [.earliest, .latest, Timestamp(microseconds: random.integer() >> 8)][random.below(3)].microseconds)
            let commit = Timestamp(microseconds: random.integer())
            var key = try EntityKey(entity).bytes
            VersionKey.appendTimes(event: event, commit: commit, to: &key)
            unsafe #expect(VersionKey.eventTime(key.span.bytes) == event)
            unsafe #expect(VersionKey.commitTime(key.span.bytes) == commit)
            versions.append(Version(entity: entity, event: event, commit: commit, key: key))
        }
        for version in versions {
            // The range that holds the versions of one entity and no others.
            let first = version.key.dropLast(VersionKey.timesBytes)
            let end = first + [0xFF]
            for other in versions {
                let isWithin = !other.key.lexicographicallyPrecedes(first) && other.key.lexicographicallyPrecedes(end)
                if isWithin != (other.key.dropLast(VersionKey.timesBytes) == first) { Issue.record("\(version) \(other)") }
            }
        }
        versions.sort { $0.key.lexicographicallyPrecedes($1.key) }
        for (a, b) in zip(versions, versions.dropFirst()) {
            #expect(!EntityKeyTests.precedes(b.entity, a.entity))
            if !EntityKeyTests.precedes(a.entity, b.entity) {
                #expect(a.event > b.event || (a.event == b.event && a.commit >= b.commit))
            }
        }
    }

    @Test(arguments: [
        "", "15", "16 00 05", "13 ff", "12 ff 00", "14 00", "1d 01 00 00 00 00 00 00 00 00", "1c 80 00 00 00 00 00 00 00",
        "1c 00 00 00 00 00 00 00 01",
        "0c 7f ff ff ff ff ff ff fe", "0c ff ff ff ff ff ff ff fe", "01", "02 61", "02 61 00 ff", "02 ff 00", "02 c3 00", "03", "25", "28",
        "ff",
        "26 26 26 26 26 26 26 26 26",
    ]) func bytesThatAreNoKeyAreRefused(_ hex: String) {
        let error = #expect(throws: WhenceError.self) { try EntityKey(encoded: [UInt8](hex: hex)).values() }
        #expect(error?.code == .corruption)
    }

    @Test func whateverIsReadIsWrittenTheSame() {
        var random = SeededRandom.printed()
        var read = 0
        for _ in 0..<100_000 {
            let bytes = (0..<(1 + random.below(6))).map { _ in
                [0, 0xFF, 0x61, 1, 2, UInt8(0x0C + random.below(17)), 0x26, 0x27][random.below(8)]
            }
            guard let values = try? EntityKey(encoded: bytes).values(), let key = try? EntityKey(values) else { continue }
            #expect(key.bytes == bytes)
            read += 1
        }
        #expect(read > 1_000)
    }

    @Test func limits() throws {
        #expect(throws: WhenceError.self) { try EntityKey([]) }
        #expect(throws: WhenceError.self) { try EntityKey(Array(repeating: .bool(true), count: 9)) }
        #expect(try EntityKey(Array(repeating: .bool(true), count: 8)).values().count == 8)
        #expect(try EntityKey([.string(String(repeating: "a", count: 1022))]).bytes.count == 1024)
        let error = #expect(throws: WhenceError.self) { try EntityKey([.string(String(repeating: "a", count: 1023))]) }
        #expect(error?.code == .limitExceeded)
        #expect(throws: WhenceError.self) { try EntityKey([.bytes(Array(repeating: 0, count: 512))]) }
    }

    @Test func theWaysToAppendAgree() throws {
        var random = SeededRandom.printed()
        for _ in 0..<2_000 {
            let (text, raw, number) = (random.text(upTo: 40), random.bytes(upTo: 40), random.integer())
            var bytes: [UInt8] = []
            let utf8 = Array(text.utf8)
            unsafe EntityKey.append(string: utf8.span.bytes, to: &bytes)
            unsafe EntityKey.append(bytes: raw.span.bytes, to: &bytes)
            EntityKey.append(number, to: &bytes)
            #expect(try EntityKey([.string(text), .bytes(raw), .int64(number)]).bytes == bytes)
            let read = try EntityKey(encoded: bytes).values()
            #expect(read == [.string(text), .bytes(raw), .int64(number)])
        }
    }
}
