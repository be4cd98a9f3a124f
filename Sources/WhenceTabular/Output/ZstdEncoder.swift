import CZstd
import WhenceCore

/// Packs bytes into one zstd frame (RFC 8878) with a checksum.
@safe final class ZstdEncoder {
    private let stream: OpaquePointer
    private var block: [UInt8] = Array(repeating: 0, count: 128 << 10)

    init() throws(WhenceError) {
        guard let stream = unsafe ZSTD_createCCtx() else { throw WhenceError(.inputOutput, "zstd cannot start") }
        unsafe self.stream = stream
        _ = unsafe ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1)
    }

    deinit { unsafe ZSTD_freeCCtx(stream) }

    func encode(_ bytes: [UInt8], isLast: Bool, into out: inout [UInt8]) throws(WhenceError) {
        let fault: String? = unsafe bytes.withUnsafeBytes { source in
            var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
            while true {
                let (left, made) = unsafe block.withUnsafeMutableBytes { target in
                    var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    let left = unsafe ZSTD_compressStream2(stream, &output, &input, isLast ? ZSTD_e_end : ZSTD_e_continue)
                    return (left, unsafe output.pos)
                }
                if ZSTD_isError(left) != 0 { return unsafe String(cString: ZSTD_getErrorName(left)) }
                out.append(contentsOf: block[..<made])
                if isLast ? left == 0 : unsafe input.pos == input.size { return nil }
            }
        }
        if let fault { throw WhenceError(.inputOutput, "zstd cannot go on: \(fault)") }
    }
}
