import Foundation
import WhenceCore
import WhenceServer
import WhenceTabular

/// Where a command's words go: answers to standard output, everything else to standard error.
enum Console {
    /// Writes an answer and a line break. Throws where standard output cannot take it, as on a full disk.
    static func print(_ text: String) throws(WhenceError) {
        let sink = try ByteSink(path: "-")
        try sink.write(Array((text.hasSuffix("\n") ? text : text + "\n").utf8))
        try sink.finish()
    }

    static func print(_ json: JSON) throws(WhenceError) { try print(json.text) }

    /// Writes a line beside the answer. Where even that fails there is nobody left to tell.
    static func note(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text.hasSuffix("\n") ? text : text + "\n").utf8))
    }

    static func report(_ error: WhenceError, asJSON: Bool) {
        note(asJSON ? JSON.object([("error", JSON(error))]).text : "error: \(error)")
    }

    static func warn(_ warning: WhenceError, asJSON: Bool) {
        note(asJSON ? JSON.object([("warning", JSON(warning))]).text : "warning: \(warning)")
    }

    static var isInputTerminal: Bool { isatty(STDIN_FILENO) != 0 }
    static var isErrorTerminal: Bool { isatty(STDERR_FILENO) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb" }

    /// Columns of the terminal on standard error.
    static var width: Int {
        var size = winsize()
        guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Asks a person; anything but yes is no.
    static func confirms(_ question: String) -> Bool {
        try? FileHandle.standardError.write(contentsOf: Data("\(question) [y/N] ".utf8))
        return ["y", "yes"].contains(readLine()?.trimmingCharacters(in: .whitespaces).lowercased() ?? "")
    }
}
