import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceTabular

/// How the records of a table become rows of a view: which column is a join key, a time, the kind of the row, a feature.
final class RowMapping {
    /// What a load says about its input beyond the view's definition.
    struct Choices {
        /// For a column of the table the name that the view knows it by.
        var renames: [String: String] = [:]
        var ignoreUnknown = false
        var epoch: TimeParser.EpochUnit?
        var floorTimes = false
        /// Retractions up to here are refused row by row: what they would uncover has been removed. Nil where only the commit is to look, as
        /// it does in any case.
        var horizon: Timestamp?
    }

    /// The reserved column that makes a row a deletion or a retraction.
    static let kindColumn = "_kind"

    /// Columns of the table that have been taken up.
    private(set) var columnCount = 0

    private let view: StoredView
    private let choices: Choices
    private let eventTimes: TimeParser
    private let availabilityTimes: TimeParser
    private let featureTimes: TimeParser
    private var keyColumns: [Int?]
    private let keyTypes: [KeyType]
    private var eventTime: Int?
    private var availability: Int?
    private var kind: Int?
    /// The features that the table has: its column, and the field of the view's schema.
    private(set) var features: [(column: Int, field: Int, type: FeatureType)] = []
    private var taken: [String: String] = [:]
    private var key: [UInt8] = []

    init(_ view: StoredView, _ choices: Choices) throws(WhenceError) {
        self.view = view
        self.choices = choices
        let definition = view.definition
        eventTimes = try TimeParser(epochUnit: choices.epoch, zone: definition.eventTime.zone, floor: choices.floorTimes)
        availabilityTimes = try TimeParser(epochUnit: choices.epoch, zone: definition.availabilityTime?.zone, floor: choices.floorTimes)
        featureTimes = try TimeParser(epochUnit: choices.epoch, floor: choices.floorTimes)
        keyTypes = view.entity.joinKeys.map(\.type)
        keyColumns = keyTypes.map { _ in nil }
    }

    /// Takes up the columns that the reader has and the mapping does not know yet. Throws for one that the view has no
    /// use for, and, where the reader knows all its columns, for one that the view needs and the table lacks.
    func take(_ reader: any RecordReader) throws(WhenceError) {
        for index in columnCount..<reader.columns.count {
            try take(index, reader.columns[index], reader.discoversColumns ? reader.place() : reader.name)
        }
        columnCount = reader.columns.count
        guard !reader.discoversColumns else { return }
        for column in choices.renames.keys.sorted() where reader.index(of: column) == nil {
            throw WhenceError(
                .invalidArgument, "there is no column '\(column)' to rename", place: reader.name,
                hint: "its columns are \(reader.columns.joined(separator: ", "))")
        }
        for (index, join) in view.entity.joinKeys.enumerated() where keyColumns[index] == nil {
            throw missing("join key", join.name, reader.columns).at(reader.name)
        }
        if eventTime == nil { throw missing("event time", view.definition.eventTime.column, reader.columns).at(reader.name) }
    }

    private func take(_ index: Int, _ column: String, _ place: String) throws(WhenceError) {
        let name = choices.renames[column] ?? column
        if let other = taken[name] {
            throw WhenceError(
                .malformedInput, "the columns '\(other)' and '\(column)' both stand for '\(name)'", place: place, hint: "rename one of them"
            )
        }
        var isKnown = false
        if let key = view.entity.joinKeys.firstIndex(where: { $0.name == name }) {
            keyColumns[key] = index
            isKnown = true
        }
        if name == view.definition.eventTime.column {
            eventTime = index
            isKnown = true
        }
        if name == view.definition.availabilityTime?.column {
            availability = index
            isKnown = true
        }
        if name == RowMapping.kindColumn {
            kind = index
            isKnown = true
        }
        if let field = view.currentSchema.index(of: name) {
            features.append((index, field, view.currentSchema.fields[field].type))
            isKnown = true
        }
        if isKnown {
            taken[name] = column
        } else if !choices.ignoreUnknown {
            throw WhenceError(
                .unknownFeature, "view '\(view.definition.name)' has no feature '\(name)'", place: "\(place), column \(column)",
                hint:
                    "its features are \(view.currentSchema.fields.map(\.name).joined(separator: ", ")); use --rename \(column)=NAME for one of "
                    + "them, or --ignore-unknown to leave the column out")
        }
    }

    private func missing(_ what: String, _ name: String, _ columns: [String]) -> WhenceError {
        WhenceError(
            .malformedInput, "there is no column '\(name)', which view '\(view.definition.name)' needs as its \(what)",
            hint: "the columns are \(columns.joined(separator: ", ")); use --rename COLUMN=\(name) where it has another name")
    }

    /// What a record says besides its keys and features.
    struct Head {
        var kind: VersionKind
        var eventTime: Timestamp
        /// When it could first have been served, where the record states it.
        var availability: Timestamp?
    }

    /// Throws, with the place, what is wrong with the record's times and kind.
    func head<Reader: RecordReader>(_ reader: Reader) throws(WhenceError) -> Head {
        guard let eventTime else { throw missing("event time", view.definition.eventTime.column, reader.columns).at(reader.place()) }
        let time = try instant(reader, eventTime, eventTimes)
        var stated: Timestamp?
        if let availability, reader.field(availability).hasValue { stated = try instant(reader, availability, availabilityTimes) }
        let kind = try kind(reader)
        if kind != .row { try checkCarriesNothing(kind, reader) }
        if kind == .retraction, let horizon = choices.horizon, time <= horizon {
            let error = WhenceError(
                .beyondRetention, "a retraction at \(time) would uncover history that was removed up to \(horizon)",
                hint: "write a corrected row, or a deletion, at that event time instead")
            throw refuse(error, eventTime, reader)
        }
        return Head(kind: kind, eventTime: time, availability: stated)
    }

    private func checkCarriesNothing<Reader: RecordReader>(_ kind: VersionKind, _ reader: Reader) throws(WhenceError) {
        for feature in features where reader.field(feature.column).hasValue {
            let error = WhenceError(
                .invalidValue, "a \(kind) carries no features, and '\(String(clipping: reader.field(feature.column).bytes))' stands here",
                hint: "leave the features of a \(kind) empty")
            throw refuse(error, feature.column, reader)
        }
    }

    private func keyColumn<Reader: RecordReader>(_ index: Int, _ reader: Reader) throws(WhenceError) -> Int {
        guard let column = keyColumns[index] else {
            throw missing("join key", view.entity.joinKeys[index].name, reader.columns).at(reader.place())
        }
        return column
    }

    /// Appends the reader's current record to `batch`. Throws, with the place, what is wrong with it; the batch is as before then.
    func append<Reader: RecordReader>(_ reader: Reader, to batch: RowBatch) throws(WhenceError) {
        key.removeAll(keepingCapacity: true)
        for index in keyColumns.indices {
            let column = try keyColumn(index, reader)
            do {
                try TextValue.appendKey(reader.field(column), as: keyTypes[index], to: &key)
            } catch {
                throw refuse(error, column, reader)
            }
        }
        let head = try head(reader)
        let encoded = key
        let bytes = unsafe encoded.span.bytes
        do throws(WhenceError) {
            guard head.kind == .row else {
                return try batch.append(head.kind, encoded: bytes, at: head.eventTime, availableAt: head.availability)
            }
            try batch.append(encoded: bytes, at: head.eventTime, availableAt: head.availability) { encoder throws(WhenceError) in
                for feature in features {
                    do throws(WhenceError) {
                        try TextValue.set(
                            reader.field(feature.column), as: feature.type, index: feature.field, times: featureTimes, into: &encoder)
                    } catch {
                        throw refuse(error, feature.column, reader)
                    }
                }
            }
        } catch {
            throw error.place.isEmpty ? error.at(reader.place()) : error
        }
    }

    /// Appends join key `index` of the reader's current record to a column of its type.
    func appendKey<Reader: RecordReader>(_ index: Int, of reader: Reader, to builder: ColumnBuilder) throws(WhenceError) {
        let column = try keyColumn(index, reader)
        do throws(WhenceError) {
            // Checked as a key first: a key has rules of its own, and is never missing.
            key.removeAll(keepingCapacity: true)
            try TextValue.appendKey(reader.field(column), as: keyTypes[index], to: &key)
            try TextValue.append(reader.field(column), times: featureTimes, to: builder)
        } catch {
            throw refuse(error, column, reader)
        }
    }

    /// Appends feature `index` of the reader's current record to a column of its type; null where it has no value.
    func appendFeature<Reader: RecordReader>(_ index: Int, of reader: Reader, to builder: ColumnBuilder) throws(WhenceError) {
        do {
            try TextValue.append(reader.field(features[index].column), times: featureTimes, to: builder)
        } catch {
            throw refuse(error, features[index].column, reader)
        }
    }

    private func instant<Reader: RecordReader>(_ reader: Reader, _ column: Int, _ times: TimeParser) throws(WhenceError) -> Timestamp {
        do {
            return try times.parse(reader.field(column))
        } catch {
            var error = error
            if error.message.contains("names no time zone") {
                error.hint = "add Z or an offset such as -05:00, or name the zone in the definition: event_time: { column: …, zone: … }"
            } else if error.hint.hasPrefix("say the unit") {
                error.hint = "say what it counts with --epoch s, ms or us, or write times as 2013-01-31T05:00:00Z"
            }
            throw refuse(error, column, reader)
        }
    }

    private func kind<Reader: RecordReader>(_ reader: Reader) throws(WhenceError) -> VersionKind {
        guard let kind, reader.field(kind).hasValue else { return .row }
        let text = String(clipping: reader.field(kind).bytes)
        switch text {
        case "row": return .row
        case "deletion": return .deletion
        case "retraction": return .retraction
        default:
            let error = WhenceError(.invalidValue, "'\(text)' is no kind of row", hint: "the kinds are row, deletion and retraction")
            throw refuse(error, kind, reader)
        }
    }

    private func refuse<Reader: RecordReader>(_ error: WhenceError, _ column: Int, _ reader: Reader) -> WhenceError {
        error.at(reader.place(column: column))
    }
}
