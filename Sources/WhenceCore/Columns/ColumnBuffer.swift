import Foundation

/// A block of memory that a column hands out, never changed once a column holds it.
///
/// Safe to share: it is written only by the builder that made it, before anyone else sees it.
@safe public final class ColumnBuffer: @unchecked Sendable {
    @usableFromInline let start: UnsafeMutableRawPointer
    /// Bytes in use.
    public let byteCount: Int

    /// Takes over memory that `allocate` returned.
    init(adopting start: UnsafeMutableRawPointer, byteCount: Int) {
        unsafe self.start = start
        self.byteCount = byteCount
    }

    /// New memory, all zero.
    convenience init(zeros byteCount: Int) { unsafe self.init(adopting: ColumnBuffer.allocate(byteCount), byteCount: byteCount) }

    /// `byteCount` bytes that `fill` writes before anyone else sees them.
    public convenience init<Failure: Error>(
        byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        self.init(zeros: byteCount)
        try unsafe fill(mutableBytes)
    }

    /// A copy of `bytes`.
    public convenience init(copying bytes: RawSpan) {
        self.init(zeros: bytes.byteCount)
        unsafe bytes.withUnsafeBytes { unsafe mutableBytes.copyMemory(from: $0) }
    }

    /// A copy of a bitmap of `count` bits, those past the last one cleared.
    public convenience init(copyingBitmap bytes: RawSpan, count: Int) {
        precondition(bytes.byteCount == (count + 7) / 8)
        self.init(copying: bytes)
        if count & 7 != 0 { unsafe mutableBytes[bytes.byteCount - 1] &= (1 << UInt8(count & 7)) - 1 }
    }

    deinit { unsafe free(start) }

    var mutableBytes: UnsafeMutableRawBufferPointer { unsafe UnsafeMutableRawBufferPointer(start: start, count: byteCount) }

    /// The bytes.
    @inlinable public var span: RawSpan {
        @_lifetime(borrow self) get {
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Zeroed memory, aligned to 16 bytes, to be freed with `free`; large blocks are the system's zero pages, touched only when written.
    public static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        guard let memory = unsafe calloc(max(16, byteCount), 1) else { preconditionFailure("out of memory for \(byteCount) bytes") }
        if byteCount >= 4 << 20 {
            // Large blocks are filled from one end to the other: fewer and larger pages fault in faster.
            let page = 2 << 20
            let first = (Int(bitPattern: memory) + page - 1) & ~(page - 1)
            let last = (Int(bitPattern: memory) + byteCount) & ~(page - 1)
            if last > first, let start = unsafe UnsafeMutableRawPointer(bitPattern: first) {
                unsafe madvise(start, last - first, MADV_HUGEPAGE)
            }
        }
        return unsafe memory
    }
}
