import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceTabular

/// Rows for a server, as columns: join keys, times, features. Where rows differ in what they are, or in the features that they carry, columns
/// beside those say so (`ColumnRows.kindColumn`, `ColumnRows.carriesColumn`), so that null and absent stay apart.
final class UploadRows {
    private struct Feature {
        let name: String
        let builder: ColumnBuilder
        /// Whether a row carries it.
        let carries: ColumnBuilder
        /// Rows that carry it.
        var carried = 0
    }

    private let view: StoredView
    /// Whether all batches are to have the same columns.
    private let isUniform: Bool
    private let keys: [ColumnBuilder]
    private let eventTimes = ColumnBuilder(.timestamp)
    private let availabilityTimes = ColumnBuilder(.timestamp)
    private let kinds = ColumnBuilder(.string)
    /// Rows that are no deletions or retractions.
    private var plainRows = 0
    private var features: [Feature] = []
    /// For each of the mapping's features which of `features` it is.
    private var places: [Int] = []
    private var placeOfField: [Int: Int] = [:]
    private var rowBytes = 0
    /// About the bytes that the rows take in a message.
    private(set) var byteCount = 0

    var count: Int { eventTimes.count }

    /// Names have no spaces, so none is like these.
    static let eventTime = "event time"
    static let availabilityTime = "availability time"

    /// - Parameter isUniform: whether all batches have the same columns: those of the table where it says at its beginning which it has, else
    ///   all of the view; and always those that tell rows apart.
    init(_ view: StoredView, isUniform: Bool) {
        self.view = view
        self.isUniform = isUniform
        keys = view.entity.joinKeys.map { ColumnBuilder($0.type.columnType) }
    }

    /// Appends the reader's current record. Where it throws, the rows are as before.
    func append<Reader: RecordReader>(_ reader: Reader, by mapping: RowMapping) throws(WhenceError) {
        if isUniform, features.isEmpty, reader.discoversColumns {
            for (field, feature) in view.currentSchema.fields.enumerated() { declare(field, feature.type) }
        }
        while places.count < mapping.features.count {
            let feature = mapping.features[places.count]
            places.append(placeOfField[feature.field] ?? declare(feature.field, feature.type))
        }
        let head = try mapping.head(reader)
        let rows = count
        do throws(WhenceError) {
            for (index, builder) in keys.enumerated() { try mapping.appendKey(index, of: reader, to: builder) }
            eventTimes.append(fixed: head.eventTime.microseconds)
            if let time = head.availability { availabilityTimes.append(fixed: time.microseconds) } else { availabilityTimes.appendNull() }
            if head.kind == .row { kinds.appendNull() } else { try kinds.append(.string(head.kind.name)) }
            for (index, place) in places.enumerated() where head.kind == .row {
                guard reader.field(mapping.features[index].column).state != .absent else { continue }
                try mapping.appendFeature(index, of: reader, to: features[place].builder)
                features[place].carries.append(fixed: UInt8(1))
            }
        } catch {
            for builder in keys + [eventTimes, availabilityTimes, kinds] + features.flatMap({ [$0.builder, $0.carries] })
            where builder.count > rows {
                builder.truncate(to: rows)
            }
            throw error
        }
        for index in features.indices {
            if features[index].builder.count > rows {
                features[index].carried += 1
            } else {
                features[index].builder.appendNull()
                features[index].carries.append(fixed: UInt8(0))
            }
        }
        if head.kind == .row { plainRows += 1 }
        // Beside values of fixed width there is their text, which is never shorter than what is sent of the others.
        byteCount += rowBytes + 4 * reader.rawRecord.utf8.count
    }

    @discardableResult private func declare(_ field: Int, _ type: FeatureType) -> Int {
        placeOfField[field] = features.count
        // A column that is discovered late: no row before carries it.
        let carries = ColumnBuilder(.bool)
        for _ in 0..<count { carries.append(fixed: UInt8(0)) }
        features.append(
            Feature(name: view.currentSchema.fields[field].name, builder: ColumnBuilder(type, count: count), carries: carries))
        rowBytes += (type.width ?? 4) + 1
        return features.count - 1
    }

    /// Forgets all rows.
    func removeAll() {
        for builder in keys + [eventTimes, availabilityTimes, kinds] { builder.removeAll() }
        if isUniform {
            for index in features.indices {
                features[index].builder.removeAll()
                features[index].carries.removeAll()
                features[index].carried = 0
            }
        } else {
            // A table that is read again is mapped anew: its features are found one by one, as they were before.
            features.removeAll()
            places.removeAll()
            placeOfField.removeAll()
            rowBytes = 0
        }
        plainRows = 0
        byteCount = 0
    }

    /// All rows so far; there are none left then.
    func take() throws(WhenceError) -> ColumnBatch {
        let count = count
        var names = view.entity.joinKeys.map(\.name) + [UploadRows.eventTime, UploadRows.availabilityTime]
        var columns: [Column] = []
        func add(_ name: String, _ builder: ColumnBuilder) throws(WhenceError) {
            names.append(name)
            columns.append(try builder.finish())
        }
        for builder in keys + [eventTimes, availabilityTimes] { columns.append(try builder.finish()) }
        if isUniform || plainRows < count { try add(ColumnRows.kindColumn, kinds) }
        for feature in features where isUniform || feature.carried > 0 {
            try add(feature.name, feature.builder)
            if isUniform || feature.carried < plainRows { try add(ColumnRows.carriesColumn(feature.name), feature.carries) }
        }
        removeAll()
        return ColumnBatch(names: names, columns: columns, count: count)
    }
}

extension VersionKind {
    fileprivate var name: String {
        switch self {
        case .row: "row"
        case .deletion: "deletion"
        case .retraction: "retraction"
        }
    }
}
