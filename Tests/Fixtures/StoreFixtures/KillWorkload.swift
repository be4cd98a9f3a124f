import RandomFixtures
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// What the writer of the kill tests writes: every batch is a function of the seed and its id, so that the test knows, without
/// having been told, what a batch must hold.
public struct KillWorkload: Sendable {
    public static let yaml = """
        entities:
          - { name: account, join_keys: [{ name: id, type: int64 }] }
        views:
          - name: numbers
            entity: account
            features: [{ name: batch, type: int64 }, { name: amount, type: float64 }, { name: label, type: string }]
          - name: texts
            entity: account
            features: [{ name: batch, type: int64 }, { name: text, type: string }]
          - name: aged
            entity: account
            features: [{ name: batch, type: int64 }, { name: amount, type: float64 }]
        """

    /// Threads 0 to 2 write, the latter two with idempotency keys; thread 3 backfills `numbers`.
    public static let writers = 0..<3
    public static let backfiller = 3
    public static func hasKey(_ id: BatchID) -> Bool { id.thread == 1 || id.thread == 2 }

    public static let entities: Range<Int64> = 0..<120
    private static let base: Int64 = 1_600_000_000_000_000
    private static let slot: Int64 = 10_000

    /// At or after every event time.
    public static let end = Timestamp(microseconds: base + 2000 * slot)

    /// The instant of `slot`.
    public static func instant(_ index: Int) -> Timestamp { Timestamp(microseconds: base + Int64(index) * slot) }

    /// The slots of the event times that a thread gives, the first few of which hold the corrections.
    public static func slots(_ thread: Int) -> Range<Int> { thread == backfiller ? 1000..<1400 : 0..<400 }

    /// One version; without values it is a deletion.
    public struct Row: Sendable, Hashable {
        public let view: String
        public let entity: Int64
        public let eventTime: Timestamp
        public let values: [String: Value]?

        public init(view: String, entity: Int64, eventTime: Timestamp, values: [String: Value]?) {
            self.view = view
            self.entity = entity
            self.eventTime = eventTime
            self.values = values
        }
    }

    public let seed: UInt64

    public init(seed: UInt64) { self.seed = seed }

    /// The rows of a batch; no two of one view have the same entity and event time, and the first one has values.
    public func rows(_ id: BatchID) -> [Row] {
        var random = SeededRandom(seed: seed ^ UInt64(bitPattern: id.code) &* 0xD6E8_FEB8_6659_FD93)
        let isBackfill = id.thread == KillWorkload.backfiller
        let count: Int
        switch random.below(10) {
        case 0: count = isBackfill ? 6000 : 1500
        case 1...3: count = 1 + random.below(300)
        case 4...6: count = 1
        default: count = 1 + random.below(30)
        }
        let slots = KillWorkload.slots(id.thread)
        let writesAged = !isBackfill && random.chance(1, 3)
        return (0..<count).map { index in
            let view: String
            switch isBackfill ? 0 : random.below(writesAged ? 3 : 2) {
            case _ where index == 0: view = "numbers"
            case 0: view = "numbers"
            case 1: view = "texts"
            default: view = "aged"
            }
            let isCorrection = random.chance(1, 3)
            let entity = isCorrection ? Int64(index) % KillWorkload.entities.upperBound : Int64(random.below(KillWorkload.entities.count))
            let slot = slots.lowerBound + (isCorrection ? random.below(3) : 3 + random.below(slots.count - 3))
            let time = Timestamp(microseconds: KillWorkload.base + Int64(slot) * KillWorkload.slot + Int64(index))
            guard view == "aged" || index == 0 || !random.chance(1, 20) else {
                return Row(view: view, entity: entity, eventTime: time, values: nil)
            }
            var values: [String: Value] = ["batch": .int64(id.code)]
            switch view {
            case "texts": values["text"] = .string(String(repeating: "t", count: random.below(40)) + "\(random.below(1000))")
            default:
                if random.chance(2, 3) { values["amount"] = random.chance(1, 8) ? .null : .float64(Double(random.below(1 << 30)) / 8) }
                if view == "numbers" && random.chance(1, 2) {
                    values["label"] = .string(String(repeating: "l", count: isBackfill ? 250 : random.below(60)) + "\(random.below(1000))")
                }
            }
            return Row(view: view, entity: entity, eventTime: time, values: values)
        }
    }

    /// Appends a row to a batch of its view.
    public static func append(_ row: Row, to batch: RowBatch) throws(WhenceError) {
        let entity = try EntityKey([.int64(row.entity)])
        if let values = row.values {
            try batch.append(entity, at: row.eventTime, values)
        } else {
            try batch.appendDeletion(entity, at: row.eventTime)
        }
    }

    /// Writes a batch of one of the writers.
    public func write(_ id: BatchID, to store: Store) throws(WhenceError) -> Commit {
        var batches: [String: RowBatch] = [:]
        for row in rows(id) {
            if batches[row.view] == nil { batches[row.view] = try store.batch(row.view) }
            if let batch = batches[row.view] { try KillWorkload.append(row, to: batch) }
        }
        return try store.write(Array(batches.values), idempotencyKey: KillWorkload.hasKey(id) ? id.description : nil)
    }

    /// Writes a batch of the thread that backfills.
    public func backfill(_ id: BatchID, to store: Store) throws(WhenceError) -> Commit {
        let backfill = try store.backfill("numbers", idempotencyKey: id.description)
        for row in rows(id) { try KillWorkload.append(row, to: try backfill.rows()) }
        return try backfill.publish()
    }

    /// Options under which files and logs turn over quickly.
    public static func options() -> StoreOptions {
        var options = StoreOptions()
        options.blockCacheBytes = 8 << 20
        options.memtableBytes = 4 << 20
        options.latestCacheBytes = 1 << 20
        options.backfillBytes = 3 << 20
        return options
    }
}
