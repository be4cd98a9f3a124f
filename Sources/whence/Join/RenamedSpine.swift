import WhenceCore
import WhenceEngine

/// A spine with other names for some of its columns.
struct RenamedSpine<Source: Spine>: Spine {
    let columns: [SpineColumn]
    private var source: Source

    init(_ source: Source, _ renames: [String: String]) throws(WhenceError) {
        let names = source.columns.map(\.name)
        for name in renames.keys.sorted() where !names.contains(name) {
            throw WhenceError(
                .invalidArgument, "the spine has no column '\(name)' to rename", place: "--rename",
                hint: "its columns are \(names.joined(separator: ", "))")
        }
        self.source = source
        columns = source.columns.map { SpineColumn(name: renames[$0.name] ?? $0.name, type: $0.type) }
    }

    mutating func next(maxRows: Int) throws(WhenceError) -> ColumnBatch? {
        guard let batch = try source.next(maxRows: maxRows) else { return nil }
        return ColumnBatch(names: columns.map(\.name), columns: batch.columns, count: batch.count)
    }
}
