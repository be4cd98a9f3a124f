/// Finds the least of several sorted sequences again and again, with one comparison for each doubling of their number (Knuth, "The Art
/// of Computer Programming", volume 3, section 5.4.1). The sequences are known by their numbers; the caller compares what they stand on.
struct LoserTree {
    /// The loser of the match at each inner node, from 1 on; at 0 the winner of all.
    private var nodes: [Int]
    private let count: Int

    /// - Parameter isBefore: whether the first sequence's current element comes before the second one's.
    init(count: Int, isBefore: (Int, Int) -> Bool) {
        precondition(count > 0, "there is nothing to merge")
        self.count = count
        nodes = Array(repeating: 0, count: max(1, count))
        // The leaves are at `count` and up; node n has the children 2n and 2n + 1.
        var winners = Array(repeating: 0, count: 2 * count)
        for leaf in 0..<count { winners[count + leaf] = leaf }
        for node in stride(from: count - 1, to: 0, by: -1) {
            let (a, b) = (winners[2 * node], winners[2 * node + 1])
            let bWins = isBefore(b, a)
            winners[node] = bWins ? b : a
            nodes[node] = bWins ? a : b
        }
        nodes[0] = count > 1 ? winners[1] : 0
    }

    /// The sequence whose current element comes first.
    var winner: Int { nodes[0] }

    /// Says that the winner stands on another element now.
    @inline(__always) mutating func replay(_ isBefore: (Int, Int) -> Bool) {
        var winner = nodes[0]
        var node = (count + winner) >> 1
        while node > 0 {
            let other = nodes[node]
            if isBefore(other, winner) {
                nodes[node] = winner
                winner = other
            }
            node >>= 1
        }
        nodes[0] = winner
    }
}
