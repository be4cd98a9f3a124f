import CZstd
import NIOCore
import WhenceCore

/// Compresses the payloads of `rows` with zstd, keeping its memory from one to the next. For one stream at a time.
@safe public final class RowsCompressor {
    private let context: OpaquePointer
    private var buffer = ByteBuffer()
    private var packed = ByteBuffer()

    /// The fastest level: the network that asks for compression is the bottleneck, not the last percent.
    private static var level: Int32 { 1 }

    public init() {
        guard let context = unsafe ZSTD_createCCtx() else { preconditionFailure("out of memory for a compressor") }
        unsafe self.context = context
    }

    deinit { unsafe _ = ZSTD_freeCCtx(context) }

    /// An empty buffer for the payload as it is before.
    func takeBuffer() -> ByteBuffer {
        var taken = ByteBuffer()
        swap(&taken, &buffer)
        taken.clear()
        return taken
    }

    func putBack(_ used: ByteBuffer) { buffer = used }

    /// A compressed payload: the size uncompressed, then one zstd frame. It lies in memory that the next call uses again, unless it is
    /// kept.
    func compress(_ plain: ByteBuffer) throws(WhenceError) -> ByteBuffer {
        packed.clear()
        packed.writeInteger(UInt32(plain.readableBytes), endianness: .little)
        let bound = ZSTD_compressBound(plain.readableBytes)
        try unsafe packed.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { target throws(WhenceError) -> Int in
            let written = unsafe plain.withUnsafeReadableBytes { source in
                unsafe ZSTD_compressCCtx(context, target.baseAddress, target.count, source.baseAddress, source.count, RowsCompressor.level)
            }
            guard ZSTD_isError(written) == 0 else { throw WhenceError(.internalError, "rows could not be compressed") }
            return written
        }
        return packed
    }

    /// What a compressed payload holds. Throws `protocolViolation` where that is longer than `maximumBytes`, before it allocates, and
    /// where the payload is not exactly one zstd frame of the size that it states.
    static func decompress(_ payload: ByteBuffer, maximumBytes: Int) throws(WhenceError) -> ByteBuffer {
        var payload = payload
        guard let stated = payload.readInteger(endianness: .little, as: UInt32.self).map(Int.init) else {
            throw .violation("a compressed payload has no size")
        }
        guard stated <= maximumBytes else {
            throw .violation("a payload of \(stated) bytes uncompressed is longer than the \(maximumBytes) that are taken")
        }
        let holdsOne = unsafe payload.withUnsafeReadableBytes { source in
            unsafe ZSTD_findFrameCompressedSize(source.baseAddress, source.count) == source.count
                && ZSTD_getFrameContentSize(source.baseAddress, source.count) == UInt64(stated)
        }
        guard holdsOne else { throw .violation("a compressed payload is not one zstd frame of the size that it states") }
        var plain = ByteBufferAllocator().buffer(capacity: stated)
        try unsafe plain.writeWithUnsafeMutableBytes(minimumWritableBytes: stated) { target throws(WhenceError) -> Int in
            let written = unsafe payload.withUnsafeReadableBytes { source in
                unsafe ZSTD_decompress(target.baseAddress, stated, source.baseAddress, source.count)
            }
            guard ZSTD_isError(written) == 0, written == stated else {
                throw .violation("a compressed payload is damaged")
            }
            return written
        }
        return plain
    }
}
