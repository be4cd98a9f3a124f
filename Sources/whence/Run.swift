import ArgumentParser
import Foundation
import WhenceCore

/// One run of the command line, from its arguments to its exit code.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 done but some input rows were rejected.
enum Run {
    static let failed: Int32 = 1
    static let wrongUsage: Int32 = 2
    static let doneWithRejects = ExitCode(3)

    static func main() -> Int32 {
        do {
            var command = try Whence.parseAsRoot()
            if !(command is Serve) { Interruption.removesUnfinishedFiles() }
            try command.run()
            return 0
        } catch let error as WhenceError {
            Console.report(error, asJSON: wantsJSON)
            return failed
        } catch let error as UsageError {
            Console.report(error.reason, asJSON: wantsJSON)
            return wrongUsage
        } catch let code as ExitCode {
            return code.rawValue
        } catch {
            return end(with: error)
        }
    }

    /// Ends with what the argument parser says: a help text, the version, or what is wrong with the arguments.
    private static func end(with error: any Error) -> Int32 {
        let text = Whence.fullMessage(for: error)
        guard Whence.exitCode(for: error) != .success else {
            do throws(WhenceError) {
                try Console.print(text)
                return 0
            } catch {
                Console.report(error, asJSON: false)
                return failed
            }
        }
        if wantsJSON {
            Console.report(WhenceError(.invalidArgument, Whence.message(for: error), place: "arguments"), asJSON: true)
        } else {
            Console.note(text.hasPrefix("Error: ") ? "error: " + text.dropFirst(7) : text)
        }
        return wrongUsage
    }

    /// Arguments that cannot be parsed cannot say whether they wanted JSON either, so the flag is looked for by itself.
    private static var wantsJSON: Bool { CommandLine.arguments.prefix { $0 != "--" }.contains("--json") }
}

/// An argument that does not mean anything, whatever is stored: exit code 2.
struct UsageError: Error {
    let reason: WhenceError

    init(_ reason: WhenceError) { self.reason = reason }

    init(_ option: String, _ message: String, hint: String = "") {
        reason = WhenceError(.invalidArgument, message, place: option, hint: hint)
    }
}
