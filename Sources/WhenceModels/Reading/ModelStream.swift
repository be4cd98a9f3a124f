import Foundation
import WhenceCore

/// The bytes of a model, read forward through one block of memory, whatever the size of the file. All raw memory of the
/// readers is here.
///
/// Invariant: `block[position..<end]` are bytes of the source that nobody has taken yet, and `position <= end <= capacity`.
/// The block moves only in `ensure`, which borrows nothing that was handed out: what is borrowed ends before it.
@safe struct ModelStream: ~Copyable {
    private enum Source { case descriptor(Int32), memory([UInt8], next: Int) }

    private static let blockBytes = 256 << 10
    /// The least room that a block has; a reader may ask `ensure` for this much.
    static let tokenBytesMax = 256

    /// The path, or the name of bytes from elsewhere, as errors say it.
    let name: String
    /// Bytes that the source had when it was opened.
    let totalBytes: Int
    private var source: Source
    private let bytesMax: Int
    private var block: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var position = 0
    private var end = 0
    private var isExhausted = false
    /// Where in the source the block begins, and the line feeds before it.
    private var blockOffset = 0
    private var linesBefore = 0

    /// Opens `source`. Throws `notFound`, `permissionDenied` or `inputOutput` for a file that cannot be read, and, now or
    /// while reading, `limitExceeded` for one of more than `bytesMax` bytes.
    init(_ source: ModelSource, bytesMax: Int, blockBytes: Int = ModelStream.blockBytes) throws(WhenceError) {
        let opened = try ModelStream.open(source, bytesMax: bytesMax)
        name = source.name
        self.bytesMax = bytesMax
        self.source = opened.source
        totalBytes = opened.bytes
        capacity = max(ModelStream.tokenBytesMax, min(blockBytes, opened.bytes))
        unsafe block = .allocate(capacity: capacity)
        unsafe memset(block, 0, capacity)
    }

    private static func open(_ source: ModelSource, bytesMax: Int) throws(WhenceError) -> (source: Source, bytes: Int) {
        switch source {
        case .bytes(let bytes, let name):
            guard bytes.count <= bytesMax else { throw tooLarge(bytesMax, name) }
            return (.memory(bytes, next: 0), bytes.count)
        case .file(let path):
            let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw fault(errno, path) }
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                close(descriptor)
                throw WhenceError(
                    .invalidArgument, "this is no regular file", place: path, hint: "name the file that the library's save function wrote")
            }
            guard Int(status.st_size) <= bytesMax else {
                close(descriptor)
                throw tooLarge(bytesMax, path)
            }
            return (.descriptor(descriptor), Int(status.st_size))
        }
    }

    deinit {
        unsafe block.deallocate()
        if case .descriptor(let descriptor) = source { close(descriptor) }
    }

    private static func fault(_ code: Int32, _ path: String) -> WhenceError {
        let text = if let message = unsafe strerror(code) { unsafe String(cString: message) } else { "error \(code)" }
        return switch code {
        case ENOENT, ENOTDIR: WhenceError(.notFound, "there is no such file", place: path, hint: "check the path")
        case EACCES, EPERM:
            WhenceError(.permissionDenied, "it cannot be read: \(text)", place: path, hint: "check who may read the file")
        default: WhenceError(.inputOutput, "it cannot be read: \(text)", place: path)
        }
    }

    private static func tooLarge(_ bytesMax: Int, _ name: String) -> WhenceError {
        WhenceError(
            .limitExceeded, "the file has more than \(bytesMax) bytes", place: name,
            hint: "raise the limit on the size of model files if the file is really a model")
    }

    // MARK: Where

    /// Bytes taken so far.
    var offset: Int { blockOffset + position }

    /// The line of the next byte, counted from 1.
    var line: Int { linesBefore + lineFeeds(before: position) + 1 }

    /// Bytes left of those that the source had when it was opened.
    var bytesLeft: Int { max(0, totalBytes - offset) }

    private func lineFeeds(before position: Int) -> Int {
        var count = 0
        var from = unsafe block
        let end = unsafe block + position
        while let found = unsafe memchr(from, 0x0A, end - from) {
            count += 1
            unsafe from = found.assumingMemoryBound(to: UInt8.self) + 1
        }
        return count
    }

    // MARK: Looking

    /// Bytes at hand, which can be looked at and taken without reading.
    var available: Int { end - position }

    /// Reads on until `count` bytes are at hand, or all that the source has left. At most `tokenBytesMax` may be asked for.
    ///
    /// - Returns: the bytes at hand.
    @discardableResult
    mutating func ensure(_ count: Int) throws(WhenceError) -> Int {
        if end - position >= count || isExhausted { return end - position }
        return try refill(count)
    }

    private mutating func refill(_ count: Int) throws(WhenceError) -> Int {
        precondition(count <= ModelStream.tokenBytesMax)
        linesBefore += lineFeeds(before: position)
        blockOffset += position
        unsafe block.update(from: block + position, count: end - position)
        end -= position
        position = 0
        while end < count, !isExhausted {
            let got = try readMore()
            if got == 0 { isExhausted = true }
            end += got
            if blockOffset + end > bytesMax { throw ModelStream.tooLarge(bytesMax, name) }
        }
        return end
    }

    private mutating func readMore() throws(WhenceError) -> Int {
        switch source {
        case .memory(let bytes, let next):
            let count = min(capacity - end, bytes.count - next)
            let target = unsafe block + end
            unsafe bytes.withUnsafeBufferPointer { from in
                if let start = from.baseAddress { unsafe target.update(from: start + next, count: count) }
            }
            source = .memory(bytes, next: next + count)
            return count
        case .descriptor(let descriptor):
            while true {
                let count = unsafe read(descriptor, block + end, capacity - end)
                if count >= 0 { return count }
                guard errno == EINTR else { throw ModelStream.fault(errno, name) }
            }
        }
    }

    /// The next byte, not taken; 0 at the end.
    @inline(__always)
    mutating func peek() throws(WhenceError) -> UInt8 {
        if position == end, try ensure(1) == 0 { return 0 }
        return unsafe block[position]
    }

    /// Whether all is taken.
    mutating func isAtEnd() throws(WhenceError) -> Bool { try ensure(1) == 0 }

    /// The byte `index` behind the next; it must be at hand.
    @inline(__always)
    func byte(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < end &- position)
        return unsafe block[position &+ index]
    }

    /// How many of the bytes at hand come before the next line feed: all of them where there is none.
    func firstLineFeed() -> Int {
        let count = end - position
        guard count > 0, let found = unsafe memchr(block + position, 0x0A, count) else { return count }
        return unsafe found - UnsafeMutableRawPointer(block + position)
    }

    /// The next `count` bytes, which must be at hand; borrowed until the stream is changed.
    @_lifetime(borrow self)
    func bytes(_ count: Int) -> RawSpan {
        precondition(count >= 0 && count <= end - position)
        let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(block + position), byteCount: count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    // MARK: Taking

    /// Takes `count` bytes that are at hand.
    @inline(__always)
    mutating func advance(_ count: Int) {
        precondition(count >= 0 && count <= end &- position)
        position &+= count
    }

    /// Takes `count` bytes and appends them to `bytes`. False where there are fewer; then some of them are taken.
    mutating func take(_ count: Int, into bytes: inout [UInt8]) throws(WhenceError) -> Bool {
        var left = count
        while left > 0 {
            let part = min(left, try ensure(1))
            if part == 0 { return false }
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: block + position, count: part))
            advance(part)
            left -= part
        }
        return true
    }

    /// Takes `count` bytes and forgets them. False where there are fewer.
    mutating func skip(_ count: Int) throws(WhenceError) -> Bool {
        var left = count
        while left > 0 {
            let part = min(left, try ensure(1))
            if part == 0 { return false }
            advance(part)
            left -= part
        }
        return true
    }
}
