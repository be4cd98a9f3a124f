import Foundation
import Testing

/// A directory of its own for one test, in which the command line is run as a person would run it.
final class Workspace {
    /// What one run of the command said.
    struct Answer {
        let code: Int32
        let out: String
        let err: String

        /// The lines of standard output as JSON objects.
        var lines: [[String: Any]] {
            out.split(separator: "\n").compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
        }

        /// The error that a run with `--json` says on standard error.
        var error: [String: Any] {
            let all = err.split(separator: "\n").compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
            return all.last?["error"] as? [String: Any] ?? [:]
        }
    }

    let directory: URL
    /// Runs so far.
    private(set) var runs = 0

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "whence-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// The binary, beside the tests or in the package's build directory.
    static let binary: URL = {
        let beside = Bundle.main.bundleURL
        let build = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../.build/debug").standardizedFileURL
        let candidates = [beside, beside.deletingLastPathComponent(), build].map { $0.appending(path: "whence") }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? candidates[2]
    }()

    func path(_ name: String) -> String { directory.appending(path: name).path }

    @discardableResult func file(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: directory.appending(path: name))
        return name
    }

    func text(_ name: String) throws -> String { try String(contentsOf: directory.appending(path: name), encoding: .utf8) }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// Runs `whence` with these arguments in the directory.
    @discardableResult func whence(_ arguments: String..., input: String = "") throws -> Answer { try run(arguments, input: input) }

    /// The same with the store `store`, where that is not named otherwise.
    @discardableResult func onStore(_ arguments: String..., input: String = "") throws -> Answer {
        try run(arguments + ["--data", "store"], input: input)
    }

    /// The versions that `history` shows.
    func history(_ view: String, _ entity: String) throws -> [[String: Any]] {
        let answer = try onStore("history", view, "--entity", entity, "--json")
        #expect(answer.code == 0, "\(answer.err)")
        return answer.lines
    }

    func process(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = Workspace.binary
        process.arguments = arguments
        process.currentDirectoryURL = directory
        return process
    }

    func run(_ arguments: [String], input: String = "") throws -> Answer {
        runs += 1
        let names = ["in", "out", "err"].map { directory.appending(path: ".\(runs).\($0)") }
        try Data(input.utf8).write(to: names[0])
        for name in names[1...] { try Data().write(to: name) }
        let process = process(arguments)
        process.standardInput = try FileHandle(forReadingFrom: names[0])
        process.standardOutput = try FileHandle(forWritingTo: names[1])
        process.standardError = try FileHandle(forWritingTo: names[2])
        try process.run()
        process.waitUntilExit()
        return Answer(
            code: process.terminationStatus, out: try String(contentsOf: names[1], encoding: .utf8),
            err: try String(contentsOf: names[2], encoding: .utf8))
    }
}

/// Definitions and tables that most tests start from.
enum Airports {
    static let yaml = """
        entities:
          - name: airport
            join_keys: [{ name: airport, type: string }]
          - name: plane
            join_keys: [{ name: tail, type: int64 }]
        views:
          - name: weather
            entity: airport
            event_time: { column: time_hour, zone: America/New_York }
            availability_delay: 1h
            ttl: 3h
            features:
              - { name: temp, type: int32 }
              - { name: humid, type: float64 }
          - name: planes
            entity: plane
            available_at: known_at
            features:
              - { name: seats, type: int32 }
              - { name: maker, type: string }
        services:
          - name: departure
            features:
              - { view: weather, join_keys: { airport: origin }, prefix: origin_ }
              - { view: planes, select: [seats], prefix: "" }
        """

    static let weather = """
        airport,time_hour,temp,humid
        JFK,2013-01-01 05:00,39,57.3
        JFK,2013-01-01 06:00,40,NA
        LGA,2013-01-01 05:00,38,59.1

        """

    /// A workspace with a store that has the definitions and no rows.
    static func workspace() throws -> Workspace {
        let work = try Workspace()
        try work.file("airports.yaml", yaml)
        let applied = try work.onStore("apply", "airports.yaml")
        #expect(applied.code == 0, "\(applied.err)")
        return work
    }
}
