import WhenceCatalog
import WhenceCore

/// How the columns of a table become rows of a view: which column is a join key, which a time, which a feature. Made once for the
/// columns of a stream of batches, then used for each of them.
///
/// Two reserved columns tell rows apart where they differ: `_kind` (string: `row`, `deletion` or `retraction`; a row where it has no value),
/// and for any feature `_carries.FEATURE` (bool): whether the row carries it, with a null where it has no value. No name of a feature or
/// a join key begins with an underscore.
public struct ColumnRows: Sendable {
    private let view: StoredView
    private let names: [String]
    private let types: [FeatureType]
    private let keys: [Int]
    private let keyTypes: [KeyType]
    private let eventTime: Int
    private let availability: Int?
    private let features: [(column: Int, field: Int)]
    /// For each of the features the column that says whether a row carries it, where there is one.
    private let carries: [Int?]
    private let kind: Int?
    private let missingIsNull: Bool

    /// The column that says what a row is.
    public static var kindColumn: String { "_kind" }

    /// The column that says whether a row carries `feature`.
    public static func carriesColumn(_ feature: String) -> String { "_carries.\(feature)" }

    /// - Parameters:
    ///   - kind: rows carry features; deletions and retractions have join keys and times only.
    ///   - availabilityColumn: empty where no column states when rows could first have been served.
    ///   - missingIsNull: whether a cell without a value is a null, where no column says it; else the row does not carry that feature.
    ///
    /// Throws where a column is missing, is there twice, is unknown to the view, or is of a type that does not fit.
    public init(
        _ view: StoredView, columns: [SpineColumn], kind: VersionKind = .row, eventTimeColumn: String, availabilityColumn: String = "",
        missingIsNull: Bool = true
    ) throws(WhenceError) {
        self.view = view
        self.missingIsNull = missingIsNull
        names = columns.map(\.name)
        types = columns.map(\.type)
        keyTypes = view.entity.joinKeys.map(\.type)
        let place = "view '\(view.definition.name)'"
        let all = names
        func find(_ name: String, _ what: String) throws(WhenceError) -> Int {
            guard let index = all.firstIndex(of: name) else {
                throw WhenceError(
                    .malformedInput, "there is no column '\(name)', which is the \(what)", place: place,
                    hint: "the columns are \(all.joined(separator: ", "))")
            }
            return index
        }
        func time(_ name: String, _ what: String) throws(WhenceError) -> Int {
            let index = try find(name, what)
            guard columns[index].type == .timestamp else {
                throw WhenceError(
                    .invalidTime, "the \(what) must be a timestamp, and the column holds \(columns[index].type.name)",
                    place: "\(place), column '\(name)'", hint: "convert it to microseconds in UTC")
            }
            return index
        }
        var keys: [Int] = []
        for key in view.entity.joinKeys {
            let index = try find(key.name, "join key")
            try KeyTable.check(columns[index].type, named: key.name, holds: key.type)
            keys.append(index)
        }
        self.keys = keys
        eventTime = try time(eventTimeColumn, "event time")
        availability = availabilityColumn.isEmpty ? nil : try time(availabilityColumn, "availability time")
        var features: [(column: Int, field: Int)] = []
        let schema = view.currentSchema
        var reserved: Set<Int> = []
        func reserve(_ name: String, _ type: FeatureType) throws(WhenceError) -> Int? {
            guard kind == .row, let index = all.firstIndex(of: name) else { return nil }
            guard columns[index].type == type else {
                throw WhenceError(
                    .invalidValue, "the column '\(name)' is \(type.name), and holds \(columns[index].type.name)", place: place)
            }
            reserved.insert(index)
            return index
        }
        self.kind = try reserve(Self.kindColumn, .string)
        var carriesOfFeature: [String: Int] = [:]
        for column in columns where schema.index(of: column.name) != nil {
            carriesOfFeature[column.name] = try reserve(Self.carriesColumn(column.name), .bool)
        }
        for (index, column) in columns.enumerated() where !reserved.contains(index) {
            // A feature may have the name of a join key or of the event time, and is then filled from the same column.
            guard let field = schema.index(of: column.name) else {
                if keys.contains(index) || index == eventTime || index == availability { continue }
                throw WhenceError(
                    .unknownFeature, "view '\(view.definition.name)' has no feature '\(column.name)'", place: place,
                    hint: "its features are \(schema.fields.map(\.name).joined(separator: ", "))")
            }
            guard kind == .row else {
                if keys.contains(index) || index == eventTime || index == availability { continue }
                throw WhenceError(
                    .invalidArgument, "a \(kind) carries no features, and there is a column '\(column.name)'", place: place,
                    hint: "send join keys and times only")
            }
            let wanted = schema.fields[field].type
            guard column.type == wanted || column.type.widens(to: wanted) else {
                throw WhenceError(
                    .invalidValue, "feature '\(column.name)' is \(wanted.name), and the column holds \(column.type.name)", place: place,
                    hint: "convert the column")
            }
            features.append((index, field))
        }
        self.features = features
        let names = names
        carries = features.map { carriesOfFeature[names[$0.column]] }
    }

    /// Appends rows `rows` of `batch`, whose columns are those that this was made for, as versions of kind `kind`.
    ///
    /// Throws for the first row that is refused, named by its number in the batch; rows before it are appended then.
    public func append(_ batch: ColumnBatch, rows: Range<Int>, kind: VersionKind = .row, to target: RowBatch) throws(WhenceError) {
        precondition(batch.columns.count == names.count)
        guard !rows.isEmpty else { return }
        let keyColumns = keys.map { batch.columns[$0] }
        let table = try KeyTable(keyColumns, keyTypes, rows: rows)
        let keyBytes = table.bytes
        let times = batch.columns[eventTime]
        let availabilities = availability.map { batch.columns[$0] }
        let columns = features.map { batch.columns[$0.column] }
        let kinds = self.kind.map { batch.columns[$0] }
        let presences = carries.contains { $0 != nil } ? carries.map { $0.map { batch.columns[$0] } } : nil
        for row in rows {
            do throws(WhenceError) {
                let range = table.range(row)
                guard !range.isEmpty else {
                    throw WhenceError(.invalidKey, "a join key has no value", hint: "every row needs its join keys")
                }
                guard times.isValid(row) else { throw WhenceError(.invalidTime, "the event time is missing", hint: "every row needs one") }
                let eventTime = Timestamp(microseconds: times.load(row, as: Int64.self))
                var stated: Timestamp?
                if let availabilities, availabilities.isValid(row) {
                    stated = Timestamp(microseconds: availabilities.load(row, as: Int64.self))
                }
                let entity = unsafe keyBytes.span.bytes.extracting(range)
                let rowKind = if let kinds { try Self.kind(kinds, row) } else { kind }
                guard rowKind == .row else {
                    if kind == .row { try checkCarriesNothing(rowKind, columns, presences, row) }
                    try target.append(rowKind, encoded: entity, at: eventTime, availableAt: stated)
                    continue
                }
                try target.append(encoded: entity, at: eventTime, availableAt: stated) { encoder throws(WhenceError) in
                    if let presences {
                        for index in columns.indices {
                            try set(features[index].field, columns[index], presences[index], row, &encoder)
                        }
                    } else {
                        for index in columns.indices { try set(features[index].field, columns[index], row, &encoder) }
                    }
                }
            } catch {
                throw error.at("view '\(view.definition.name)', row \(row + 1)")
            }
        }
    }

    // MARK: What tells rows apart

    private static func kind(_ column: Column, _ row: Int) throws(WhenceError) -> VersionKind {
        guard column.isValid(row) else { return .row }
        switch column.value(row) {
        case .string("row"), .string(""): return .row
        case .string("deletion"): return .deletion
        case .string("retraction"): return .retraction
        default:
            throw WhenceError(
                .invalidValue, "'\(kindColumn)' holds what is no kind of row", hint: "the kinds are row, deletion and retraction")
        }
    }

    private static func isSet(_ column: Column, _ row: Int) -> Bool {
        column.isValid(row) && column.values.span[row >> 3] >> UInt8(row & 7) & 1 == 1
    }

    private func checkCarriesNothing(
        _ kind: VersionKind, _ columns: [Column], _ presences: [Column?]?, _ row: Int
    ) throws(WhenceError) {
        for index in columns.indices {
            // A feature that is filled from a join key or a time is theirs here.
            if keys.contains(features[index].column) || features[index].column == eventTime || features[index].column == availability {
                continue
            }
            let isCarried = presences?[index].map { Self.isSet($0, row) } ?? false
            guard isCarried || columns[index].isValid(row) else { continue }
            throw WhenceError(
                .invalidValue, "a \(kind) carries no features, and '\(names[features[index].column])' has a value",
                hint: "leave all features of a \(kind) out")
        }
    }

    /// Sets a feature that the row carries, as `presence` says.
    private func set(
        _ field: Int, _ column: Column, _ presence: Column?, _ row: Int, _ encoder: inout RowEncoder
    ) throws(WhenceError) {
        guard let presence else { return try set(field, column, row, &encoder) }
        if Self.isSet(presence, row) {
            if column.isValid(row) { try set(field, column, row, &encoder) } else { encoder.setNull(field) }
        } else if column.isValid(row) {
            let name = view.currentSchema.fields[field].name
            throw WhenceError(
                .invalidValue, "'\(name)' has a value, and '\(Self.carriesColumn(name))' says that the row does not carry it")
        }
    }

    @inline(__always) private func set(_ field: Int, _ column: Column, _ row: Int, _ encoder: inout RowEncoder) throws(WhenceError) {
        guard column.isValid(row) else {
            if missingIsNull { encoder.setNull(field) }
            return
        }
        let wanted = view.currentSchema.fields[field].type
        switch column.type {
        case .scalar(let scalar):
            switch scalar {
            case .float64: encoder.set(field, fixed: column.load(row, as: UInt64.self))
            case .int64, .timestamp: encoder.set(field, fixed: column.load(row, as: Int64.self))
            case .int32:
                let value = column.load(row, as: Int32.self)
                if wanted == .int64 {
                    encoder.set(field, fixed: Int64(value))
                } else if wanted == .float64 {
                    encoder.set(field, fixed: Double(value))
                } else {
                    encoder.set(field, fixed: value)
                }
            case .float32:
                if wanted == .float64 {
                    encoder.set(field, fixed: Double(column.load(row, as: Float.self)))
                } else {
                    encoder.set(field, fixed: column.load(row, as: UInt32.self))
                }
            case .bool: encoder.set(field, fixed: UInt8(column.values.span[row >> 3] >> UInt8(row & 7) & 1))
            case .string, .bytes: encoder.set(field, raw: column.values.span.extracting(column.byteRange(row)))
            }
        case .vector(let dimension):
            let width = dimension * 4
            encoder.set(field, raw: column.values.span.extracting((row * width)..<((row + 1) * width)))
        case .list(let scalar):
            if let width = scalar.width, scalar != .bool {
                let range = column.byteRange(row)
                encoder.set(field, raw: column.values.span.extracting((range.lowerBound * width)..<(range.upperBound * width)))
            } else {
                try encoder.set(field, column.value(row))
            }
        }
    }
}
