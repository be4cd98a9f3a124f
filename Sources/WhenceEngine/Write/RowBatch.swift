import WhenceCatalog
import WhenceCore

/// Rows, deletions and retractions of one view that are to be committed together. One thread at a time.
///
/// Rows of the same entity and event time are merged feature by feature at the commit, the later row winning.
public final class RowBatch {
    /// The view that the rows are for.
    public let view: StoredView
    let layout: RowLayout
    /// What availability is when a row does not state it: nil for the commit time, else this after the event time.
    private let defaultDelay: Duration?
    private var encoder: RowEncoder
    var buffer = VersionBuffer()
    /// The earliest event time of a retraction in the batch.
    private(set) var earliestRetraction = Timestamp.distantFuture

    /// An empty batch for the current schema of `view`.
    public convenience init(_ view: StoredView) { self.init(view, defaultDelay: nil) }

    init(_ view: StoredView, defaultDelay: Duration?) {
        self.view = view
        layout = RowLayout(view.currentSchema)
        self.defaultDelay = defaultDelay
        encoder = RowEncoder(layout)
    }

    /// Rows, deletions and retractions so far.
    public var count: Int { buffer.count }

    /// Bytes so far, keys and rows together.
    public var byteCount: Int { buffer.bytes.count }

    /// 64 bits of all that has been appended, in its order: batches with others hold other rows. Part of an idempotency key, it keeps that from
    /// standing for rows which were never written.
    public var fingerprint: UInt64 {
        let bytes = buffer.bytes
        return unsafe EntityKey.hash(bytes.span.bytes)
    }

    /// Forgets all rows; the memory stays.
    public func removeAll() {
        buffer.removeAll()
        earliestRetraction = .distantFuture
    }

    /// Appends a row. A feature that `values` does not name is absent.
    ///
    /// - Parameter availability: when the row could first have been served; nil for the commit time.
    public func append(
        _ entity: EntityKey, at eventTime: Timestamp, availableAt availability: Timestamp? = nil, _ values: [String: Value]
    ) throws(WhenceError) {
        let schema = view.currentSchema
        try unsafe append(encoded: entity.bytes.span.bytes, at: eventTime, availableAt: availability) { encoder throws(WhenceError) in
            for (name, value) in values {
                guard let field = schema.index(of: name) else {
                    throw WhenceError(
                        .unknownFeature, "view '\(view.definition.name)' has no feature '\(name)'",
                        hint: "its features are \(schema.fields.map(\.name).joined(separator: ", "))")
                }
                try encoder.set(field, value)
            }
        }
    }

    /// Appends a row whose entity key is encoded already; `fill` sets its features, by their index in the current schema.
    /// Where it throws, the batch is as before.
    @inline(__always) public func append(
        encoded entity: RawSpan, at eventTime: Timestamp, availableAt availability: Timestamp? = nil,
        _ fill: (inout RowEncoder) throws(WhenceError) -> Void
    ) throws(WhenceError) {
        let stated = try check(eventTime, availability)
        encoder.begin(availability: stated)
        try fill(&encoder)
        let start = buffer.bytes.count
        let keyEnd = try appendKey(entity, eventTime)
        do {
            try encoder.finish(into: &buffer.bytes)
        } catch {
            buffer.bytes.removeLast(buffer.bytes.count - start)
            throw error
        }
        buffer.close(start: start, keyEnd: keyEnd)
    }

    /// Appends a tombstone: from `eventTime` on the entity has no values, until a newer version.
    public func appendDeletion(_ entity: EntityKey, at eventTime: Timestamp, availableAt: Timestamp? = nil) throws(WhenceError) {
        try unsafe append(.deletion, encoded: entity.bytes.span.bytes, at: eventTime, availableAt: availableAt)
    }

    /// Says that what was committed for the entity at `eventTime` before this never happened.
    public func appendRetraction(_ entity: EntityKey, at eventTime: Timestamp, availableAt: Timestamp? = nil) throws(WhenceError) {
        try unsafe append(.retraction, encoded: entity.bytes.span.bytes, at: eventTime, availableAt: availableAt)
    }

    /// Appends a deletion or a retraction of an entity whose key is encoded already.
    public func append(
        _ kind: VersionKind, encoded entity: RawSpan, at eventTime: Timestamp, availableAt availability: Timestamp? = nil
    ) throws(WhenceError) {
        let stated = try check(eventTime, availability)
        let start = buffer.bytes.count
        let keyEnd = try appendKey(entity, eventTime)
        RowEncoder.append(kind, availability: stated, to: &buffer.bytes)
        if kind == .retraction { earliestRetraction = min(earliestRetraction, eventTime) }
        buffer.close(start: start, keyEnd: keyEnd)
    }

    private func check(_ eventTime: Timestamp, _ availability: Timestamp?) throws(WhenceError) -> Timestamp? {
        guard eventTime.isInRange else {
            throw WhenceError(.invalidTime, "the event time is out of range", hint: "times run from 0001-01-01 to 9999-12-31")
        }
        guard buffer.count < Limits.batchRows, buffer.bytes.count < Limits.batchBytes else {
            throw WhenceError(
                .limitExceeded, "a batch holds at most \(Limits.batchRows) rows and \(Limits.batchBytes) bytes", hint: "commit it in parts")
        }
        guard let availability else {
            guard let defaultDelay else { return nil }
            let available = eventTime.advanced(by: defaultDelay)
            guard available.isInRange else {
                throw WhenceError(
                    .invalidTime, "the availability time, \(defaultDelay.text) after the event time \(eventTime), is out of range",
                    hint: "times run from 0001-01-01 to 9999-12-31; the delay is the view's availability_delay")
            }
            return available
        }
        guard availability.isInRange else {
            throw WhenceError(.invalidTime, "the availability time is out of range", hint: "times run from 0001-01-01 to 9999-12-31")
        }
        return availability
    }

    /// The key up to its commit time, which is filled in at the commit.
    private func appendKey(_ entity: RawSpan, _ eventTime: Timestamp) throws(WhenceError) -> Int {
        try EntityKey.check(byteCount: entity.byteCount)
        unsafe entity.withUnsafeBytes { unsafe buffer.bytes.append(contentsOf: $0) }
        VersionKey.appendTimes(event: eventTime, commit: .distantFuture, to: &buffer.bytes)
        return buffer.bytes.count
    }
}
