import Foundation
import StoreFixtures
import WhenceCore

/// The writer of the kill tests in a process of its own; what it says goes to a file, which survives it.
final class WriterProcess {
    struct Acknowledgement {
        let batch: BatchID
        let commit: Timestamp
    }

    private let process = Process()
    private let log: URL

    /// The binary, beside the tests or in the package's build directory.
    static let binary: URL = {
        let beside = Bundle.main.bundleURL
        let build = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../.build/debug").standardizedFileURL
        let candidates = [beside, beside.deletingLastPathComponent(), build].map { $0.appending(path: "KillWriter") }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? candidates[2]
    }()

    init(_ arguments: [String], log: String) throws {
        self.log = URL(filePath: log)
        try Data().write(to: self.log)
        process.executableURL = WriterProcess.binary
        process.arguments = arguments
        process.standardOutput = try FileHandle(forWritingTo: self.log)
        try process.run()
    }

    /// Whole lines that it has said so far; a last line without its end does not count.
    func lines() throws -> [String] {
        let text = String(decoding: try Data(contentsOf: log), as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    /// The acknowledgements so far.
    func acknowledgements() throws -> [Acknowledgement] {
        try lines().compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "ack", let code = Int64(words[1]), let time = Int64(words[2]) else { return nil }
            return Acknowledgement(batch: BatchID(code: code), commit: Timestamp(microseconds: time))
        }
    }

    /// Waits until it has said `count` lines, or has ended.
    func wait(forLines count: Int) throws {
        while process.isRunning, try lines().count < count { usleep(500) }
    }

    /// Waits until `condition` holds, or it has ended.
    func wait(until condition: () -> Bool) {
        while process.isRunning, !condition() { usleep(200) }
    }

    /// Ends it the hard way. False where it had ended by itself.
    func killHard() -> Bool {
        let wasRunning = kill(process.processIdentifier, SIGKILL) == 0
        process.waitUntilExit()
        return wasRunning && process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL
    }

    /// Waits for its end. The signal that ended it, or nil where it ended by itself.
    func waitForSignal() -> Int32? {
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal ? process.terminationStatus : nil
    }

    /// Waits for its end.
    func waitUntilExit() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }
}
