import Synchronization

/// The counts of one operation, as one part of the threads has seen them.
final class OperationCounters: Sendable {
    struct Counts {
        /// By bucket of `LatencyBuckets`, and one for what is longer; empty before the first request.
        var latencies: [Int] = []
        /// Those without an error.
        var successes = 0
        var micros: Int64 = 0
        var rows = 0
        var bytes = 0
        /// Those with an error, by its code.
        var errors: [Int: Int] = [:]

        /// All of them, by code; 0 is none.
        var codes: [Int: Int] {
            var codes = errors
            if successes > 0 { codes[0] = successes }
            return codes
        }

        mutating func add(_ other: Counts) {
            if latencies.isEmpty { latencies = [Int](repeating: 0, count: LatencyBuckets.boundsMicros.count + 1) }
            for (index, count) in other.latencies.enumerated() { latencies[index] += count }
            micros &+= other.micros
            rows &+= other.rows
            bytes &+= other.bytes
            successes &+= other.successes
            errors.merge(other.errors, uniquingKeysWith: +)
        }
    }

    // Uncontended for nearly all: each thread has its own part, see `ServerMetrics`.
    private let counts = Mutex(Counts())

    var current: Counts { counts.withLock { $0 } }

    func record(code: Int, micros: Int64, rows: Int, bytes: Int) {
        let bucket = LatencyBuckets.index(micros: micros)
        counts.withLock { counts in
            if counts.latencies.isEmpty { counts.latencies = [Int](repeating: 0, count: LatencyBuckets.boundsMicros.count + 1) }
            counts.latencies[bucket] &+= 1
            counts.micros &+= micros
            counts.rows &+= rows
            counts.bytes &+= bytes
            if code == 0 { counts.successes &+= 1 } else { counts.errors[code, default: 0] &+= 1 }
        }
    }
}
