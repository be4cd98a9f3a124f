import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol
import WhenceTabular

/// Rows for a server, as columns. On the wire a missing value means one thing in all of a part, so rows of one kind that carry the
/// same features make a part, and the next row that differs begins another: the rows keep their order, and null and absent stay apart.
final class UploadParts {
    private struct Shape: Equatable {
        var kind: VersionKind
        /// For each of the mapping's features whether the rows carry it.
        var carries: [Bool]
    }

    private let view: StoredView
    private var shape: Shape?
    private var keys: [ColumnBuilder]
    private let eventTimes = ColumnBuilder(.timestamp)
    private let availabilityTimes = ColumnBuilder(.timestamp)
    private var features: [ColumnBuilder] = []
    /// The features that the table has had so far, by the view's names.
    private(set) var featureNames: [String] = []
    private var parts: [WritePart] = []
    private(set) var count = 0
    private(set) var byteCount = 0

    /// Names have no spaces, so none is like these.
    static let eventTime = "event time"
    static let availabilityTime = "availability time"

    init(_ view: StoredView) {
        self.view = view
        keys = view.entity.joinKeys.map { ColumnBuilder($0.type.columnType) }
    }

    /// Appends the reader's current record. Where it throws, the parts are as before.
    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError) {
        while features.count < mapping.features.count {
            // A column that was discovered late: no row before carries it.
            let feature = mapping.features[features.count]
            features.append(ColumnBuilder(feature.type, count: eventTimes.count))
            featureNames.append(view.currentSchema.fields[feature.field].name)
            shape?.carries.append(false)
        }
        let head = try mapping.head(reader)
        let carries = mapping.features.map { head.kind == .row && reader.field($0.column).state != .absent }
        let next = Shape(kind: head.kind, carries: carries)
        if let shape, shape != next { try close() }
        shape = next
        let rows = eventTimes.count
        do throws(WhenceError) {
            for (index, builder) in keys.enumerated() { try mapping.appendKey(index, of: reader, to: builder) }
            eventTimes.append(fixed: head.eventTime.microseconds)
            if let time = head.availability { availabilityTimes.append(fixed: time.microseconds) } else { availabilityTimes.appendNull() }
            for (index, builder) in features.enumerated() {
                if carries[index] { try mapping.appendFeature(index, of: reader, to: builder) } else { builder.appendNull() }
            }
        } catch {
            for builder in keys + features + [eventTimes, availabilityTimes] where builder.count > rows { builder.truncate(to: rows) }
            throw error
        }
        count += 1
        byteCount += reader.rawRecord.utf8.count
    }

    /// Forgets all rows.
    func removeAll() {
        for builder in keys + [eventTimes, availabilityTimes] { builder.removeAll() }
        // A table that is read again is mapped anew: its features are found one by one, as they were before.
        features.removeAll()
        featureNames.removeAll()
        parts.removeAll()
        shape = nil
        count = 0
        byteCount = 0
    }

    /// All rows so far; there are none left then.
    func take() throws(WhenceError) -> [WritePart] {
        try close()
        let taken = parts
        removeAll()
        return taken
    }

    private func close() throws(WhenceError) {
        guard let shape, eventTimes.count > 0 else { return }
        var columns: [Column] = []
        let rows = eventTimes.count
        for builder in keys + [eventTimes, availabilityTimes] { columns.append(try builder.finish()) }
        var columnNames = view.entity.joinKeys.map(\.name) + [UploadParts.eventTime, UploadParts.availabilityTime]
        for (index, builder) in features.enumerated() {
            if shape.carries[index] {
                columns.append(try builder.finish())
                columnNames.append(featureNames[index])
            } else {
                builder.removeAll()
            }
        }
        parts.append(
            WritePart(
                view: view.definition.name, action: WriteAction(shape.kind), missingIsNull: true, eventTime: UploadParts.eventTime,
                availabilityTime: UploadParts.availabilityTime, rows: ColumnBatch(names: columnNames, columns: columns, count: rows)))
        self.shape = nil
    }
}

extension WriteAction {
    fileprivate init(_ kind: VersionKind) {
        switch kind {
        case .row: self = .rows
        case .deletion: self = .deletions
        case .retraction: self = .retractions
        }
    }
}
