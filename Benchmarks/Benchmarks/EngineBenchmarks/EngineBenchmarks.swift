import Benchmark
import Foundation
import Synchronization
import WhenceCore
import WhenceEngine
import Workload

/// One store at a time of the loaded history; another size of the latest cache opens it anew.
final class LoadedStore: Sendable {
    private let directory: String
    private let current = Mutex<(store: Store, latestCacheBytes: Int)?>(nil)

    init(_ directory: String) { self.directory = directory }

    func open(latestCacheBytes: Int) throws -> Store {
        try current.withLock { current in
            if let found = current, found.latestCacheBytes == latestCacheBytes { return found.store }
            current = nil
            var options = StoreOptions()
            options.blockCacheBytes = 1 << 30
            options.latestCacheBytes = latestCacheBytes
            let isNew = !FileManager.default.fileExists(atPath: directory)
            let store = try History.open(directory, options)
            if isNew {
                try History().backfill(store)
                try store.compact("activity")
            }
            current = (store, latestCacheBytes)
            return store
        }
    }
}

/// The engine's own benchmarks (`make bench`): the cost of one operation, on 100,000 entities x 50 versions x 8 float64.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput, .cpuTotal], warmupIterations: 1, scalingFactor: .one, maxDuration: .seconds(5),
        maxIterations: 1_000_000)
    let directory = FileManager.default.temporaryDirectory.path + "/whence-bench-\(ProcessInfo.processInfo.processIdentifier)"
    let history = History()

    let loadedStore = LoadedStore(directory)

    /// The history, loaded and compacted when the first benchmark asks for it, and kept open so that its blocks stay in memory.
    @Sendable func loaded(latestCacheBytes: Int = 256 << 20) throws -> Store { try loadedStore.open(latestCacheBytes: latestCacheBytes) }

    func keys(_ count: Int, of entities: Int) -> [[UInt8]] {
        (0..<count).map { index in
            var key: [UInt8] = []
            EntityKey.append(Int64(History.mix(UInt64(index)) % UInt64(entities)), to: &key)
            return key
        }
    }

    for (name, cacheBytes) in [("latest read, cached", 256 << 20), ("latest read, uncached (block cache warm)", 0)] {
        Benchmark(name, configuration: .init(scalingFactor: .mega, maxIterations: 5)) { benchmark in
            let store = try loaded(latestCacheBytes: cacheBytes)
            let reader = try store.latestReader("activity")
            let keys = keys(100_000, of: 50_000)
            for key in keys { try reader.read(0, key.span.bytes, at: store.now) }
            var at = 0
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                let key = keys[at]
                try reader.read(0, key.span.bytes, at: store.now)
                at = (at + 1) % keys.count
            }
            benchmark.stopMeasurement()
        }
    }

    Benchmark("as-of walk of a sorted spine of 1 M rows, one core", configuration: .init(maxIterations: 5)) { benchmark in
        let store = try loaded()
        let spine = try history.sortedSpine(rows: 1_000_000)
        benchmark.startMeasurement()
        var join = try store.join(
            JoinRequest(service: store.catalog.resolve(service: "all"), memoryBytes: 1 << 30, threads: 1), spine: RowsSpine([spine]))
        blackHole(try join.next())
        benchmark.stopMeasurement()
    }

    Benchmark("full scan of 5 M rows to columns, one core", configuration: .init(maxIterations: 5)) { benchmark in
        let store = try loaded()
        // Brings the blocks into the cache; a scan itself leaves none there.
        var warm = try store.join(
            JoinRequest(service: store.catalog.resolve(service: "all"), memoryBytes: 1 << 30),
            spine: RowsSpine([history.spine(rows: 1_000_000)]))
        blackHole(try warm.next())
        benchmark.startMeasurement()
        var scan = try store.scan(ScanRequest(view: "activity"))
        while let batch = try scan.next(maxRows: 16_384) { blackHole(batch) }
        benchmark.stopMeasurement()
    }

    Benchmark("backfill of 1 M rows", configuration: .init(maxIterations: 3)) { benchmark in
        let path = directory + "-backfill-\(benchmark.currentIteration)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try History.open(path)
        benchmark.startMeasurement()
        try History(entities: 20_000, versions: 50).backfill(store)
        benchmark.stopMeasurement()
    }

    Benchmark("streaming write of 1 M rows, batches of 1,000, durable, 16 writers", configuration: .init(maxIterations: 3)) { benchmark in
        let path = directory + "-write-\(benchmark.currentIteration)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try History.open(path)
        benchmark.startMeasurement()
        try StreamingWriters(store, writers: 16, batchRows: 1000).write(rows: 1_000_000)
        benchmark.stopMeasurement()
    }
}
