/// Finds what a person probably meant by a name that does not exist.
enum NearestName {
    /// The candidate that is the fewest edits away from `name`, when that is near enough to be a slip; of equals, the first.
    static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.utf8.prefix(256))
        var best: (distance: Int, name: String)?
        for candidate in candidates where candidate != name {
            let other = Array(candidate.utf8.prefix(256))
            // Among the shortest names everything is near, and a guess says nothing.
            let allowed = min(wanted.count, other.count) / 3
            guard abs(wanted.count - other.count) <= allowed else { continue }
            let distance = edits(from: wanted, to: other)
            if distance <= allowed, distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.name
    }

    /// The hint of a not-found error: the nearest name, and what there is.
    static func hint(for name: String, among candidates: some Sequence<String>, called what: String) -> String {
        let all = candidates.sorted()
        let nearest = of(name, among: all).map { "did you mean '\($0)'? " } ?? ""
        guard !all.isEmpty else { return "there are no \(what) yet" }
        let shown = all.prefix(20).joined(separator: ", ")
        return nearest + "the \(what) are: \(shown)" + (all.count > 20 ? " and \(all.count - 20) more" : "")
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one into the other, letter case for free.
    private static func edits(from a: [UInt8], to b: [UInt8]) -> Int {
        func folded(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }
        let a = a.map(folded)
        let b = b.map(folded)
        var before = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var cost = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
                row.append(cost)
            }
            before = last
            last = row
        }
        return last[b.count]
    }
}
