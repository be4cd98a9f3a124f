import Foundation
import WhenceCore

/// The bytes of a file, of standard input, or of memory, in order; gzip and zstd are unpacked on the way.
///
/// What the data is says its first bytes, not its name. Memory is bounded: one block of 256 KiB of packed bytes, and
/// what the unpacker itself needs (for zstd at most 128 MiB, its default limit). Not to be shared between threads.
public final class ByteSource {
    /// The path as it was given, or a name for bytes from elsewhere; it stands in every error.
    public let name: String
    /// Bytes of the file as it is stored, where it is a regular file: the whole of a progress bar.
    public let totalBytes: Int?
    /// Bytes of the file as it is stored that were read so far: the done part of a progress bar.
    public private(set) var compressedBytesRead = 0

    private enum Packing { case unknown, plain, gzip(GzipDecoder), zstd(ZstdDecoder) }

    private static let blockBytes = 256 << 10

    private let descriptor: Int32
    private var input: [UInt8]
    private var inputStart = 0
    private var inputEnd = 0
    private var isAtEnd = false
    private var packing = Packing.unknown

    /// Opens `path`, or standard input where it is `-`. Throws `notFound`, `permissionDenied` or `inputOutput`.
    public init(path: String) throws(WhenceError) {
        if path == "-" {
            name = "standard input"
            descriptor = STDIN_FILENO
        } else {
            name = path
            descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw FileFault.error(errno, opening: path) }
        }
        var status = stat()
        if unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            totalBytes = Int(status.st_size)
        } else {
            totalBytes = nil
        }
        input = Array(repeating: 0, count: ByteSource.blockBytes)
        if status.st_mode & S_IFMT == S_IFDIR {
            throw WhenceError(.invalidArgument, "this is a directory, not a file", place: path, hint: "name one file in it")
        }
    }

    /// Takes bytes that are in memory already; `name` stands in errors where a path would.
    public init(bytes: [UInt8], name: String) {
        self.name = name
        descriptor = -1
        totalBytes = bytes.count
        input = bytes
        inputEnd = bytes.count
        compressedBytesRead = bytes.count
        isAtEnd = true
    }

    deinit {
        if descriptor > STDERR_FILENO { close(descriptor) }
    }

    /// Writes the next unpacked bytes into `buffer` from `offset` on, as many as there is room for or fewer.
    ///
    /// - Returns: how many bytes came; 0 at the end, or where there is no room.
    /// - Throws: `malformedInput` when packed data is damaged or cut short, `inputOutput` when the system says so.
    public func read(into buffer: inout [UInt8], at offset: Int = 0) throws(WhenceError) -> Int {
        precondition(offset >= 0 && offset <= buffer.count)
        let outcome: Result<Int, WhenceError> = unsafe buffer.withUnsafeMutableBytes { target in
            unsafe read(into: UnsafeMutableRawBufferPointer(rebasing: target[offset...]))
        }
        return try outcome.get()
    }

    /// The same, into memory that the caller holds.
    func read(into target: UnsafeMutableRawBufferPointer) -> Result<Int, WhenceError> {
        do throws(WhenceError) {
            if case .unknown = packing { try detect() }
            while unsafe !target.isEmpty {
                let (taken, made) = try unsafe unpack(into: target)
                inputStart += taken
                if made > 0 { return .success(made) }
                if inputStart == inputEnd {
                    if isAtEnd {
                        try checkEnd()
                        return .success(0)
                    }
                    try refill()
                }
            }
            return .success(0)
        } catch {
            return .failure(error)
        }
    }

    private func unpack(into target: UnsafeMutableRawBufferPointer) throws(WhenceError) -> (taken: Int, made: Int) {
        let range = inputStart..<inputEnd
        let outcome: Result<(taken: Int, made: Int), WhenceError> = unsafe input.withUnsafeBytes { all in
            let source = unsafe UnsafeRawBufferPointer(rebasing: all[range])
            switch packing {
            case .unknown, .plain:
                let count = min(source.count, target.count)
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
                return .success((count, count))
            case .gzip(let decoder): return unsafe decoder.decode(source, into: target, name: name)
            case .zstd(let decoder): return unsafe decoder.decode(source, into: target, name: name)
            }
        }
        return try outcome.get()
    }

    /// Reads until there are four bytes to look at, or no more.
    private func detect() throws(WhenceError) {
        while !isAtEnd, inputEnd - inputStart < 4 { try refill() }
        let magic = Array(input[inputStart..<min(inputEnd, inputStart + 4)])
        if magic.starts(with: [0x1F, 0x8B]) {
            packing = .gzip(try GzipDecoder())
        } else if magic == [0x28, 0xB5, 0x2F, 0xFD] || (magic.count == 4 && magic[0] & 0xF0 == 0x50 && magic[1...] == [0x2A, 0x4D, 0x18]) {
            packing = .zstd(try ZstdDecoder())
        } else {
            packing = .plain
        }
    }

    private func checkEnd() throws(WhenceError) {
        let isWhole =
            switch packing {
            case .unknown, .plain: true
            case .gzip(let decoder): decoder.isBetweenMembers
            case .zstd(let decoder): decoder.isBetweenFrames
            }
        guard isWhole else {
            throw WhenceError(
                .malformedInput, "the compressed data ends too early", place: name,
                hint: "the file was cut short, perhaps by a broken transfer; get it again")
        }
    }

    private func refill() throws(WhenceError) {
        if inputStart == inputEnd {
            inputStart = 0
            inputEnd = 0
        }
        let start = inputEnd
        let count = unsafe input.withUnsafeMutableBytes { block in
            while true {
                let count = unsafe Glibc.read(descriptor, block.baseAddress.map { unsafe $0 + start }, block.count - start)
                if count >= 0 || errno != EINTR { return count }
            }
        }
        guard count >= 0 else { throw FileFault.error(errno, reading: name) }
        if count == 0 { isAtEnd = true }
        inputEnd += count
        compressedBytesRead += count
    }
}
