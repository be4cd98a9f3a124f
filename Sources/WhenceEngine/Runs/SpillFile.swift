import Foundation
import Synchronization
import WhenceCore

/// A file for what does not fit into memory. Its name is taken away as soon as it is made, so that it is gone when this goes, however
/// the process ends. Safe to use from several threads, as each writes a place of its own.
final class SpillFile: Sendable {
    private let descriptor: Int32
    /// The directory, for errors: the file itself has no name.
    private let place: String
    /// What is to be run again when the disk is full.
    private let work: String
    private let end = Atomic<Int>(0)
    /// Distinguishes the files of this process for as long as they have names.
    private static let number = Atomic<Int>(0)

    /// Makes a file in `directory`, which must be there.
    ///
    /// - Parameter work: what spills, as in "the join", for errors.
    init(in directory: String, for work: String) throws(WhenceError) {
        place = directory
        self.work = work
        let path = "\(directory)/spill-\(getpid())-\(SpillFile.number.add(1, ordering: .relaxed).newValue)"
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let number = errno
            let full = number == ENOSPC || number == EDQUOT
            throw WhenceError(
                full ? .diskFull : .permissionDenied,
                "\(work) does not fit into its memory, and no temporary file can be made: \(unsafe String(cString: strerror(number)))",
                place: directory,
                hint: full
                    ? "free some space and run \(work) again"
                    : "name a directory that is there and may be written, or state more memory", isRetryable: full)
        }
        unsafe unlink(path)
    }

    deinit { close(descriptor) }

    /// Bytes that have been given away.
    var byteCount: Int { end.load(ordering: .relaxed) }

    /// A place of `count` bytes that nobody else has.
    func reserve(_ count: Int) -> Int { end.add(count, ordering: .relaxed).oldValue }

    /// Writes `bytes` at `offset`, which is in a place that the caller has reserved.
    func write(_ bytes: RawSpan, at offset: Int) throws(WhenceError) {
        var done = 0
        var failure: Int32 = 0
        while done < bytes.byteCount {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                unsafe pwrite(descriptor, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done, off_t(offset + done))
            }
            if count > 0 {
                done += count
                continue
            }
            if count < 0 && errno == EINTR { continue }
            failure = count < 0 ? errno : EIO
            break
        }
        guard failure != 0 else { return }
        let reason = unsafe String(cString: strerror(failure))
        if failure == ENOSPC || failure == EDQUOT || failure == EFBIG {
            throw WhenceError(
                .diskFull, "the disk is full: \(work) cannot write its temporary file (\(reason))", place: place,
                hint: "free some space and run \(work) again; nothing of it has been kept", isRetryable: true)
        }
        throw WhenceError(.inputOutput, "a temporary file cannot be written: \(reason)", place: place, hint: "look at the disk")
    }

    /// Writes `bytes` behind everything else and returns where.
    func append(_ bytes: RawSpan) throws(WhenceError) -> Int {
        let offset = reserve(bytes.byteCount)
        try write(bytes, at: offset)
        return offset
    }

    /// Fills `target` with the bytes from `offset` on.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(WhenceError) {
        var done = 0
        while done < target.count {
            let count = unsafe pread(
                descriptor, target.baseAddress.unsafelyUnwrapped + done, target.count - done, off_t(offset + done))
            if count > 0 {
                done += count
                continue
            }
            if count < 0 && errno == EINTR { continue }
            let reason = count < 0 ? unsafe String(cString: strerror(errno)) : "it has been cut short"
            throw WhenceError(
                .inputOutput, "a temporary file cannot be read: \(reason)", place: place, hint: "look at the disk, and run \(work) again")
        }
    }
}
