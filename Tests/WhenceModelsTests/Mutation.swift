import RandomFixtures

/// Damages bytes by chance, in the ways in which files are damaged and attackers write them.
enum Mutation {
    /// Numbers that bite: lengths and counts at the edges of their types.
    private static let edges: [[UInt8]] = [
        [0xFF], [0x7F], [0x80], [0], [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0x7F],
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], Array("1e999".utf8), Array("-1".utf8), Array("9999999999".utf8),
        Array("NaN".utf8),
        Array("[[[[".utf8), Array("}".utf8), Array("\"".utf8), Array(",".utf8),
    ]

    /// `bytes` with one to four changes.
    static func mutate(_ bytes: [UInt8], _ generator: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            case 2: bytes.remove(at: at)
            case 3: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &generator)))
            case 4 where Int.random(in: 0..<4, using: &generator) == 0: bytes.removeSubrange(at...)
            case 5:
                let from = Int.random(in: 0..<bytes.count, using: &generator)
                bytes.insert(contentsOf: bytes[from..<min(bytes.count, from + Int.random(in: 1...40, using: &generator))], at: at)
            case 6 where at + 1 < bytes.count: bytes.swapAt(at, at + 1)
            default:
                let edge = edges[Int.random(in: 0..<edges.count, using: &generator)]
                bytes.replaceSubrange(at..<min(bytes.count, at + edge.count), with: edge)
            }
        }
        return bytes
    }
}
