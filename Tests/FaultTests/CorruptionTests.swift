import Foundation
import RandomFixtures
import RocksDB
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Files that are damaged: detected, named, and never misread; the other views are still served.
@Suite("Damaged files", .serialized) struct CorruptionTests {
    private let scratch: ScratchDirectory
    private let path: String
    private static let rows = 6000
    private static let entities: Int64 = 60
    private static let end = KillWorkload.end

    init() throws {
        scratch = try ScratchDirectory()
        path = scratch.path("store")
    }

    private func label(_ index: Int) -> String {
        var random = SeededRandom(seed: UInt64(index))
        return (0..<6).map { _ in String(random.next(), radix: 36) }.joined()
    }

    /// Two views with rows of the same entities and times, each in a file of its own. Returns the file of `numbers`.
    private func make() throws -> String {
        let numbers: UInt32
        do {
            let store = try Store(at: path, options: KillWorkload.options())
            try store.define(KillWorkload.yaml)
            for (view, feature) in [("numbers", "label"), ("texts", "text")] {
                let batch = try store.batch(view)
                for index in 0..<CorruptionTests.rows {
                    try batch.append(
                        try EntityKey([.int64(Int64(index) % CorruptionTests.entities)]), at: KillWorkload.instant(index / 60),
                        [feature: .string(label(index))])
                }
                try store.write(batch)
                try store.compact(view)
            }
            numbers = try store.catalog.view(named: "numbers").id
        }
        var options = DatabaseOptions()
        options.readOnly = true
        let database = try Database(path: path + "/db", options: options) { _ in ColumnFamilyOptions() }
        let files = database.files().filter { $0.family == "view.\(numbers)" }
        try #require(files.count == 1)
        return String(files[0].name.drop { $0 == "/" })
    }

    private func open(readOnly: Bool = false) throws(WhenceError) -> Store {
        var options = KillWorkload.options()
        options.readOnly = readOnly
        return try Store(at: path, options: options)
    }

    /// Every entity's newest value of `feature`.
    private func join(_ store: Store, _ feature: String) throws(WhenceError) -> [Value] {
        let ids = (0..<CorruptionTests.entities).map { Value.int64($0) }
        let spine = try Store.spine([("id", ids)], types: [.int64], at: ids.map { _ in CorruptionTests.end })
        var join = try store.join(JoinRequest(service: try store.catalog.resolve(features: [feature])), spine: spine)
        return try join.next().map { batch in (0..<batch.count).map { batch.columns[2].value($0) } } ?? []
    }

    private var expected: [Value] {
        (0..<60).map { Value.string(label(CorruptionTests.rows - 60 + $0)) }
    }

    private func scan(_ store: Store, _ view: String) throws(WhenceError) -> Int {
        var scan = try store.scan(ScanRequest(view: view))
        var rows = 0
        while let batch = try scan.next(maxRows: 1000) { rows += batch.count }
        return rows
    }

    private func expectTextsServed(_ store: Store) throws {
        #expect(try join(store, "texts.text") == expected)
        #expect(try scan(store, "texts") == CorruptionTests.rows)
        #expect(try store.latest(["texts.text"], "id", 5) == [expected[5]])
    }

    /// Checks that `body` throws, and says which file of which view it is.
    private func expectCorruption(
        _ file: String, view: String?, _ what: String, _ body: () throws(WhenceError) -> Void
    ) {
        do throws(WhenceError) {
            try body()
            Issue.record("\(what): a damaged file was read without an error")
        } catch {
            #expect(error.code == .corruption, "\(what): \(error)")
            #expect(error.message.contains(file), "\(what): the file is not named: \(error)")
            #expect(error.hint.contains("backup"), "\(what)")
            if let view { #expect(error.place.contains(view), "\(what): \(error)") }
        }
    }

    @Test("a byte in a block of rows") func flippedBlock() throws {
        let file = try make()
        // Many blocks of the first half, which holds rows only; the dictionary, the index and the footer stand at the end.
        let sst = path + "/db/" + file
        let size = try FileTree.byteCount(sst)
        var offset = 100
        while offset < size / 2 {
            try FileTree.flip(sst, at: offset)
            offset += 2000
        }
        for readOnly in [false, true] {
            let store = try open(readOnly: readOnly)
            expectCorruption(file, view: "numbers", "join") { () throws(WhenceError) in _ = try join(store, "numbers.label") }
            expectCorruption(file, view: "numbers", "scan") { () throws(WhenceError) in _ = try scan(store, "numbers") }
            expectCorruption(file, view: "numbers", "online") { () throws(WhenceError) in _ = try store.latest(["numbers.label"], "id", 5) }
            expectCorruption(file, view: "numbers", "history") { () throws(WhenceError) in
                _ = try store.history("numbers", try EntityKey([.int64(5)]))
            }
            expectCorruption(file, view: "numbers", "entities") { () throws(WhenceError) in
                var spine = try store.entities(of: "numbers", at: [CorruptionTests.end])
                _ = try spine.next(maxRows: 1000)
            }
            try expectTextsServed(store)
        }
    }

    @Test("work on a view that would have to rewrite a damaged block") func upkeepOfDamagedView() throws {
        let file = try make()
        try FileTree.flip(path + "/db/" + file, at: 100)
        do {
            let store = try open()
            expectCorruption(file, view: "numbers", "retain") { () throws(WhenceError) in
                _ = try store.retain("numbers", horizon: CorruptionTests.end)
            }
            expectCorruption(file, view: "numbers", "compact") { () throws(WhenceError) in try store.compact("numbers") }
            try expectTextsServed(store)
        }
        do {
            let store = try open()
            // The rows of this entity are in a block that can be read, but their bytes stay as long as the file cannot be rewritten.
            expectCorruption(file, view: nil, "erase") { () throws(WhenceError) in
                _ = try store.erase("account", try EntityKey([.int64(59)]))
            }
        }
    }

    enum Damage: CaseIterable {
        case truncated, emptied, footer, magic, missing
    }

    @Test("a file that cannot be opened", arguments: Damage.allCases) func unopenable(_ damage: Damage) throws {
        let file = try make()
        let sst = path + "/db/" + file
        let size = try FileTree.byteCount(sst)
        switch damage {
        case .truncated: try FileTree.truncate(sst, to: size / 2)
        case .emptied: try FileTree.truncate(sst, to: 0)
        case .footer: for offset in size - 53..<size { try FileTree.flip(sst, at: offset) }
        case .magic: try FileTree.flip(sst, at: size - 1)
        case .missing: try FileManager.default.removeItem(atPath: sst)
        }
        expectCorruption(file, view: nil, "open") { () throws(WhenceError) in _ = try open() }
        let store = try open(readOnly: true)
        try expectTextsServed(store)
        expectCorruption(file, view: "numbers", "join") { () throws(WhenceError) in _ = try join(store, "numbers.label") }
        expectCorruption(file, view: "numbers", "scan") { () throws(WhenceError) in _ = try scan(store, "numbers") }
        expectCorruption(file, view: "numbers", "online") { () throws(WhenceError) in
            _ = try store.latest(["numbers.label"], "id", 5)
        }
    }
}
