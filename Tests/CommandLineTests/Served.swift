import Foundation
import FoundationNetworking
import Testing

/// A server that runs beside a test, ended with it.
final class Served {
    let process: Process
    let output: URL
    let errors: URL
    private(set) var announced: [String: Any] = [:]

    init(_ workspace: Workspace, _ arguments: [String]) async throws {
        output = workspace.directory.appending(path: "serve.out")
        errors = workspace.directory.appending(path: "serve.err")
        for file in [output, errors] { try Data().write(to: file) }
        process = workspace.process(
            ["serve", "--data", "store", "--json", "--http-listen", "127.0.0.1:0", "--log-format", "json"]
                + (arguments.contains("--listen") ? [] : ["--listen", "127.0.0.1:0"]) + arguments)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        try await wait { [self] in
            let text = try String(contentsOf: output, encoding: .utf8)
            announced = (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:]
            return !announced.isEmpty || !process.isRunning
        }
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// Asks every few milliseconds, for twenty seconds at most.
    func wait(_ condition: () throws -> Bool) async throws {
        for _ in 0..<1_000 {
            if try condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("waited in vain: \(try String(contentsOf: errors, encoding: .utf8))")
    }

    func get(_ path: String) async throws -> (status: Int?, body: String) {
        let address = try #require(announced["http"] as? String)
        let url = try #require(URL(string: "http://\(address)\(path)"))
        let (data, response) = try await URLSession.shared.data(from: url)
        return ((response as? HTTPURLResponse)?.statusCode, String(decoding: data, as: UTF8.self))
    }

    /// How a server ended that was not to start, and what it said; one that did start is ended, and code 0.
    static func refused(_ workspace: Workspace, _ arguments: [String]) async throws -> (code: Int32, error: [String: Any]) {
        let served = try await Served(workspace, arguments)
        if served.process.isRunning { kill(served.process.processIdentifier, SIGTERM) }
        try await served.wait { !served.process.isRunning }
        let answer = Workspace.Answer(
            code: served.process.terminationStatus, out: try String(contentsOf: served.output, encoding: .utf8),
            err: try String(contentsOf: served.errors, encoding: .utf8))
        #expect(answer.out.isEmpty)
        return (answer.code, answer.error)
    }

    /// The entries of the log so far.
    func log() throws -> [[String: Any]] {
        try String(contentsOf: errors, encoding: .utf8).split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            return try #require(object as? [String: Any])
        }
    }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }
}
