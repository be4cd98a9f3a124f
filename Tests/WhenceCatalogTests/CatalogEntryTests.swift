import Testing
import WhenceCatalog
import WhenceCore

@Suite("Stored entries")
struct CatalogEntryTests {
    @Test("keys sort by kind, then name, then version")
    func keyOrder() {
        let sorted: [[UInt8]] = [
            CatalogEntry.key(kind: .entity, name: "b", version: 1), CatalogEntry.key(kind: .view, name: "a", version: 1),
            CatalogEntry.key(kind: .view, name: "a", version: 2), CatalogEntry.key(kind: .view, name: "a", version: 255),
            CatalogEntry.key(kind: .view, name: "a", version: 256), CatalogEntry.key(kind: .view, name: "ab", version: 1),
            CatalogEntry.key(kind: .view, name: "b", version: 1), CatalogEntry.key(kind: .service, name: "a", version: 1),
        ]
        for (a, b) in zip(sorted, sorted.dropFirst()) { #expect(a.lexicographicallyPrecedes(b)) }
        #expect(sorted[1] == [2, 0x61, 0, 0, 0, 0, 1])
    }

    @Test("equal definitions have equal hashes, whatever numbers the store gave them")
    func hashes() throws {
        let entity = "entities: [{name: e, join_keys: [{name: k, type: int64}]}]\n"
        let view = "{name: v, entity: e, features: [{name: f, type: bool}]}"
        let alone = try Catalog().applying(entity + "views: [\(view)]")
        let second = try Catalog().applying(entity + "views: [{name: first, entity: e, features: [{name: f, type: bool}]}, \(view)]")
        let a = try #require(alone.versions(kind: .view, name: "v").first)
        let b = try #require(second.versions(kind: .view, name: "v").first)
        #expect(a.hash == b.hash)
        #expect(a.json != b.json)
    }

    @Test("any single bit that flips in a stored entry is noticed")
    func flips() throws {
        let entry = try #require(try Flights.catalog().versions(kind: .view, name: "weather").first)
        var unnoticed: [String] = []
        for at in entry.json.indices {
            for bit in 0..<8 {
                var bytes = entry.json
                bytes[at] ^= 1 << UInt8(bit)
                let error = refusal { () throws(WhenceError) in _ = try CatalogEntry(decoding: bytes) }
                if error == nil { unnoticed.append(String(decoding: bytes[max(0, at - 12)...at], as: UTF8.self)) }
            }
        }
        // The hash is of the definition; the numbers beside it are guarded by the store's own checksums, and by the catalog as a whole.
        #expect(unnoticed.allSatisfy { $0.contains("\"id\":") || $0.contains("version\":") }, "\(unnoticed)")
    }

    @Test("cuts of a stored entry are refused")
    func cuts() throws {
        let entry = try #require(try Flights.catalog().versions(kind: .service, name: "departure_delay").first)
        for length in entry.json.indices {
            let error = refusal { () throws(WhenceError) in _ = try CatalogEntry(decoding: Array(entry.json[..<length])) }
            #expect(error?.code == .corruption)
        }
    }

    @Test(
        "bytes that are no entry are refused, and nothing worse",
        arguments: [
            "{", "[", "\"", "-", "{}", "[]", "null", "{\"a\":1,\"a\":1}", "\"\\u12\"", "\"\\ud800\"", "99999999999999999999",
            "{\"format\":-1}",
            "{\"format\":\"1\"}", String(repeating: "[", count: 1_000_000), String(repeating: "{\"a\":", count: 100_000),
        ])
    func hostile(text: String) {
        let error = refusal { () throws(WhenceError) in _ = try CatalogEntry(decoding: Array(text.utf8)) }
        #expect(error?.code == .corruption)
    }

    @Test("random bytes and random damage never crash the reader; the seed is 20130101")
    func random() throws {
        var state: UInt64 = 20_130_101
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let whole = try Flights.catalog().allEntries.map(\.json)
        for round in 0..<5_000 {
            var bytes = whole[round % whole.count]
            for _ in 0...(next() % 4) {
                let at = Int(next() % UInt64(bytes.count))
                switch next() % 3 {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: next())
                case 1: bytes.remove(at: at)
                default: bytes.insert(UInt8(truncatingIfNeeded: next()), at: at)
                }
            }
            if let error = refusal({ () throws(WhenceError) in _ = try CatalogEntry(decoding: bytes) }) {
                #expect(error.code == .corruption || error.code == .unknownFormat)
            }
        }
    }
}
