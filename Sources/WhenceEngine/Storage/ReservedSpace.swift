import Foundation
import WhenceCore

/// Room on the disk of a store that is kept free for what is about to be written, and given back as it is. It is in a file without a name, so
/// that it is free again when this goes, however the process ends.
public final class ReservedSpace {
    private let descriptor: Int32

    /// Takes `byteCount` bytes in `directory`. Nil where the file system cannot promise room. Throws `diskFull` where there is not so much, and
    /// takes nothing then.
    ///
    /// Cost: the file system notes which blocks they are, and writes none of them; but for the few that cannot (NFS 3), where each block is written.
    init?(_ byteCount: Int, in directory: String, for work: String) throws(WhenceError) {
        let path = "\(directory)/room-\(getpid())-\(UUID().uuidString)"
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        var failure = descriptor < 0 ? errno : 0
        if descriptor >= 0 {
            unsafe unlink(path)
            repeat {
                failure = posix_fallocate(descriptor, 0, off_t(byteCount))
            } while failure == EINTR
            if failure == 0 { return }
            close(descriptor)
        }
        guard failure == ENOSPC || failure == EDQUOT else { return nil }
        var free = ""
        var system = statvfs()
        if unsafe statvfs(directory, &system) == 0 {
            free = ", and the disk has \(ReservedSpace.text(Int(clamping: UInt64(system.f_bavail) * UInt64(system.f_frsize))))"
        }
        throw WhenceError(
            .diskFull, "the disk is full: \(work) may need \(ReservedSpace.text(byteCount))\(free)", place: directory,
            hint: "free some space and try again", isRetryable: true)
    }

    deinit { close(descriptor) }

    /// Gives back all but `byteCount` bytes.
    public func shrink(to byteCount: Int) {
        // Where that fails it is all given back at the end.
        while ftruncate(descriptor, off_t(byteCount)) != 0, errno == EINTR {}
    }

    private static func text(_ byteCount: Int) -> String {
        byteCount < 10 << 20 ? "\((byteCount + 1023) >> 10) KiB" : "\((byteCount + 1_048_575) >> 20) MiB"
    }
}

extension Store {
    /// Keeps room for commits that hold `byteCount` bytes of rows together (`RowBatch.byteCount`), so that one after the other finds it, whatever
    /// else is written to the disk meanwhile: for the log, which holds so much at most, and for sorted files as large as the rows are before
    /// they are compressed. Nil where the file system cannot promise room.
    ///
    /// - Parameter work: what the room is for, as in "the load", for errors.
    public func reserve(rowBytes byteCount: Int, for work: String) throws(WhenceError) -> ReservedSpace? {
        try checkWritable()
        return try ReservedSpace(Store.roomBytes(rowBytes: byteCount), in: directory.temporary, for: work)
    }

    /// What commits with so many bytes of rows may take on the disk.
    public static func roomBytes(rowBytes: Int) -> Int { rowBytes + min(rowBytes, Int(StorageOptions.maxLogBytes)) }
}
