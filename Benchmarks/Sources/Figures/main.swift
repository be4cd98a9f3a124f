import Foundation
import WhenceCore
import WhenceEngine
import Workload

func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let time = try clock.measure(body)
    return Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
}
func say(_ name: String, _ value: Double, _ unit: String) { print(name, String(format: "%.3f", value), unit) }

let args = CommandLine.arguments
let path = args[1]
let what = Set(args.dropFirst(2))
func wants(_ name: String) -> Bool { what.isEmpty || what.contains(name) }
let history = History()
var options = StoreOptions()
options.blockCacheBytes = 2 << 30
let exists = FileManager.default.fileExists(atPath: path)
let store = try History.open(path, options)
if !exists {
    let t = try seconds { try history.backfill(store) }
    say("backfill", Double(history.rows) / t / 1e6, "Mrows/s")
    let c = try seconds { try store.compact("activity") }
    say("compact", c, "s")
    say("stored", Double(store.statistics().views[0].fileBytes) / 1e6, "MB")
}
if wants("join") {
    let spine = try history.spine(rows: 1_000_000)
    for threads in [1, 2] {
        for _ in 0..<4 {
            let t = try seconds {
                var join = try store.join(
                    JoinRequest(service: try store.catalog.resolve(service: "all"), memoryBytes: 1 << 30, threads: threads), spine: RowsSpine([spine]))
                let out = try join.next()
                precondition(out?.count == 1_000_000)
            }
            say("join_dense_\(threads)", t, "s")
        }
    }
    let sparse = try history.spine(rows: 10_000)
    for _ in 0..<4 {
        let t = try seconds {
            var join = try store.join(
                JoinRequest(service: try store.catalog.resolve(service: "all"), memoryBytes: 1 << 30, threads: 2), spine: RowsSpine([sparse]))
            let out = try join.next()
            precondition(out?.count == 10_000)
        }
        say("join_sparse", t * 1e3, "ms")
    }
}
if wants("scan") {
    for _ in 0..<3 {
        var rows = 0
        let t = try seconds {
            var scan = try store.scan(ScanRequest(view: "activity"))
            while let batch = try scan.next(maxRows: 65_536) { rows += batch.count }
        }
        say("scan", Double(rows) / t / 1e6, "Mrows/s")
    }
}
if wants("latest") {
    for cached in [true, false] {
        var o = options
        o.latestCacheBytes = cached ? 256 << 20 : 0
        _ = o
        let n = 200_000
        let reader = try store.latestReader("activity")
        var keys: [[UInt8]] = []
        for i in 0..<n {
            var k: [UInt8] = []
            EntityKey.append(Int64(History.mix(UInt64(i)) % UInt64(cached ? 10_000 : 100_000)), to: &k)
            keys.append(k)
        }
        for _ in 0..<3 {
            var sum = 0.0
            let t = try seconds {
                for k in keys {
                    try reader.read(0, k.span.bytes, at: store.now)
                    sum += reader.columns.load(0, 0, as: Double.self)
                }
            }
            say("latest_\(cached)", t / Double(n) * 1e6, "us \(sum)")
        }
    }
    print(store.statistics().latestCacheHits, store.statistics().latestCacheMisses, store.statistics().latestCacheEntries)
}
