import CZlib
import WhenceCore

/// Packs bytes into one gzip member (RFC 1952), without a time or a name: the same bytes in give the same bytes out.
@safe final class GzipEncoder {
    private let stream: UnsafeMutablePointer<z_stream>
    private var block: [UInt8] = Array(repeating: 0, count: 64 << 10)

    init() throws(WhenceError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let code = unsafe deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { throw WhenceError(.inputOutput, "zlib cannot start: code \(code)") }
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    func encode(_ bytes: [UInt8], isLast: Bool, into out: inout [UInt8]) throws(WhenceError) {
        let code: Int32 = unsafe bytes.withUnsafeBytes { source in
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: source.bindMemory(to: UInt8.self).baseAddress)
            unsafe stream.pointee.avail_in = UInt32(source.count)
            while true {
                let (code, made) = unsafe block.withUnsafeMutableBytes { target in
                    unsafe stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
                    unsafe stream.pointee.avail_out = UInt32(target.count)
                    let code = unsafe deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    return (code, target.count - Int(unsafe stream.pointee.avail_out))
                }
                out.append(contentsOf: block[..<made])
                if code == Z_STREAM_END { return Z_OK }
                if code != Z_OK && code != Z_BUF_ERROR { return code }
                if !isLast, made < block.count { return Z_OK }
            }
        }
        guard code == Z_OK else { throw WhenceError(.inputOutput, "zlib cannot go on: code \(code)") }
    }
}
