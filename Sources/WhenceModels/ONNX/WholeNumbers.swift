/// An array of whole numbers, each in no more bytes than the greatest of them needs: an ensemble has six for every node, nearly all small.
///
/// Invariant: of the four arrays only that of `bytesEach` has elements.
struct WholeNumbers: RandomAccessCollection, Sendable {
    private var ones: [Int8] = []
    private var twos: [Int16] = []
    private var fours: [Int32] = []
    private var eights: [Int64] = []
    private var bytesEach = 1
    /// How many are expected: room is made for them at once, so that no array is copied while it grows.
    private var expected = 0

    var startIndex: Int { 0 }
    var endIndex: Int {
        switch bytesEach {
        case 1: ones.count
        case 2: twos.count
        case 4: fours.count
        default: eights.count
        }
    }

    subscript(index: Int) -> Int64 {
        switch bytesEach {
        case 1: Int64(ones[index])
        case 2: Int64(twos[index])
        case 4: Int64(fours[index])
        default: eights[index]
        }
    }

    /// Makes room for the first numbers, which are `count` at most.
    mutating func expect(_ count: Int) {
        expected = count
        ones.reserveCapacity(count)
    }

    mutating func append(_ number: Int64) {
        if bytesEach == 1 {
            if let small = Int8(exactly: number) { return ones.append(small) }
            (twos, ones, bytesEach) = (widened(ones), [], 2)
        }
        if bytesEach == 2 {
            if let small = Int16(exactly: number) { return twos.append(small) }
            (fours, twos, bytesEach) = (widened(twos), [], 4)
        }
        if bytesEach == 4 {
            if let small = Int32(exactly: number) { return fours.append(small) }
            (eights, fours, bytesEach) = (widened(fours), [], 8)
        }
        eights.append(number)
    }

    private func widened<Narrow: FixedWidthInteger, Wide: FixedWidthInteger>(_ numbers: [Narrow]) -> [Wide] {
        var wide: [Wide] = []
        wide.reserveCapacity(expected)
        for number in numbers { wide.append(Wide(truncatingIfNeeded: number)) }
        return wide
    }
}
