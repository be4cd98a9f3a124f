/// Entries of the cache of latest rows by their hashes, which are good ones: open addressing, so that a look-up ends in the cache line in which
/// it begins, most often. Nobody holds on to the slots, and so nobody counts references to them, which threads would take from each other.
struct EntryTable {
    private struct Slot {
        var hash: UInt64 = 0
        var entry: LatestEntry?
    }

    /// A power of two.
    private var slots: [Slot] = []
    private(set) var count = 0

    private static let leastSlots = 8

    /// The slot of `hash`, or the free one at which it would be. There must be a free one.
    @inline(__always) private func place(of hash: UInt64) -> Int {
        let mask = slots.count - 1
        var at = Int(truncatingIfNeeded: hash) & mask
        while slots[at].entry != nil, slots[at].hash != hash { at = (at + 1) & mask }
        return at
    }

    subscript(hash: UInt64) -> LatestEntry? {
        @inline(__always) get { slots.isEmpty ? nil : slots[place(of: hash)].entry }
    }

    /// Puts `entry` in, and returns what was there in its place.
    mutating func insert(_ entry: LatestEntry, _ hash: UInt64) -> LatestEntry? {
        // At most three quarters full.
        if 4 * (count + 1) > 3 * slots.count { grow() }
        let at = place(of: hash)
        let old = slots[at].entry
        slots[at] = Slot(hash: hash, entry: entry)
        if old == nil { count += 1 }
        return old
    }

    mutating func remove(_ hash: UInt64) -> LatestEntry? {
        guard !slots.isEmpty else { return nil }
        var free = place(of: hash)
        guard let removed = slots[free].entry else { return nil }
        count -= 1
        // What stands behind it moves up where it would no longer be found across the gap.
        let mask = slots.count - 1
        var at = free
        while true {
            at = (at + 1) & mask
            guard slots[at].entry != nil else { break }
            let home = Int(truncatingIfNeeded: slots[at].hash) & mask
            if (at - home) & mask >= (at - free) & mask {
                slots[free] = slots[at]
                free = at
            }
        }
        slots[free] = Slot()
        return removed
    }

    /// The hashes of all entries.
    var hashes: [UInt64] { slots.lazy.filter { $0.entry != nil }.map(\.hash) }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: max(EntryTable.leastSlots, 2 * old.count))
        for slot in old where slot.entry != nil { slots[place(of: slot.hash)] = slot }
    }
}
