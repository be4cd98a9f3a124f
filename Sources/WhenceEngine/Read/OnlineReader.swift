import WhenceCatalog
import WhenceCore

/// Reads the latest features of a service for some entities at a time: what a model asks for when it serves. One thread at a
/// time; make one for each thread and keep it.
public final class OnlineReader {
    public let service: ResolvedService
    private let store: Store
    private let capacity: Int
    private let readers: [LatestReader]
    private let withEventTimes: Bool

    init(_ store: Store, _ service: ResolvedService, capacity: Int, withEventTimes: Bool) throws(WhenceError) {
        self.store = store
        self.service = service
        self.capacity = capacity
        self.withEventTimes = withEventTimes
        readers = try store.latestReaders(service, capacity: capacity, withEventTimes: withEventTimes)
    }

    /// The service's features for each row of `request`, whose columns hold the join keys; a row without any history
    /// has nulls. With event times, each selection's features are followed by a column `VIEW.event_time`: that of the newest
    /// version which gave one of them, a null included, while others may be of older versions.
    ///
    /// - Parameter now: the present, from `Store.now`; nil takes it here.
    public func read(_ request: ColumnBatch, at now: Timestamp? = nil) throws(WhenceError) -> ColumnBatch {
        guard request.count <= capacity else {
            throw WhenceError(
                .limitExceeded, "one read takes up to \(capacity) entities, not \(request.count)", hint: "ask for them in parts")
        }
        let now = now ?? store.now
        var names: [String] = []
        var columns: [Column] = []
        for (selection, reader) in zip(service.selections, readers) {
            let types = selection.view.entity.joinKeys.map(\.type)
            let keyColumns = try KeyTable.columns(of: request, selection.joinColumns, types) { name in
                WhenceError(
                    .invalidArgument, "the request has no join key '\(name)'",
                    hint: "the service needs \(service.joinColumns.map(\.name).joined(separator: ", "))")
            }
            let keys = try KeyTable(keyColumns, types, rows: 0..<request.count)
            try reader.renew(capacity: request.count)
            let bytes = keys.bytes
            for row in 0..<request.count {
                let range = keys.range(row)
                if !range.isEmpty { try unsafe reader.read(row, bytes.span.bytes.extracting(range), at: now) }
            }
            names += selection.features.map(\.name)
            if withEventTimes { names.append("\(selection.view.definition.name).event_time") }
            columns += try reader.columns.finish()
        }
        return ColumnBatch(names: names, columns: columns, count: request.count)
    }
}

extension Store {
    /// A reader of a service's latest features, for up to `capacity` entities at a time.
    public func onlineReader(
        _ service: ResolvedService, capacity: Int = 500, withEventTimes: Bool = false
    ) throws(WhenceError) -> OnlineReader {
        try OnlineReader(self, service, capacity: capacity, withEventTimes: withEventTimes)
    }
}
