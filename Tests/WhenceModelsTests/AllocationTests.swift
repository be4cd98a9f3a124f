import Foundation
import Testing
import WhenceModels

/// Predicting asks the heap for nothing, once a model has predicted before: counted by a program whose `malloc` counts
/// (`Tests/Fixtures/CountAllocations`), for every model of the fixtures, one row and a thousand.
@Suite("Prediction allocates nothing") struct AllocationTests {
    /// The program, which is built beside the tests.
    private static func program() throws -> URL {
        let bundle = Bundle.main.bundleURL
        let build = URL(filePath: #filePath).appending(path: "../../../.build/debug").standardizedFileURL
        let candidates = [bundle, bundle.deletingLastPathComponent(), build].map { $0.appending(path: "CountAllocations") }
        return try #require(candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) }, "CountAllocations is not built")
    }

    @Test("of models", arguments: [("lightgbm", ".txt"), ("xgboost", ".json"), ("catboost", ".json"), ("onnx", ".onnx")])
    func models(folder: String, suffix: String) throws {
        let names = Fixture.names(folder, suffix: suffix).filter { $0 != "counts" }
        let process = Process()
        process.executableURL = try AllocationTests.program()
        process.arguments = try names.map { try Fixture(folder, $0, suffix: suffix).path }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        var lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        try #require(lines.first.map { $0.count == 3 && Int($0[2]) ?? 0 > 0 } == true, "nothing is counted here: \(text.prefix(200))")
        lines.removeFirst()
        #expect(lines.count >= names.count * 4)
        let allocating = lines.filter { $0.last != "0" }.map { $0.joined(separator: " ") }
        #expect(allocating.isEmpty, "\(allocating.count) of \(lines.count): \(allocating.prefix(8).joined(separator: "\n"))")
    }
}
