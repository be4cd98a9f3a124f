import Testing
import WhenceCore
import WhenceTabular

/// Damaged inputs by the thousand: each is read to its end, in rows or in errors, and nothing crashes or goes on for ever.
@Suite("Mutated input") struct MutatedInputTests {
    static func mutate(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        let marks: [UInt8] = [0x22, 0x2C, 0x0A, 0x0D, 0x5C, 0x7B, 0x7D, 0x5B, 0x5D, 0x3A, 0x00, 0xFF, 0xC3, 0x75, 0x2D, 0x2E, 0x65]
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            case 2: bytes.insert(marks[Int.random(in: 0..<marks.count, using: &generator)], at: at)
            case 3: bytes.remove(at: at)
            case 4: bytes.removeSubrange(at...)
            default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 20)], at: at)
            }
        }
        return bytes
    }

    /// Reads everything as everything, and returns how many records came, good or bad.
    static func drain(_ make: () throws(WhenceError) -> any RecordReader) -> Int {
        let types: [FeatureType] = [
            .bool, .int32, .float32, .float64, .string, .bytes, .timestamp, .vector(dimension: 2), .list(.string), .list(.int64),
        ]
        let times = TimeParser()
        var count = 0
        do throws(WhenceError) {
            let reader = try make()
            while count < 100_000 {
                do throws(WhenceError) {
                    guard try reader.next() else { break }
                } catch {
                    count += 1
                    _ = reader.rawRecord
                    if !reader.canContinue { break }
                    continue
                }
                count += 1
                for index in 0..<reader.fieldCount {
                    for type in types { _ = try? TextValue.value(reader.field(index), as: type, times: times) }
                    var key: [UInt8] = []
                    for type in KeyType.allCases { try? TextValue.appendKey(reader.field(index), as: type, to: &key) }
                }
            }
        } catch {}
        return count
    }

    static let csv = Array(
        "id,at,x,v\n1,2013-01-01T05:00:00Z,1.5,\"[1,2]\"\n2,\"a \"\"b\"\"\nc\",,NaN\n3,AP8=,0x00ff,\"[\"\"é\"\",\"\"\\ud83d\\ude00\"\"]\"\n"
            .utf8)
    static let ndjson = Array(
        "{\"id\":1,\"at\":\"2013-01-01T05:00:00Z\",\"v\":[1,2.5e3]}\n{\"id\":null,\"s\":\"\\ud83d\\ude00é\",\"b\":true,\"w\":[\"x\",\"\"]}\n"
            .utf8)

    @Test("10,000 texts", arguments: 0..<2)
    func texts(format: Int) {
        var generator = SeededGenerator(state: 11)
        for round in 0..<5000 {
            let bytes = MutatedInputTests.mutate(format == 0 ? MutatedInputTests.csv : MutatedInputTests.ndjson, &generator)
            let count = MutatedInputTests.drain { () throws(WhenceError) -> any RecordReader in
                let source = ByteSource(bytes: bytes, name: "t")
                return format == 0 ? try CSVReader(source) : NDJSONReader(source)
            }
            if count > bytes.count { Issue.record("round \(round) gave \(count) records of \(bytes.count) bytes") }
        }
    }

    @Test("10,000 packed inputs", arguments: [".gz", ".zst"])
    func packed(suffix: String) throws {
        var generator = SeededGenerator(state: 13)
        let whole = try ByteSourceTests.packed(suffix, String(decoding: MutatedInputTests.csv, as: UTF8.self))
        for _ in 0..<5000 {
            let bytes = MutatedInputTests.mutate(whole, &generator)
            _ = MutatedInputTests.drain { () throws(WhenceError) -> any RecordReader in try CSVReader(ByteSource(bytes: bytes, name: "t")) }
        }
    }
}
