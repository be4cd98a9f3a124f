import Foundation
import Glibc
import WhenceCore

/// The users file on disk. It is replaced as a whole, so that a server that reads it sees the old or the new one.
struct UsersFile {
    let path: String
    /// For a file that is begun.
    var iterations = ScramCredential.defaultIterations

    func read() throws(WhenceError) -> UserDirectory { try UserDirectory(SettingsDocument(path: path)) }

    /// Reads the file, or begins one where there is none, and puts what `body` made of it in its place. The new file beside it is the
    /// lock: it can be made only once at a time. Only its owner may read it.
    func update<Result>(_ body: (inout UserDirectory) throws(WhenceError) -> Result) throws(WhenceError) -> Result {
        let new = path + ".new"
        let descriptor = unsafe open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            guard errno == EEXIST else { throw FileAccess.error(errno: errno, path: new, doing: "make") }
            throw WhenceError(
                .storeLocked, "the users are being changed by another command, or one was cut off", place: new,
                hint: "when no other 'whence user' runs, remove this file", isRetryable: true)
        }
        do throws(WhenceError) {
            defer { close(descriptor) }
            var directory = FileManager.default.fileExists(atPath: path) ? try read() : UserDirectory(iterations: iterations)
            let result = try body(&directory)
            let text = Array(directory.text.utf8)
            var written = 0
            while written < text.count {
                let count = unsafe text.withUnsafeBytes { bytes in
                    // Within the array: `written` is less than its count.
                    unsafe Glibc.write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
                }
                guard count > 0 else {
                    if count < 0, errno == EINTR { continue }
                    throw FileAccess.error(errno: errno, path: new, doing: "write")
                }
                written += count
            }
            guard fsync(descriptor) == 0 else { throw FileAccess.error(errno: errno, path: new, doing: "write") }
            guard unsafe rename(new, path) == 0 else { throw FileAccess.error(errno: errno, path: path, doing: "replace") }
            return result
        } catch {
            unsafe unlink(new)
            throw error
        }
    }
}
