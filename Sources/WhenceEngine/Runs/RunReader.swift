import Foundation
import WhenceCore

/// Reads one entry of a run after another. One thread at a time.
///
/// Invariant of the unsafe parts: the current entry, lengths and all, lies within the `filled` bytes of `window`; it is looked at only
/// while there is one.
@safe final class RunReader {
    private let run: Run
    private let windowBytes: Int
    private var window: UnsafeMutableRawPointer
    private var capacity: Int
    private var filled = 0
    /// Where in the file the window begins.
    private var offset: Int
    /// Where in the window the current entry begins.
    private var at = 0
    private var keyLength = 0
    private var rowLength = 0
    private(set) var isAtEnd = false
    /// The first eight bytes of the current key, which decide most comparisons; the greatest number at the end.
    private(set) var prefix: UInt64 = 0

    /// A reader that stands on the first entry whose key is not less than `start` (nil: on the first of all).
    ///
    /// - Parameter windowBytes: bytes that are read at once.
    init(_ run: Run, from start: [UInt8]?, windowBytes: Int) throws(WhenceError) {
        self.run = run
        self.windowBytes = max(4096, windowBytes)
        capacity = self.windowBytes
        unsafe window = .allocate(byteCount: capacity, alignment: 16)
        let before = start.flatMap { start in run.index.last { !start.lexicographicallyPrecedes($0.key) } }
        offset = before?.offset ?? run.range.lowerBound
        try load()
        guard let start else { return }
        while !isAtEnd, unsafe compareKey(start.span.bytes) < 0 { try next() }
    }

    deinit { unsafe window.deallocate() }

    /// Bytes of the current entry's key and row together.
    var entryBytes: Int { keyLength + rowLength }
    var currentKeyLength: Int { keyLength }

    /// Calls `body` with the current key and row, one behind the other.
    @inline(__always) func withEntry<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
        precondition(!isAtEnd)
        return try body(unsafe RawSpan(_unsafeStart: UnsafeRawPointer(window + (at + Run.lengthsBytes)), byteCount: keyLength + rowLength))
    }

    /// Moves to the next entry.
    @inline(__always) func next() throws(WhenceError) {
        at += Run.lengthsBytes + keyLength + rowLength
        try load()
    }

    /// As memcmp, the current key against `key`.
    func compareKey(_ key: RawSpan) -> Int {
        unsafe key.withUnsafeBytes { key in
            let order = unsafe memcmp(window + (at + Run.lengthsBytes), key.baseAddress.unsafelyUnwrapped, min(keyLength, key.count))
            return order != 0 ? Int(order) : keyLength - key.count
        }
    }

    /// As memcmp, the current key against that of `other`.
    func compareKey(_ other: RunReader) -> Int {
        let order = unsafe memcmp(
            window + (at + Run.lengthsBytes), other.window + (other.at + Run.lengthsBytes), min(keyLength, other.keyLength))
        return order != 0 ? Int(order) : keyLength - other.keyLength
    }

    @inline(__always) private func load() throws(WhenceError) {
        if at + Run.lengthsBytes > filled {
            guard try fill(Run.lengthsBytes) else {
                isAtEnd = true
                prefix = .max
                return
            }
        }
        keyLength = Int(unsafe window.loadUnaligned(fromByteOffset: at, as: UInt16.self).littleEndian)
        rowLength = Int(unsafe window.loadUnaligned(fromByteOffset: at + 2, as: UInt32.self).littleEndian)
        let size = Run.lengthsBytes + keyLength + rowLength
        if at + size > filled {
            guard keyLength >= VersionKey.timesBytes, try fill(size) else {
                throw WhenceError(.inputOutput, "a temporary file is damaged", hint: "look at the disk, and run this again")
            }
        }
        // A key is longer than its 16 bytes of times.
        prefix = UInt64(bigEndian: unsafe window.loadUnaligned(fromByteOffset: at + Run.lengthsBytes, as: UInt64.self))
    }

    /// Makes `count` bytes from `at` on available; false where the run ends before.
    @inline(never) private func fill(_ count: Int) throws(WhenceError) -> Bool {
        guard offset + at + count <= run.range.upperBound else { return false }
        let left = filled - at
        if count > capacity {
            let larger = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
            unsafe larger.copyMemory(from: window + at, byteCount: left)
            unsafe window.deallocate()
            unsafe window = larger
            capacity = count
        } else if left > 0 {
            _ = unsafe memmove(window, window + at, left)
        }
        offset += at
        at = 0
        filled = left
        let more = min(capacity - left, run.range.upperBound - offset - left)
        try unsafe run.file.read(into: UnsafeMutableRawBufferPointer(start: window + left, count: more), at: offset + left)
        filled += more
        return true
    }
}
