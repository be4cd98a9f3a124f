import CZstd
import WhenceCore

/// Unpacks zstd (RFC 8878), one frame after another; skippable frames are skipped.
@safe final class ZstdDecoder {
    private let stream: OpaquePointer
    /// Whether what was decoded so far is a whole number of frames.
    private(set) var isBetweenFrames = true

    init() throws(WhenceError) {
        guard let stream = unsafe ZSTD_createDStream() else { throw WhenceError(.inputOutput, "zstd cannot start") }
        unsafe self.stream = stream
    }

    deinit { unsafe ZSTD_freeDStream(stream) }

    func decode(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, name: String
    ) -> Result<(taken: Int, made: Int), WhenceError> {
        if unsafe source.isEmpty, isBetweenFrames { return .success((0, 0)) }
        var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
        var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        let left = unsafe ZSTD_decompressStream(stream, &output, &input)
        guard ZSTD_isError(left) == 0 else {
            let reason = unsafe String(cString: ZSTD_getErrorName(left))
            return .failure(
                WhenceError(
                    .malformedInput, "the zstd data is damaged: \(reason)", place: name, hint: "test it with 'zstd -t', or get it again"))
        }
        isBetweenFrames = left == 0
        return .success((unsafe input.pos, unsafe output.pos))
    }
}
