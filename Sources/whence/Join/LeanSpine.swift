import WhenceCatalog
import WhenceCore
import WhenceEngine

/// A scan of a view with some of its features left out: what a server cannot be asked for is none of them.
struct LeanSpine: Spine {
    let columns: [SpineColumn]
    private let source: RemoteRows
    private let kept: [Int]

    /// - Parameter features: nil for all.
    init(_ source: RemoteRows, keeping features: [String]?, of view: StoredView) throws(WhenceError) {
        let all = view.currentSchema.fields.map(\.name)
        kept = source.columns.indices.filter { index in
            let name = source.columns[index].name
            return features.map { $0.contains(name) || !all.contains(name) } ?? true
        }
        self.source = source
        columns = kept.map { source.columns[$0] }
    }

    mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        guard let batch = try source.next() else { return nil }
        return ColumnBatch(names: columns.map(\.name), columns: kept.map { batch.columns[$0] }, count: batch.count)
    }
}
