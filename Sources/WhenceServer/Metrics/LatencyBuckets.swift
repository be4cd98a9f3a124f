/// The upper bounds of latencies that are told apart: six a decade from 10 us to 10 s, so that a percentile that is read between two of them
/// is off by a quarter at most.
enum LatencyBuckets {
    /// In microseconds. What is longer than the last falls into one more bucket.
    static let boundsMicros: [Int64] = {
        var bounds: [Int64] = []
        var decade: Int64 = 10
        while decade < 10_000_000 {
            for tenths: Int64 in [10, 15, 20, 30, 50, 75] { bounds.append(decade * tenths / 10) }
            decade *= 10
        }
        return bounds + [10_000_000, 30_000_000]
    }()

    /// The bucket of a latency: the first whose bound is not less.
    @inline(__always) static func index(micros: Int64) -> Int {
        var low = 0
        var high = boundsMicros.count
        while low < high {
            let middle = (low + high) / 2
            if boundsMicros[middle] < micros { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
