import Foundation
import WhenceCore

/// A password from a person or a pipe, never from an argument, which other users of the machine could see.
enum Password {
    /// At a terminal asked for twice, without showing it; elsewhere the first line of standard input.
    static func read(for user: String) throws(WhenceError) -> String {
        guard Console.isInputTerminal else {
            guard let line = readLine() else { throw WhenceError(.invalidArgument, "there is no password on standard input") }
            return line
        }
        let first = try ask("Password for '\(user)': ")
        guard try ask("Once more: ") == first else {
            throw WhenceError(.invalidArgument, "the two are not the same", hint: "nothing was changed; try again")
        }
        return first
    }

    private static func ask(_ question: String) throws(WhenceError) -> String {
        var shown = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &shown) == 0 else {
            throw WhenceError(.inputOutput, "the terminal cannot be told to hide a password")
        }
        var hidden = shown
        hidden.c_lflag &= ~tcflag_t(ECHO)
        guard unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0 else {
            throw WhenceError(.inputOutput, "the terminal cannot be told to hide a password")
        }
        defer {
            unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
            Console.note("")
        }
        try? FileHandle.standardError.write(contentsOf: Data(question.utf8))
        guard let line = readLine() else { throw WhenceError(.cancelled, "no password was given") }
        return line
    }
}
