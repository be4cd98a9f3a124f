import Foundation
import WhenceCore

/// The part of the input that the current record lies in: bytes `begin..<end` of one block of memory that is filled as
/// the reader asks for more. All raw memory of the record readers is here.
///
/// Positions are counted from the block's start; `fill` may move everything back by what it returns.
@safe final class RecordWindow {
    private static let chunkBytes = 256 << 10

    let source: ByteSource
    private var capacity: Int
    /// The block. It moves when it grows, so nobody keeps it over `fill`.
    private(set) var base: UnsafeMutablePointer<UInt8>
    /// Where the current record begins.
    var begin = 0
    /// Where the bytes read so far end.
    private(set) var end = 0
    private(set) var isAtEnd = false

    init(_ source: ByteSource) {
        self.source = source
        capacity = 2 * RecordWindow.chunkBytes
        unsafe base = .allocate(capacity: capacity)
        unsafe memset(base, 0, capacity)
    }

    deinit { unsafe base.deallocate() }

    /// Moves `begin` to the front and reads more behind it.
    ///
    /// - Returns: how far everything moved towards the front. Whether bytes came, `isAtEnd` says.
    func fill() throws(WhenceError) -> Int {
        let shift = begin
        if shift > 0 {
            unsafe base.update(from: base + shift, count: end - shift)
            begin = 0
            end -= shift
        }
        if capacity - end < RecordWindow.chunkBytes {
            let larger = capacity * 2
            let block = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
            unsafe block.initialize(from: base, count: end)
            unsafe memset(block + end, 0, larger - end)
            unsafe base.deallocate()
            unsafe base = block
            capacity = larger
        }
        let count = try unsafe source.read(into: UnsafeMutableRawBufferPointer(start: base + end, count: capacity - end)).get()
        if count == 0 { isAtEnd = true }
        end += count
        return shift
    }

    /// Skips a byte order mark; to be called once, first.
    func skipByteOrderMark() throws(WhenceError) {
        while end < 3, !isAtEnd { _ = try fill() }
        if end >= 3, unsafe base[0] == 0xEF, unsafe base[1] == 0xBB, unsafe base[2] == 0xBF { begin = 3 }
    }

    /// Bytes `range`, borrowed until the window is filled again.
    @_lifetime(borrow self)
    func span(_ range: Range<Int>) -> RawSpan {
        precondition(range.lowerBound >= 0 && range.upperBound <= end)
        let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base + range.lowerBound), byteCount: range.count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// The first of `a`, `b` or a line feed in `position..<end`, or `end`.
    @inline(__always)
    func firstSpecial(from position: Int, _ a: UInt8, _ b: UInt8) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let needleA = ones &* UInt64(a)
        let needleB = ones &* UInt64(b)
        let needleC = ones &* 0x0A
        let limit = end
        let memory = unsafe UnsafeRawPointer(base)
        var at = position
        // Eight bytes at a time: a byte that equals a needle is zero after the exclusive or, and the subtraction borrows
        // into its top bit. A borrow can carry into higher bytes only, so the lowest mark is always a true one.
        while at &+ 8 <= limit {
            let word = UInt64(littleEndian: unsafe memory.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            let x = word ^ needleA
            let y = word ^ needleB
            let z = word ^ needleC
            let marks = (((x &- ones) & ~x) | ((y &- ones) & ~y) | ((z &- ones) & ~z)) & highs
            if marks != 0 { return at &+ marks.trailingZeroBitCount &>> 3 }
            at &+= 8
        }
        while at < limit {
            let byte = unsafe base[at]
            if byte == a || byte == b || byte == 0x0A { return at }
            at &+= 1
        }
        return limit
    }

    /// The first `byte` in `position..<end`, or `end`.
    func first(_ byte: UInt8, from position: Int) -> Int {
        guard position < end, let found = unsafe memchr(base + position, Int32(byte), end - position) else { return end }
        return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    /// The byte at `position`, which must lie before `end`.
    @inline(__always)
    func byte(_ position: Int) -> UInt8 {
        assert(position >= 0 && position < end)
        return unsafe base[position]
    }
}
