import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// All versions of one entity.
final class HistoryJob: StreamJob, @unchecked Sendable {
    /// An entity of more versions is read by a scan, which takes no memory for them all.
    private static let versionsLimit = 1_000_000
    /// Rows of one block.
    private static let blockRows = 8192
    /// Columns before those of the features.
    private static let columnNames = ["kind", "event_time", "commit_time", "availability_time", "carries"]

    let options: StreamOptions
    var takesUploads: Bool { false }
    private let request: HistoryRequest
    private let principal: Principal
    private let core: ServerCore
    private var cutter: BlockCutter
    /// The view's, then those of retired features that the versions carry.
    private var features: [SchemaField] = []
    /// Of their columns: with the view's name in front where the history has a column of the feature's name itself; with a retired one's id
    /// where another feature has its name.
    private var names: [String] = []
    private var versions: [Version]?
    private var next = 0

    init(_ frame: Frame, _ principal: Principal, _ core: ServerCore) throws(WhenceError) {
        request = try HistoryRequest(decoding: frame)
        options = request.options
        self.principal = principal
        self.core = core
        cutter = BlockCutter(request.options)
    }

    func step(_ upload: StreamUpload, _ output: inout StreamOutput) throws(WhenceError) -> StepState {
        guard let versions else {
            try begin(&output)
            return .more
        }
        if cutter.isEmpty {
            guard next < versions.count else {
                try output.send(StreamEnd(rows: UInt64(versions.count)), isLast: true)
                return .done
            }
            let end = min(next + HistoryJob.blockRows, versions.count)
            cutter.take(try columns(versions[next..<end]), frameBytes: output.frameBytes)
            next = end
        }
        try cutter.cut(into: &output)
        return .more
    }

    private func begin(_ output: inout StreamOutput) throws(WhenceError) {
        try principal.check(.read, view: request.view)
        let view = try core.store.catalog.view(named: request.view)
        features = view.currentSchema.fields
        let key = try EntityKey(row: 0, of: request.entity, keys: view.entity.joinKeys)
        let last = core.store.lastCommit
        let knownAt = min(request.knownAt ?? .distantFuture, last)
        let versions = try core.store.history(request.view, key, knownAt: knownAt, limit: HistoryJob.versionsLimit + 1)
        guard versions.count <= HistoryJob.versionsLimit else {
            throw WhenceError(
                .limitExceeded, "the entity has more than \(HistoryJob.versionsLimit) versions", place: "view '\(request.view)'",
                hint: "scan the view for a range of event times")
        }
        self.versions = versions
        names = features.map { columnName($0.name) }
        addRetired(of: versions, view)
        try output.send(
            StreamSchema(
                knownAt: knownAt == .distantPast ? nil : knownAt,
                schema: BatchSchema(
                    names: HistoryJob.columnNames + names,
                    types: [.string, .timestamp, .timestamp, .timestamp, .list(.string)] + features.map(\.type))))
    }

    private func columnName(_ feature: String) -> String {
        HistoryJob.columnNames.contains(feature) ? "\(request.view).\(feature)" : feature
    }

    /// Adds the columns of retired features that `versions` carry, in the order in which they are met.
    private func addRetired(of versions: [Version], _ view: StoredView) {
        var known = Set(features.map(\.id))
        var taken = Set(names)
        for version in versions {
            for (field, name, _) in version.values where known.insert(field).inserted {
                // The last schema that has it knows its widest type. One that is in none has been added since this read began.
                guard let retired = view.schemas.reversed().lazy.flatMap(\.fields).first(where: { $0.id == field }) else { continue }
                let column = taken.contains(columnName(name)) ? "\(name) (retired, id \(field))" : columnName(name)
                taken.insert(column)
                features.append(retired)
                names.append(column)
            }
        }
    }

    private func columns(_ versions: ArraySlice<Version>) throws(WhenceError) -> ColumnBatch {
        let kinds = ColumnBuilder(.string)
        let times = (0..<3).map { _ in ColumnBuilder(.timestamp) }
        let carries = ColumnBuilder(.list(.string))
        let builders = features.map { ColumnBuilder($0.type) }
        // By id: a retired feature of the same name is another one.
        let places = Dictionary(features.enumerated().map { ($1.id, $0) }) { first, _ in first }
        for version in versions {
            try kinds.append(.string("\(version.kind)"))
            times[0].append(fixed: version.eventTime.microseconds)
            times[1].append(fixed: version.commitTime.microseconds)
            times[2].append(fixed: version.availabilityTime.microseconds)
            var row: [Value] = features.map { _ in .null }
            var carried: [Value] = []
            for (field, _, value) in version.values {
                guard let place = places[field] else { continue }
                row[place] = value.widened(to: features[place].type)
                carried.append(.string(names[place]))
            }
            try carries.append(.list(carried))
            for (builder, value) in zip(builders, row) { try builder.append(value) }
        }
        var columns = [try kinds.finish()]
        for builder in times { columns.append(try builder.finish()) }
        columns.append(try carries.finish())
        for builder in builders { columns.append(try builder.finish()) }
        return ColumnBatch(names: HistoryJob.columnNames + names, columns: columns, count: versions.count)
    }
}

extension Value {
    /// The same value in a type that the feature has been widened to since it was written.
    func widened(to type: FeatureType) -> Value {
        switch (self, type) {
        case (.int32(let number), .scalar(.int64)): .int64(Int64(number))
        case (.int32(let number), .scalar(.float64)): .float64(Double(number))
        case (.float32(let number), .scalar(.float64)): .float64(Double(number))
        default: self
        }
    }
}
