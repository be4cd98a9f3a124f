import Dispatch
import Foundation
import WhenceCore
import WhenceEngine
import Workload

// Whence's side of `make bench-peers` and `make bench-scale`: `Figures COMMAND DIR [ARGUMENT…]`, one line of JSON a result.

/// Wall-clock and processor seconds of `body`.
func measure(_ body: () throws -> Void) rethrows -> (wall: Double, cpu: Double) {
    func cpu() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
    let before = cpu()
    let wall = try ContinuousClock().measure(body)
    return (Double(wall.components.seconds) + Double(wall.components.attoseconds) / 1e18, cpu() - before)
}

func say(_ fields: KeyValuePairs<String, Any>) {
    let body = fields.map { "\"\($0.key)\": " + ($0.value is String ? "\"\($0.value)\"" : "\($0.value)") }
    print("{" + body.joined(separator: ", ") + "}")
    fflush(nil)
}

/// The most memory that this process has had, in MB.
func peakMegabytes() -> Double {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return (Double(line.split(separator: " ").dropFirst().first ?? "") ?? 0) / 1000
}

func options() -> StoreOptions {
    var options = StoreOptions()
    options.blockCacheBytes = 1 << 30
    options.historyCacheBytes = 1 << 30
    return options
}

/// Joins `spine` and returns rows found and the sum of all values, for comparison with the peers.
func join(_ store: Store, _ spine: ColumnBatch, threads: Int) throws -> ColumnBatch {
    var join = try store.join(
        JoinRequest(service: store.catalog.resolve(service: "all"), memoryBytes: 1 << 30, threads: threads), spine: RowsSpine([spine]))
    guard let result = try join.next() else { fatalError("a join has as many rows as its spine") }
    return result
}

func checksum(_ batch: ColumnBatch) -> (found: Int, sum: Double) {
    var sum = 0.0
    var found = 0
    for feature in 0..<History.features {
        guard let column = batch.column(named: "f\(feature)") else { continue }
        found += column.count - column.nullCount
        for row in 0..<column.count where column.isValid(row) { sum += column.load(row, as: Double.self) }
    }
    return (found, sum)
}

/// How much faster two threads join `spine` than one.
func twoThreads(_ store: Store, _ spine: ColumnBatch) throws -> Double {
    var walls: [Int: Double] = [:]
    for _ in 0..<5 {
        for threads in [1, 2] {
            let wall = try measure { _ = try join(store, spine, threads: threads) }.wall
            walls[threads] = min(walls[threads] ?? .infinity, wall)
        }
    }
    return (walls[1] ?? 0) / (walls[2] ?? 1)
}

/// How much faster two threads, with a reader each, read half of `keys` each than one thread reads them all, as many `times` that waking the threads does
/// not count.
func twoReaders(_ store: Store, _ keys: [[UInt8]], times: Int) throws -> Double {
    let halves = [keys[..<(keys.count / 2)], keys[(keys.count / 2)...]]
    // A reader is one thread's: each half has its own.
    nonisolated(unsafe) let readers = try [store.latestReader("activity"), store.latestReader("activity")]
    @Sendable func read(_ half: Int) {
        do {
            for _ in 0..<times { for key in halves[half] { try readers[half].read(0, key.span.bytes, at: store.now) } }
        } catch {
            fatalError("\(error)")
        }
    }
    var (one, two) = (Double.infinity, Double.infinity)
    for _ in 0..<5 {
        one = min(one, measure { for half in 0..<2 { read(half) } }.wall)
        two = min(two, measure { DispatchQueue.concurrentPerform(iterations: 2) { read($0) } }.wall)
    }
    return one / two
}

/// Microseconds of one latest read of one entity.
func latest(_ store: Store, _ keys: [[UInt8]]) throws -> Double {
    let reader = try store.latestReader("activity")
    var best = Double.infinity
    for _ in 0..<4 {
        best = min(best, try measure { for key in keys { try reader.read(0, key.span.bytes, at: store.now) } }.wall)
    }
    return best / Double(keys.count) * 1e6
}

@main struct Figures {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3 else {
            fatalError("usage: Figures load|join|join_plain|figures|threads|scan|uncached|write|scale|memory|long DIR [ARGUMENT…]")
        }
        let path = arguments[2]
        func number(_ index: Int, _ otherwise: Int) -> Int { arguments.count > index ? Int(arguments[index]) ?? otherwise : otherwise }
        switch arguments[1] {
        case "load":
            let history = History(entities: number(3, 100_000), versions: number(4, 50))
            let store = try History.open(path, options())
            let load = try measure { try history.backfill(store) }
            let compaction = try measure { try store.compact("activity") }
            say([
                "rows": history.rows, "backfill_s": load.wall, "backfill_cpu": load.cpu, "compact_cpu": compaction.cpu,
                "compact_s": compaction.wall,
                "stored_bytes": store.statistics().views.reduce(0) { $0 + $1.fileBytes },
            ])
        case "join", "join_plain":
            // A new process: the first run reads from disk, the others find blocks in the cache, and then images, or (`join_plain`) only blocks.
            let history = History(entities: number(5, 100_000), versions: number(6, 50))
            let spine = try history.spine(rows: number(3, 1_000_000))
            var options = options()
            if arguments[1] == "join_plain" { options.historyCacheBytes = 0 }
            let store = try History.open(path, options)
            for run in 0..<number(4, 5) {
                var result: ColumnBatch?
                let time = try measure { result = try join(store, spine, threads: 2) }
                guard let result else { break }
                let check = checksum(result)
                say(["run": run, "seconds": time.wall, "cpu": time.cpu, "found": check.found, "sum": check.sum])
            }
        case "figures":
            let history = History()
            let store = try History.open(path, options())
            var keys: [[UInt8]] = []
            for index in 0..<200_000 {
                var key: [UInt8] = []
                EntityKey.append(Int64(History.mix(UInt64(index)) % 50_000), to: &key)
                keys.append(key)
            }
            say(["name": "latest_cached", "value": try latest(store, keys), "unit": "us"])
            say(["name": "latest_cached_two_threads_vs_one", "value": try twoReaders(store, keys, times: 20), "unit": "x"])
            let spine = try history.spine(rows: 1_000_000)
            let sorted = try history.sortedSpine(rows: 1_000_000)
            var walk = Double.infinity
            for _ in 0..<5 { walk = min(walk, try measure { _ = try join(store, sorted, threads: 1) }.wall) }
            say(["name": "asof_walk_one_core", "value": walk, "unit": "us/row"])
            say(["name": "join_again_two_threads_vs_one", "value": try twoThreads(store, spine), "unit": "x"])
        case "threads":
            // Without images, which leave next to no work for the processor: the memory is what two threads then share.
            var options = options()
            options.historyCacheBytes = 0
            let store = try History.open(path, options)
            say(["name": "join_two_threads_vs_one", "value": try twoThreads(store, try History().spine(rows: 1_000_000)), "unit": "x"])
        case "scan":
            let history = History()
            let store = try History.open(path, options())
            // Brings the blocks into the cache; a scan itself leaves none there.
            _ = try join(store, try history.spine(rows: 1_000_000), threads: 2)
            var scan = Double.infinity
            for _ in 0..<4 {
                scan = min(
                    scan,
                    try measure {
                        var scan = try store.scan(ScanRequest(view: "activity"))
                        while try scan.next(maxRows: 16_384) != nil {}
                    }.wall)
            }
            say(["name": "full_scan_one_core", "value": Double(history.rows) / scan / 1e6, "unit": "Mrows/s"])
        case "uncached":
            var options = options()
            options.latestCacheBytes = 0
            let store = try History.open(path, options)
            let entities = UInt64(number(3, 100_000))
            let keys = (0..<200_000).map { index in
                var key: [UInt8] = []
                EntityKey.append(Int64(History.mix(UInt64(index)) % entities), to: &key)
                return key
            }
            say(["name": "latest_uncached", "value": try latest(store, keys), "unit": "us"])
            say(["name": "latest_uncached_two_threads_vs_one", "value": try twoReaders(store, keys, times: 1), "unit": "x"])
        case "write":
            let store = try History.open(path, options())
            let rows = number(3, 2_000_000)
            let writers = number(4, 16)
            let time = try measure { try StreamingWriters(store, writers: writers, batchRows: 1000).write(rows: rows) }
            say(["name": "streaming_write", "value": Double(rows) / time.wall / 1000, "unit": "krows/s", "cpu": time.cpu])
        case "scale":
            // Latest, as-of and join on a history of any size; the same number of reads each.
            let history = History(entities: number(3, 100_000), versions: number(4, 50))
            var options = options()
            options.latestCacheBytes = 0
            // As for the other reads, blocks that were read before are in memory, at every size.
            options.blockCacheBytes = 8 << 30
            options.historyCacheBytes = 0
            let spine = try history.spine(rows: 100_000)
            // In a larger store the rows above are of more entities, and share less; these are of as many at every size.
            let few = try history.spine(rows: 100_000, among: 20_000)
            var best = (latest: Double.infinity, join: Double.infinity, again: Double.infinity, asof: Double.infinity)
            var bestOfFew = (join: Double.infinity, again: Double.infinity)
            do {
                let store = try History.open(path, options)
                let reader = try store.latestReader("activity")
                for _ in 0..<5 {
                    let latest = try measure {
                        var key: [UInt8] = []
                        for index in 0..<50_000 {
                            key.removeAll(keepingCapacity: true)
                            EntityKey.append(Int64(History.mix(UInt64(index)) % UInt64(history.entities)), to: &key)
                            try reader.read(0, key.span.bytes, at: store.now)
                        }
                    }
                    best.latest = min(best.latest, latest.wall / 50_000 * 1e6)
                    let small = try history.spine(rows: 1000, seed: 11)
                    best.asof = min(
                        best.asof, try measure { for _ in 0..<10 { _ = try join(store, small, threads: 1) } }.wall / 10_000 * 1e6)
                    best.join = min(best.join, try measure { _ = try join(store, spine, threads: 2) }.wall * 1e3)
                    bestOfFew.join = min(bestOfFew.join, try measure { _ = try join(store, few, threads: 2) }.wall * 1e3)
                }
            }
            // The same join with images of all files.
            options.historyCacheBytes = 12 << 30
            options.historyCacheWalks = 0
            let store = try History.open(path, options)
            for _ in 0..<6 {
                best.again = min(best.again, try measure { _ = try join(store, spine, threads: 2) }.wall * 1e3)
                bestOfFew.again = min(bestOfFew.again, try measure { _ = try join(store, few, threads: 2) }.wall * 1e3)
            }
            say([
                "rows": history.rows, "latest_us": best.latest, "asof_us": best.asof, "join_100k_ms": best.join,
                "join_100k_again_ms": best.again, "join_100k_of_20k_entities_ms": bestOfFew.join,
                "join_100k_of_20k_entities_again_ms": bestOfFew.again, "images_mb": Double(store.statistics().historyCacheUsedBytes) / 1e6,
            ])
        case "memory":
            // Ingests and joins with stated budgets, and says what was used beyond them.
            let history = History()
            var options = StoreOptions()
            options.blockCacheBytes = 128 << 20
            options.memtableBytes = 64 << 20
            options.latestCacheBytes = 16 << 20
            options.backfillBytes = 128 << 20
            let joinBytes = 128 << 20
            let budget =
                Double(options.blockCacheBytes + options.memtableBytes + options.latestCacheBytes + options.backfillBytes + joinBytes) / 1e6
            let store = try History.open(path, options)
            try history.backfill(store)
            var join = try store.join(
                JoinRequest(service: store.catalog.resolve(service: "all"), memoryBytes: joinBytes),
                spine: RandomSpine(history, rows: number(3, 1_000_000)))
            var rows = 0
            while let batch = try join.next() { rows += batch.count }
            say([
                "name": "peak_memory_over_budgets", "value": peakMegabytes() - budget, "unit": "MB", "rows": rows, "peak": peakMegabytes(),
            ])
        case "long":
            // A spine that is far longer than the memory of the join, made as it is read; the answer is looked at and let go.
            let history = History(entities: number(4, 100_000), versions: number(5, 50))
            let blocks = arguments.count > 6 && arguments[6] == "blocks"
            let joinBytes = 256 << 20
            var options = StoreOptions()
            options.latestCacheBytes = 0
            let store = try History.open(path, options)
            let rows = number(3, 50_000_000)
            var join = try store.join(
                JoinRequest(
                    service: store.catalog.resolve(service: "all"), memoryBytes: joinBytes, spill: blocks ? .never : .inStore),
                spine: RandomSpine(history, rows: rows))
            var check = (rows: 0, found: 0, sum: 0.0)
            var first = 0.0
            let start = ContinuousClock.now
            let time = try measure {
                while let batch = try join.next() {
                    if check.rows == 0 { first = Double((ContinuousClock.now - start).components.seconds) }
                    let (found, sum) = checksum(batch)
                    check = (check.rows + batch.count, check.found + found, check.sum + sum)
                }
            }
            say([
                "rows": check.rows, "seconds": time.wall, "cpu": time.cpu, "first_s": first, "found": check.found, "sum": check.sum,
                "spilled_gb": Double(join.spilledBytes) / 1e9, "peak_mb": peakMegabytes(),
                "budget_mb": Double(joinBytes + options.blockCacheBytes) / 1e6,
            ])
        default: fatalError("there is no command '\(arguments[1])'")
        }
    }
}
