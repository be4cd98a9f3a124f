import CPrefetch
import WhenceCatalog
import WhenceCore

/// Writes the versions that answer a read into columns.
struct DecodingSink: VersionSink, ~Copyable {
    var decoder: RowDecoder
    /// The row of the columns that is being answered.
    private var row = 0
    private var isFirst = true

    init(_ decoder: consuming RowDecoder) { self.decoder = decoder }

    /// Starts the answer for `row`.
    @inline(__always) mutating func begin(_ row: Int) {
        self.row = row
        isFirst = true
    }

    /// Brings the place of `row`, which is to be answered soon, into the processor's cache.
    @inline(__always) func prefetch(_ row: Int) { unsafe prefetch_line(decoder.place(of: row)) }

    /// Starts the answer for `row`, which may hold an earlier one.
    @inline(__always) mutating func clear(_ row: Int) {
        begin(row)
        decoder.clear(row)
    }

    @inline(__always) mutating func take(
        _ version: RawSpan, header: RowHeader, eventTime: Timestamp, commit: Timestamp
    ) throws(WhenceError) -> Bool {
        if isFirst {
            isFirst = false
            if try decoder.decodeDense(row, version: version, header: header, eventTime: eventTime) { return true }
            decoder.begin(row)
        }
        return try decoder.take(version, header: header, eventTime: eventTime)
    }

    @inline(__always) mutating func skip(until time: Timestamp) {}
}

/// Keeps the versions that answer a read for all features of a view, for the cache of latest rows.
struct CollectingSink: VersionSink {
    private let view: OpenView
    private(set) var versions: [LatestEntry.Version] = []
    private(set) var bytes: [UInt8]
    /// The first instant at which a version that is invisible now becomes visible.
    private(set) var validUntil = Timestamp.distantFuture
    private var missing: Set<UInt32>?

    init(_ view: OpenView, _ entity: RawSpan) {
        self.view = view
        bytes = unsafe entity.withUnsafeBytes { unsafe Array($0) }
    }

    mutating func take(_ version: RawSpan, header: RowHeader, eventTime: Timestamp, commit: Timestamp) throws(WhenceError) -> Bool {
        let start = bytes.count
        unsafe version.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        versions.append(.init(eventTime: eventTime, commit: commit, row: start..<bytes.count))
        let current = view.stored.currentSchema
        if !header.isSparse && header.schemaID == current.id { return true }
        let layout = try view.layout(header.schemaID)
        let body = try RowBody(version, header: header, layout)
        var missing = self.missing ?? Set(current.fields.map(\.id))
        for (index, field) in layout.schema.fields.enumerated() where body.place(of: index) != .absent { missing.remove(field.id) }
        self.missing = missing
        return missing.isEmpty
    }

    mutating func skip(until time: Timestamp) { validUntil = min(validUntil, time) }
}
