import Foundation
import Testing

/// What online reads of rows that are in the cache ask the heap for, counted by a program whose `malloc` counts
/// (`Tests/Fixtures/CountReadAllocations`).
///
/// An optimized program must allocate nothing between the bytes of a request and those of its answer; `WHENCE_COUNT_READS` names such a one. In a
/// debug build the compiler puts the contexts of closures on the heap, some for each call, so that there the test can only tell that it
/// has not become more: what a list or a text would cost that is made for each row or column.
@Suite("Online reads and the heap", .timeLimit(.minutes(2))) struct ReadAllocationTests {
    /// The program: the one that is named, or the one that is built beside the tests.
    private static func program() throws -> URL {
        if let path = ProcessInfo.processInfo.environment["WHENCE_COUNT_READS"] { return URL(filePath: path) }
        let bundle = Bundle.main.bundleURL
        let build = URL(filePath: #filePath).appending(path: "../../../../.build/debug").standardizedFileURL
        let candidates = [bundle, bundle.deletingLastPathComponent(), build].map { $0.appending(path: "CountReadAllocations") }
        return try #require(
            candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) }, "CountReadAllocations is not built")
    }

    /// What the program has counted for a thousand reads, by the way of reading.
    private static func counts() throws -> [String: Int] {
        let process = Process()
        process.executableURL = try program()
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        var counts: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let count = Int(words[1]) { counts[String(words[0])] = count }
        }
        return counts
    }

    @Test("a read from the cache, from its request's bytes to its answer's, asks for nothing; a whole server for little")
    func reads() throws {
        let counts = try ReadAllocationTests.counts()
        // Whether anything is counted here.
        try #require((counts["control"] ?? 0) > 0)
        let reads = counts.filter { $0.key.hasPrefix("read_") }
        let served = counts.filter { $0.key.hasPrefix("served_") }
        #expect(reads.count == 8 && served.count == 3)
        if counts["optimized"] == 1 {
            #expect(reads.allSatisfy { $0.value == 0 }, "\(reads)")
            #expect(served.allSatisfy { $0.value <= 1_000 * ReadAllocationTests.mostPerRequest }, "\(served)")
        } else {
            for (way, count) in reads.merging(served, uniquingKeysWith: max) {
                let words = way.split(separator: "_")
                let entities = Int(words[2]) ?? 0
                // Two views have two look-ups, and rows that are put together.
                let most = (way.hasPrefix("served") ? 40 : 20) + (words[1] == "all" ? 20 + 8 * entities : 3 * entities)
                #expect(count <= 1_000 * most, "\(way): \(count), more than \(most) for each of a thousand")
            }
        }
    }

    /// What SwiftNIO asks for when a socket is read and written: none of it is for a row or a column.
    private static let mostPerRequest = 10
}
