/// The different thresholds of one feature, numbered as they come: an open-addressing table, since a forest has millions of splits and
/// mostly a few hundred thresholds a feature.
struct ThresholdSet {
    private(set) var values: [Double] = []
    /// The number of a threshold and 1, or 0; a power of two of them, at most half in use.
    private var slots: [UInt32] = Array(repeating: 0, count: 16)
    private var shift: UInt64 = 60
    /// Odd and drawn at random, so that no file can be made in which all thresholds meet in one slot (multiply-shift hashing,
    /// Dietzfelbinger et al. 1997).
    private let multiplier = UInt64.random(in: .min ... .max) | 1

    /// The number of `threshold`.
    mutating func number(of threshold: Double) -> UInt32 {
        var slot = Int((threshold.bitPattern &* multiplier) >> shift)
        while case let found = slots[slot], found != 0 {
            if values[Int(found) - 1].bitPattern == threshold.bitPattern { return found - 1 }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        values.append(threshold)
        slots[slot] = UInt32(values.count)
        if values.count * 2 > slots.count { grow() }
        return UInt32(values.count - 1)
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        shift -= 1
        for index in values.indices {
            var slot = Int((values[index].bitPattern &* multiplier) >> shift)
            while slots[slot] != 0 { slot = (slot &+ 1) & (slots.count &- 1) }
            slots[slot] = UInt32(index + 1)
        }
    }

    /// Sorts the thresholds: all of them without repetitions (0 and -0 are one), and for each number its rank.
    func ranked() -> (sorted: [Double], ranks: [UInt32]) {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var sorted: [Double] = []
        sorted.reserveCapacity(order.count)
        var ranks = Array(repeating: UInt32(0), count: order.count)
        for index in order {
            if sorted.last != values[index] { sorted.append(values[index]) }
            ranks[index] = UInt32(sorted.count - 1)
        }
        return (sorted, ranks)
    }
}
