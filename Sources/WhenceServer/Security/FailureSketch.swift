import NIOCore

/// How many failures lie behind each of any number of keys, in memory of a fixed size: a count-min sketch (Cormode and Muthukrishnan, 2005)
/// whose counts drain as time goes by.
///
/// A count is kept as the time at which it will have drained (the generic cell rate algorithm, ITU-T I.371): each failure moves that time
/// one `interval` on. Keys that share a cell are counted together there; a key's count is the lesser of its two cells, so that it is too
/// high only where both are shared, and never too low. Hashes are seeded anew in each process, so that nobody can choose keys that share.
struct FailureSketch: Sendable {
    private static let cells = 1 << 15

    /// The time in which one failure is forgotten.
    private let interval: TimeAmount
    private var first = [NIODeadline](repeating: .uptimeNanoseconds(0), count: cells)
    private var second = [NIODeadline](repeating: .uptimeNanoseconds(0), count: cells)

    init(interval: TimeAmount) { self.interval = interval }

    private static func places(of key: some Hashable) -> (Int, Int) {
        let hash = UInt64(bitPattern: Int64(key.hashValue))
        return (Int(hash % UInt64(cells)), Int((hash >> 32) % UInt64(cells)))
    }

    private func drained(_ key: some Hashable) -> NIODeadline {
        let (a, b) = Self.places(of: key)
        return min(first[a], second[b])
    }

    /// How long until fewer than `limit` failures lie behind `key`; zero where that is so now.
    func wait(_ key: some Hashable, limit: Int, at now: NIODeadline) -> TimeAmount {
        let allowed = now + interval * max(0, limit - 1)
        return max(.zero, drained(key) - allowed)
    }

    /// Counts a failure.
    mutating func add(_ key: some Hashable, at now: NIODeadline) {
        let time = max(drained(key), now) + interval
        let (a, b) = Self.places(of: key)
        // Each cell at least that: one that another key has moved further stays.
        first[a] = max(first[a], time)
        second[b] = max(second[b], time)
    }
}
