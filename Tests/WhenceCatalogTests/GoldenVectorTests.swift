import Foundation
import Testing
import WhenceCatalog
import WhenceCore

/// `Formats/vectors/catalog.json` was written by another program than the one it tests; the format page says how to check it.
@Suite("Golden vectors of catalog entries")
struct GoldenVectorTests {
    private struct Vectors: Decodable {
        struct Entry: Decodable {
            let kind: String
            let name: String
            let version: Int
            let catalog_version: Int
            let hash: String
            let key_hex: String
            let json: String
        }
        struct Refused: Decodable {
            let why: String
            let code: String
            let json: String
        }
        let applies: [String]
        let entries: [Entry]
        let refused: [Refused]
    }

    private let vectors: Vectors

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        vectors = try JSONDecoder().decode(Vectors.self, from: try Data(contentsOf: root.appending(path: "Formats/vectors/catalog.json")))
    }

    @Test("applying the files gives the entries, to the byte")
    func writes() throws {
        var catalog = Catalog()
        var entries: [CatalogEntry] = []
        for yaml in vectors.applies {
            let applied = try catalog.applying(try catalog.plan(try Definitions.parse(yaml: yaml, file: "vector.yaml")))
            catalog = applied.catalog
            entries += applied.entries
        }
        #expect(entries.map { String(decoding: $0.json, as: UTF8.self) } == vectors.entries.map(\.json))
        #expect(entries.map(\.hash) == vectors.entries.map(\.hash))
        #expect(entries.map { hex($0.key) } == vectors.entries.map(\.key_hex))
    }

    @Test("the entries are read as what they are")
    func reads() throws {
        for expected in vectors.entries {
            let entry = try CatalogEntry(decoding: Array(expected.json.utf8))
            #expect(entry.kind.rawValue == expected.kind)
            #expect(entry.name == expected.name)
            #expect(entry.version == expected.version)
            #expect(entry.catalogVersion == expected.catalog_version)
            #expect(entry.hash == expected.hash)
            #expect(hex(entry.key) == expected.key_hex)
            #expect(entry.json == Array(expected.json.utf8))
        }
    }

    @Test("what has to be refused is refused, with its code")
    func refuses() {
        for case let vector in vectors.refused {
            let error = refusal { () throws(WhenceError) in _ = try CatalogEntry(decoding: Array(vector.json.utf8)) }
            #expect(error.map { "\($0.code)" } == vector.code, "\(vector.why): \(error?.message ?? "read without complaint")")
        }
    }

    private func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
}
