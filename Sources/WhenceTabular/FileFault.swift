import Foundation
import WhenceCore

/// What the system says about a file, as an error for people.
enum FileFault {
    static func error(_ code: Int32, opening path: String) -> WhenceError {
        switch code {
        case ENOENT, ENOTDIR:
            WhenceError(.notFound, "there is no such file", place: path, hint: "check the path; '-' means standard input")
        default: error(code, path, doing: "opened")
        }
    }

    static func error(_ code: Int32, reading path: String) -> WhenceError { error(code, path, doing: "read") }

    static func error(_ code: Int32, writing path: String) -> WhenceError {
        switch code {
        case ENOENT, ENOTDIR:
            WhenceError(.notFound, "there is no such directory", place: path, hint: "make the directory first")
        default: error(code, path, doing: "written")
        }
    }

    private static func error(_ code: Int32, _ path: String, doing verb: String) -> WhenceError {
        switch code {
        case ENOSPC, EDQUOT:
            WhenceError(
                .diskFull, "the disk is full", place: path, hint: "free some space, or write to another disk", isRetryable: true)
        case EACCES, EPERM, EROFS:
            WhenceError(
                .permissionDenied, "it cannot be \(verb): \(text(code))", place: path,
                hint: "check who may use the file and its directory")
        default: WhenceError(.inputOutput, "it cannot be \(verb): \(text(code))", place: path)
        }
    }

    private static func text(_ code: Int32) -> String {
        guard let message = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: message)
    }
}
