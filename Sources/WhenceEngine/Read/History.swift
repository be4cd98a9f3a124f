import RocksDB
import WhenceCatalog
import WhenceCore

/// One stored version of an entity, as `history` shows it.
public struct Version: Sendable, Hashable {
    public let kind: VersionKind
    public let eventTime: Timestamp
    /// When it became known: for a row of a backfill, when that was published.
    public let commitTime: Timestamp
    public let availabilityTime: Timestamp
    /// The features that it carries as it was written, those retired since included: a retired one and a newer one of its name differ in
    /// their ids (`SchemaField.id`).
    public let values: [(field: UInt32, name: String, value: Value)]

    public init(
        kind: VersionKind, eventTime: Timestamp, commitTime: Timestamp, availabilityTime: Timestamp,
        values: [(field: UInt32, name: String, value: Value)]
    ) {
        self.kind = kind
        self.eventTime = eventTime
        self.commitTime = commitTime
        self.availabilityTime = availabilityTime
        self.values = values
    }

    public static func == (a: Version, b: Version) -> Bool {
        a.kind == b.kind && a.eventTime == b.eventTime && a.commitTime == b.commitTime && a.availabilityTime == b.availabilityTime
            && a.values.count == b.values.count
            && zip(a.values, b.values).allSatisfy { $0.field == $1.field && $0.name == $1.name && $0.value == $1.value }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(eventTime)
        hasher.combine(commitTime)
    }
}

extension Store {
    /// All versions of `entity` in `view` that are known at `knownAt` (nil: now), newest first. Reads what is stored; retractions and
    /// what they retract, corrections and what they correct are all there.
    ///
    /// - Parameter limit: stop after so many versions.
    public func history(
        _ view: String, _ entity: EntityKey, knownAt: Timestamp? = nil, limit: Int = .max
    ) throws(WhenceError) -> [Version] {
        let open = try self.view(view)
        let visibility = visibility(ReadPoint(knownAt: knownAt ?? .distantFuture))
        var cursor = database.makeCursor(open.family)
        var versions: [Version] = []
        let bytes = entity.bytes
        let entity = unsafe bytes.span.bytes
        cursor.seek(entity)
        while cursor.isValid, versions.count < limit {
            do {
                let key = cursor.key
                guard key.starts(with: entity) else { break }
                if key.isVersion(of: entity), visibility.isKnown(VersionKey.commitTime(key)) {
                    versions.append(try version(open, key, cursor.value))
                }
            }
            cursor.next()
        }
        if !cursor.isValid { try storage(at: "view '\(view)'") { () throws(RocksDBError) in try cursor.check() } }
        return versions
    }

    private func version(_ view: OpenView, _ key: RawSpan, _ row: RawSpan) throws(WhenceError) -> Version {
        let header = try RowHeader(row)
        let commit = VersionKey.commitTime(key)
        var values: [(field: UInt32, name: String, value: Value)] = []
        if header.kind == .row {
            let layout = try view.layout(header.schemaID)
            let body = try RowBody(row, header: header, layout)
            for (index, field) in layout.schema.fields.enumerated() {
                switch body.place(of: index) {
                case .absent: break
                case .null: values.append((field.id, field.name, .null))
                case .bytes(let range): values.append((field.id, field.name, try Value(row.extracting(range), as: field.type)))
                }
            }
        }
        return Version(
            kind: header.kind, eventTime: VersionKey.eventTime(key), commitTime: publication(commit),
            availabilityTime: header.availability ?? commit, values: values)
    }
}
