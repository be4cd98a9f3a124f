import WhenceCore
import WhenceEngine

/// A spine of any length that is made as it is read; its rows do not depend on how many are asked for at a time.
public struct RandomSpine: Spine {
    public let columns = [SpineColumn(name: "user_id", type: .int64), SpineColumn(name: "event_time", type: .timestamp)]
    private let history: History
    private let rows: Int
    private var at = 0

    public init(_ history: History, rows: Int) {
        self.history = history
        self.rows = rows
    }

    public mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        guard at < rows else { return nil }
        let count = min(maxRows, rows - at)
        let batch = try history.spine(first: at, rows: count, seed: 100)
        at += count
        return batch
    }
}
