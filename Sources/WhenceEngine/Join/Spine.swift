import WhenceCore

/// The rows that a join is evaluated for: an entity and an event time each, and any columns that are passed through.
public protocol Spine {
    /// The columns of every batch.
    var columns: [SpineColumn] { get }
    /// The next rows, at most `maxRows`; nil at the end.
    mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch?
}

/// A column of a spine.
public struct SpineColumn: Sendable, Hashable {
    public let name: String
    public let type: FeatureType

    public init(name: String, type: FeatureType) {
        self.name = name
        self.type = type
    }
}

/// A spine of rows that a program has in memory.
public struct RowsSpine: Spine {
    public let columns: [SpineColumn]
    private let batches: [ColumnBatch]
    private var at = 0

    /// - Parameter batches: batches of the same columns; each is joined as one block.
    public init(_ batches: [ColumnBatch], columns: [SpineColumn]? = nil) {
        self.batches = batches
        self.columns =
            columns ?? batches.first.map { first in zip(first.names, first.columns).map { SpineColumn(name: $0, type: $1.type) } } ?? []
    }

    public mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        guard at < batches.count else { return nil }
        at += 1
        return batches[at - 1]
    }
}
