import CZlib
import WhenceCore

/// Unpacks gzip (RFC 1952), one member after another.
@safe final class GzipDecoder {
    private let stream: UnsafeMutablePointer<z_stream>
    /// Whether what was decoded so far is a whole number of members.
    private(set) var isBetweenMembers = true

    init() throws(WhenceError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 15 is the largest window; 16 more asks for the gzip wrapper and nothing else.
        let code = unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { throw WhenceError(.inputOutput, "zlib cannot start: code \(code)") }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func decode(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, name: String
    ) -> Result<(taken: Int, made: Int), WhenceError> {
        if unsafe source.isEmpty, isBetweenMembers { return .success((0, 0)) }
        isBetweenMembers = false
        let sourceCount = min(source.count, Int(Int32.max))
        let targetCount = min(target.count, Int(Int32.max))
        unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: source.bindMemory(to: UInt8.self).baseAddress)
        unsafe stream.pointee.avail_in = UInt32(sourceCount)
        unsafe stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
        unsafe stream.pointee.avail_out = UInt32(targetCount)
        let code = unsafe inflate(stream, Z_NO_FLUSH)
        switch code {
        case Z_STREAM_END:
            isBetweenMembers = true
            unsafe inflateReset(stream)
        case Z_OK, Z_BUF_ERROR: break
        default:
            let reason = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "code \(code)"
            return .failure(
                WhenceError(
                    .malformedInput, "the gzip data is damaged: \(reason)", place: name, hint: "test it with 'gzip -t', or get it again"))
        }
        return .success((sourceCount - Int(unsafe stream.pointee.avail_in), targetCount - Int(unsafe stream.pointee.avail_out)))
    }
}
