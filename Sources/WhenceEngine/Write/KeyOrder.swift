import WhenceCore

/// What versions, or reads of versions, are sorted by: entity key, then time from the newest on, then the order in
/// which they came. The first eight bytes of the entity key decide almost always; the rest is looked at where they tie.
struct SortKey: BitwiseCopyable {
    /// The first eight bytes of the entity key, big-endian, padded with zeros.
    var prefix: UInt64
    /// `VersionKey.code` of the time: ascending is from the newest on.
    var time: UInt64
    var index: UInt32
    /// Bytes of the entity key.
    var length: UInt32

    init(prefix: UInt64, time: UInt64, index: UInt32, length: UInt32) {
        self.prefix = prefix
        self.time = time
        self.index = index
        self.length = length
    }

    /// What the version with the whole key `key` is sorted by; its commit time is not looked at.
    @inline(__always) init(ofVersion key: RawSpan, index: UInt32) {
        let length = key.byteCount - VersionKey.timesBytes
        self.init(
            prefix: SortKey.prefix(key.extracting(0..<length)),
            time: UInt64(bigEndian: unsafe key.unsafeLoadUnaligned(fromByteOffset: length, as: UInt64.self)), index: index,
            length: UInt32(length))
    }

    /// The prefix of an entity key. What follows a key that is the beginning of another is never zero (`Formats/keys.md`), so a
    /// tie between keys of up to eight bytes means that they are equal.
    @inline(__always) static func prefix(_ entity: RawSpan) -> UInt64 {
        if entity.byteCount >= 8 { return UInt64(bigEndian: unsafe entity.unsafeLoadUnaligned(as: UInt64.self)) }
        var prefix: UInt64 = 0
        for at in 0..<entity.byteCount { prefix |= UInt64(entity[at]) << UInt64(56 - at * 8) }
        return prefix
    }
}

enum KeyOrder {
    /// Sorts `keys`, stably. `entity` gives the entity key of an index, for ties between long keys.
    ///
    /// Cost: a pass to count, then one pass for each of the 16 bytes that is not the same in all keys.
    static func sort(_ keys: inout [SortKey], longKeys: Bool, isBefore: (_ a: UInt32, _ b: UInt32) -> Int) {
        if keys.count < 512 {
            keys.sort { a, b in
                a.prefix != b.prefix ? a.prefix < b.prefix : a.time != b.time ? a.time < b.time : a.index < b.index
            }
        } else {
            radixSort(&keys)
        }
        if longKeys { sortTies(&keys, isBefore) }
    }

    /// Least significant digit first: the time's eight bytes, then the prefix's.
    ///
    /// Invariant of the unsafe parts: `from` and `to` have room for all keys, and a digit's counts add up to their number. They
    /// are plain pointers and no closures' buffers: Swift 6.3 has been seen to miscompile the latter in release builds here.
    private static func radixSort(_ keys: inout [SortKey]) {
        let count = keys.count
        let counts = UnsafeMutablePointer<Int>.allocate(capacity: 16 * 256)
        let first = UnsafeMutablePointer<SortKey>.allocate(capacity: count)
        let second = UnsafeMutablePointer<SortKey>.allocate(capacity: count)
        defer {
            unsafe counts.deallocate()
            unsafe first.deallocate()
            unsafe second.deallocate()
        }
        unsafe counts.initialize(repeating: 0, count: 16 * 256)
        for index in 0..<count {
            let key = keys[index]
            unsafe (first + index).initialize(to: key)
            for digit in 0..<8 {
                unsafe counts[digit &* 256 &+ Int(truncatingIfNeeded: key.time >> UInt64(digit &* 8) & 255)] &+= 1
                unsafe counts[(digit &+ 8) &* 256 &+ Int(truncatingIfNeeded: key.prefix >> UInt64(digit &* 8) & 255)] &+= 1
            }
        }
        var from = unsafe first
        var to = unsafe second
        for digit in 0..<16 {
            let base = digit * 256
            var isConstant = false
            var sum = 0
            for value in 0..<256 {
                let n = unsafe counts[base + value]
                if n == count { isConstant = true }
                unsafe counts[base + value] = sum
                sum += n
            }
            if isConstant { continue }
            let shift = UInt64(digit & 7) &* 8
            for index in 0..<count {
                let key = unsafe from[index]
                let word = digit < 8 ? key.time : key.prefix
                let slot = base &+ Int(truncatingIfNeeded: word >> shift & 255)
                let place = unsafe counts[slot]
                unsafe counts[slot] = place &+ 1
                unsafe (to + place).initialize(to: key)
            }
            unsafe swap(&from, &to)
        }
        for index in 0..<count { keys[index] = unsafe from[index] }
    }

    /// Puts runs of one prefix in the order of the whole keys; `order` compares two entity keys, as memcmp does.
    private static func sortTies(_ keys: inout [SortKey], _ order: (UInt32, UInt32) -> Int) {
        var start = 0
        while start < keys.count {
            var end = start + 1
            while end < keys.count && keys[end].prefix == keys[start].prefix { end += 1 }
            if end - start > 1 {
                keys[start..<end].sort { a, b in
                    let byEntity = order(a.index, b.index)
                    if byEntity != 0 { return byEntity < 0 }
                    return a.time != b.time ? a.time < b.time : a.index < b.index
                }
            }
            start = end
        }
    }
}
