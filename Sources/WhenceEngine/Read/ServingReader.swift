import WhenceCatalog
import WhenceCore

/// Reads the latest features of a service again and again, for a server: keys from where they lie in a request, values into columns that
/// are kept from read to read and written straight into the answer. One thread at a time; make one for each thread and keep it.
///
/// Once it has seen a read of that many entities, one whose entities are in the cache of latest rows allocates nothing.
public final class ServingReader {
    public let service: ResolvedService
    private let readers: [LatestReader]
    /// For each selection the columns of a request that hold its join keys, and their types.
    private let keyColumns: [[(column: Int, type: KeyType)]]
    private let withEventTimes: Bool
    /// The entity key that is being read. Taken out while it is in use.
    private var key: [UInt8] = []
    /// Entities of the last read, one for each selection, that were not in the cache of latest rows, and how long reading them from the store
    /// has taken.
    public private(set) var storeReads = (count: 0, time: Duration.zero)

    init(_ store: Store, _ service: ResolvedService, keys: [(name: String, type: FeatureType)], withEventTimes: Bool) throws(WhenceError) {
        self.service = service
        self.withEventTimes = withEventTimes
        let known = service.joinColumns.map(\.name)
        for (name, _) in keys where !known.contains(name) {
            throw WhenceError(
                .invalidArgument, "there is no join key '\(name)'", hint: "the service needs \(known.joined(separator: ", "))")
        }
        var keyColumns: [[(column: Int, type: KeyType)]] = []
        for selection in service.selections {
            var columns: [(column: Int, type: KeyType)] = []
            for (name, joinKey) in zip(selection.joinColumns, selection.view.entity.joinKeys) {
                guard let index = keys.firstIndex(where: { $0.name == name }) else {
                    throw WhenceError(
                        .invalidArgument, "the request has no join key '\(name)'",
                        hint: "the service needs \(known.joined(separator: ", "))")
                }
                try KeyTable.check(keys[index].type, named: name, holds: joinKey.type)
                columns.append((index, joinKey.type))
            }
            keyColumns.append(columns)
        }
        readers = try store.latestReaders(service, capacity: 0, withEventTimes: withEventTimes)
        self.keyColumns = keyColumns
    }

    /// The values of the last read: for each selection a row for each entity, a column for each feature.
    public var answers: ServingAnswers { ServingAnswers(readers) }

    /// A number that changes when types of the answers' columns may have.
    public var layoutChanges: Int {
        var sum = 0
        for reader in readers { sum &+= reader.layoutChanges }
        return sum
    }

    /// Names and types of the columns of an answer, in order: the features of each selection, then, where asked for, `VIEW.event_time` and
    /// `VIEW.age`.
    public func columns(eventTimes: Bool, ages: Bool) -> [(name: String, type: FeatureType)] {
        var columns: [(name: String, type: FeatureType)] = []
        for (selection, reader) in zip(service.selections, readers) {
            columns += zip(selection.features.map(\.name), reader.columns.types).map { ($0, $1) }
            let view = selection.view.definition.name
            if eventTimes { columns.append(("\(view).event_time", .timestamp)) }
            if ages { columns.append(("\(view).age", .int64)) }
        }
        return columns
    }

    /// Reads the latest values of each row of `keys`, whose columns lie in `bytes` in the order that the reader was made with. A row in
    /// which a join key is null has no entity, and no values.
    ///
    /// - Parameters:
    ///   - now: the present, from `Store.now`, taken once for all entities of a request.
    ///   - mostStoreReads: how many entities may be read from the store, which may wait for the disk.
    /// - Returns: false where more would have to be; then there is no answer.
    @discardableResult
    public func read(
        _ keys: borrowing PlacedColumns, in bytes: RawSpan, at now: Timestamp, mostStoreReads: Int = .max
    ) throws(WhenceError) -> Bool {
        var changes: Int
        storeReads = (0, .zero)
        repeat {
            // Definitions that are applied in between may change the columns: all of them begin anew.
            changes = layoutChanges
            for index in readers.indices {
                let reader = readers[index]
                try reader.begin(rows: keys.count)
                // Moved out and back, so that the bytes are this function's alone.
                var key = self.key
                self.key = []
                defer { self.key = key }
                for row in 0..<keys.count {
                    key.removeAll(keepingCapacity: true)
                    guard try ServingReader.encode(row, keyColumns[index], keys, bytes, into: &key) else { continue }
                    if unsafe try reader.readKept(row, key.span.bytes, at: now) { continue }
                    guard storeReads.count < mostStoreReads else { return false }
                    let start = ContinuousClock.now
                    unsafe try reader.readStored(row, key.span.bytes, at: now)
                    storeReads.count += 1
                    storeReads.time += ContinuousClock.now - start
                }
            }
        } while changes != layoutChanges
        return true
    }

    /// Lets go of columns that a large read has left behind.
    public func trim() {
        for reader in readers where reader.columns.byteCount > ServingReader.keptBytes { reader.dropColumns() }
    }

    /// What the columns of one selection may hold from read to read, in bytes.
    private static var keptBytes: Int { 1 << 20 }

    /// Appends the key of row `row` to `out`; false where a join key is null.
    @inline(__always) private static func encode(
        _ row: Int, _ columns: [(column: Int, type: KeyType)], _ keys: borrowing PlacedColumns, _ bytes: RawSpan, into out: inout [UInt8]
    ) throws(WhenceError) -> Bool {
        for (column, type) in columns {
            let place = keys.places[column]
            guard place.isValid(row, in: bytes) else { return false }
            KeyTable.append(
                row, as: type, of: place.type, in: bytes, from: place.values.lowerBound, place.byteRange(row, in: bytes), to: &out)
        }
        try EntityKey.check(byteCount: out.count)
        return true
    }
}

/// The columns of each selection of a read, in order.
public struct ServingAnswers: RandomAccessCollection {
    private let readers: [LatestReader]

    init(_ readers: [LatestReader]) { self.readers = readers }

    public var startIndex: Int { 0 }
    public var endIndex: Int { readers.count }
    public subscript(index: Int) -> ProjectedColumns { readers[index].columns }
}

extension Store {
    /// A reader of a service's latest features for requests whose join keys come in columns of `keys`, in that order. Throws
    /// `invalidArgument` for a column that is none of the service's join keys, and where one is missing.
    public func servingReader(
        _ service: ResolvedService, keys: [(name: String, type: FeatureType)], withEventTimes: Bool = false
    ) throws(WhenceError) -> ServingReader {
        try ServingReader(self, service, keys: keys, withEventTimes: withEventTimes)
    }
}
