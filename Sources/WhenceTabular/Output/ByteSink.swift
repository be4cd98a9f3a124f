import Foundation
import Synchronization
import WhenceCore

/// Where a table is written to: a file that appears whole or not at all, standard output, or memory.
///
/// A file is written under a temporary name in the directory where it will be, and takes its own name in `finish`;
/// until then a file that was there before stays as it was. What is never finished leaves nothing behind. A name that
/// ends in `.gz` or `.zst` is written packed. A device or a pipe is written to as it is.
public final class ByteSink {
    private enum Target { case descriptor, memory }

    /// The temporary paths of files of this process that are not finished.
    private static let unfinished = Mutex<Set<String>>([])

    private static let blockBytes = 256 << 10

    /// The path as it was given, or a name for what is no path.
    public let name: String
    /// Bytes that were written so far, after packing.
    public private(set) var bytesWritten = 0
    /// What was written to memory.
    public private(set) var memory: [UInt8] = []

    private let target: Target
    private var descriptor: Int32 = -1
    /// The file's own path, links followed, and the path it has until it is finished; nil for what is no plain file.
    private var finalPath: String?
    private var temporaryPath: String?
    private var pending: [UInt8] = []
    private let encoder: Encoder?
    private var isFinished = false

    /// Opens `path`, or standard output where it is `-`.
    /// Throws `notFound`, `permissionDenied`, `diskFull` or `inputOutput` with the path.
    public init(path: String) throws(WhenceError) {
        target = .descriptor
        encoder = path.hasSuffix(".gz") ? .gzip(try GzipEncoder()) : path.hasSuffix(".zst") ? .zstd(try ZstdEncoder()) : nil
        name = path == "-" ? "standard output" : path
        pending.reserveCapacity(ByteSink.blockBytes)
        if path == "-" {
            descriptor = STDOUT_FILENO
            return
        }
        var status = stat()
        let exists = unsafe stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR {
            throw WhenceError(.invalidArgument, "this is a directory, not a file", place: path, hint: "name a file in it")
        }
        if exists, status.st_mode & S_IFMT != S_IFREG {
            descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw FileFault.error(errno, writing: path) }
            return
        }
        let resolved = exists ? ByteSink.resolved(path) : path
        let slash = resolved.lastIndex(of: "/")
        let directory = slash.map { String(resolved[...$0]) } ?? ""
        let file = slash.map { String(resolved[resolved.index(after: $0)...]) } ?? resolved
        for attempt in 0..<100 {
            let temporary = "\(directory).\(file).\(getpid())-\(attempt).partial"
            descriptor = ByteSink.unfinished.withLock { unfinished in
                let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
                if descriptor >= 0 { unfinished.insert(temporary) }
                return descriptor
            }
            if descriptor >= 0 {
                temporaryPath = temporary
                break
            }
            guard errno == EEXIST else { throw FileFault.error(errno, writing: path) }
        }
        guard descriptor >= 0 else { throw FileFault.error(EEXIST, writing: path) }
        if exists { fchmod(descriptor, status.st_mode & 0o777) }
        finalPath = resolved
    }

    /// Writes into `memory`.
    public init(memoryNamed name: String = "memory") {
        self.name = name
        target = .memory
        encoder = nil
    }

    deinit {
        if descriptor > STDERR_FILENO { close(descriptor) }
        if let temporaryPath {
            unsafe unlink(temporaryPath)
            ByteSink.forget(temporaryPath)
        }
    }

    private static func forget(_ temporaryPath: String) { unfinished.withLock { unfinished in _ = unfinished.remove(temporaryPath) } }

    /// Removes every file that is not finished, for a process that is about to end. Until `end` is over no other is begun.
    public static func removeUnfinished(_ end: () -> Void) {
        unfinished.withLock { unfinished in
            for path in unfinished { unsafe unlink(path) }
            unfinished.removeAll()
            end()
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// Writes `bytes` behind what was written before; small pieces are gathered.
    public func write(_ bytes: RawSpan) throws(WhenceError) {
        precondition(!isFinished)
        unsafe bytes.withUnsafeBytes { unsafe pending.append(contentsOf: $0) }
        if pending.count >= ByteSink.blockBytes { try drain(isLast: false) }
    }

    /// Writes `bytes` behind what was written before.
    public func write(_ bytes: [UInt8]) throws(WhenceError) {
        precondition(!isFinished)
        pending.append(contentsOf: bytes)
        if pending.count >= ByteSink.blockBytes { try drain(isLast: false) }
    }

    /// Writes `bytes` behind what was written before and empties them; their memory stays.
    func take(_ bytes: inout [UInt8]) throws(WhenceError) {
        try write(bytes)
        bytes.removeAll(keepingCapacity: true)
    }

    /// Writes what is left and gives the file its name. Without this call nothing appears at the path.
    public func finish() throws(WhenceError) {
        precondition(!isFinished)
        isFinished = true
        try drain(isLast: true)
        guard let temporaryPath, let finalPath else { return }
        guard fsync(descriptor) == 0 else { throw FileFault.error(errno, writing: name) }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0 else { throw FileFault.error(errno, writing: name) }
        guard unsafe rename(temporaryPath, finalPath) == 0 else { throw FileFault.error(errno, writing: name) }
        self.temporaryPath = nil
        ByteSink.forget(temporaryPath)
    }

    private func drain(isLast: Bool) throws(WhenceError) {
        if let encoder {
            var packed: [UInt8] = []
            switch encoder {
            case .gzip(let gzip): try gzip.encode(pending, isLast: isLast, into: &packed)
            case .zstd(let zstd): try zstd.encode(pending, isLast: isLast, into: &packed)
            }
            try put(packed)
        } else {
            try put(pending)
        }
        pending.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: [UInt8]) throws(WhenceError) {
        bytesWritten += bytes.count
        guard target == .descriptor else {
            memory.append(contentsOf: bytes)
            return
        }
        var at = 0
        while at < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { block in
                unsafe Glibc.write(descriptor, block.baseAddress.map { unsafe $0 + at }, block.count - at)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFault.error(errno, writing: name)
            }
            at += count
        }
    }

    private enum Encoder { case gzip(GzipEncoder), zstd(ZstdEncoder) }
}
