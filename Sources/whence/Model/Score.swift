import WhenceCore
import WhenceModels
import WhenceTabular

/// One run of a model over a table: rows in, the columns of its answers out.
final class Score {
    struct Choices {
        var isRaw = false
        var leaves = false
        var contributions = false
        /// Columns of the input that go through.
        var keep: [String] = []
        var byPosition = false
        var allowsMissing = false
        var iterations: Range<Int>?
        /// Threads that may work on a batch; the answers do not depend on it.
        var threads = 1
    }

    static let batchRows = 4096

    private let model: Model
    private let choices: Choices
    private let place: String
    private var columns: FeatureColumns?
    private var names: [String] = []
    private var features: [Double] = []
    private(set) var rows = 0

    init(_ model: Model, _ choices: Choices, place: String) {
        self.model = model
        self.choices = choices
        self.place = place
    }

    // MARK: In

    /// What a column of text is to be read as: what the model needs, and texts for those that go through.
    static func columnType(_ model: Model, _ choices: Choices) -> (Int, String) -> FeatureType? {
        let byName = Dictionary(model.features.enumerated().map { ($1.name, $0) }) { first, _ in first }
        return { place, name in
            let index = choices.byPosition ? (place < model.featureCount ? place : nil) : byName[name]
            guard let index else { return choices.keep.contains(name) ? .string : nil }
            let feature = model.features[index]
            return feature.kind == .text || !feature.categories.isEmpty ? .string : .float64
        }
    }

    /// Looks for the model's features among the columns of the first batch, or of one that has more columns.
    /// Returns what is worth a warning.
    private func find(_ batch: ColumnBatch, all: [String]) throws(WhenceError) -> [WhenceError] {
        guard batch.names != names || columns == nil else { return [] }
        let isFirst = columns == nil
        names = batch.names
        let found: FeatureColumns
        do throws(WhenceError) {
            found = try FeatureColumns(model, columns: batch.names, byPosition: choices.byPosition)
        } catch {
            throw error.at(place)
        }
        columns = found
        guard isFirst else { return [] }
        for name in choices.keep where !batch.names.contains(name) {
            throw WhenceError(
                .invalidArgument, "the input has no column '\(name)'", place: "--keep", hint: "its columns are \(Score.list(all))")
        }
        var warnings: [WhenceError] = []
        let needed = model.features.indices.filter { !found.hasColumn($0) && model.features[$0].isUsed }.map { model.features[$0].name }
        if !needed.isEmpty {
            guard choices.allowsMissing else {
                throw WhenceError(
                    .invalidArgument,
                    "\(needed.count.counted("feature")) of the model \(needed.count == 1 ? "has" : "have") no column: \(Score.list(needed))",
                    place: place,
                    hint:
                        "the input's columns are \(Score.list(all)); rename them, or use --by-position, or --allow-missing to score them as missing"
                )
            }
            warnings.append(
                WhenceError(.invalidArgument, "these features have no column and count as missing: \(Score.list(needed))", place: place))
        }
        let used = Set(model.features.map(\.name)).union(choices.keep)
        let surplus =
            choices.byPosition
            ? Array(all.dropFirst(model.featureCount)).filter { !choices.keep.contains($0) } : all.filter { !used.contains($0) }
        if !surplus.isEmpty {
            warnings.append(WhenceError(.invalidArgument, "the model has no use for these columns: \(Score.list(surplus))", place: place))
        }
        return warnings
    }

    private static func list(_ names: [String]) -> String {
        names.count <= 12 ? names.joined(separator: ", ") : names.prefix(12).joined(separator: ", ") + ", and \(names.count - 12) more"
    }

    // MARK: Out

    /// The columns of the answer, in order. `kept`: the types of the columns that go through.
    func outputColumns(kept: [TableColumn]) throws(WhenceError) -> [TableColumn] {
        var columns = kept
        for (index, name) in (choices.isRaw ? model.rawOutputNames : model.outputNames).enumerated() {
            columns.append(TableColumn(name, model.isText(output: index) ? .string : model.isWhole(output: index) ? .int64 : .float64))
        }
        if choices.leaves { columns.append(TableColumn("leaves", .list(.int32))) }
        if choices.contributions { columns += contributionNames.map { TableColumn($0, .float64) } }
        var seen: Set<String> = []
        for column in columns where !seen.insert(column.name).inserted {
            throw WhenceError(
                .invalidArgument, "two columns of the answer would be named '\(column.name)'", place: "--keep",
                hint: "leave it out, or rename the column of the input")
        }
        return columns
    }

    private var contributionNames: [String] {
        let names = model.features.map(\.name) + ["(bias)"]
        guard model.rawOutputCount > 1 else { return names.map { "contribution.\($0)" } }
        return model.rawOutputNames.flatMap { output in names.map { "contribution.\(output).\($0)" } }
    }

    /// The kept columns of a batch, by name and type.
    func kept(_ batch: ColumnBatch) -> [TableColumn] {
        choices.keep.compactMap { name in batch.column(named: name).map { TableColumn(name, $0.type) } }
    }

    /// Scores one batch into the columns of the answer, and warns through `warn` of what the first batch shows.
    func score(_ batch: ColumnBatch, all: [String], warn: (WhenceError) -> Void) throws(WhenceError) -> ColumnBatch {
        for warning in try find(batch, all: all) { warn(warning) }
        guard let columns else { preconditionFailure("found above") }
        let kept = kept(batch)
        let outputs = try outputColumns(kept: kept)
        let builders = outputs.dropFirst(kept.count).map { ColumnBuilder($0.type) }
        for start in stride(from: 0, to: batch.count, by: Score.batchRows) {
            let range = start..<min(batch.count, start + Score.batchRows)
            do throws(WhenceError) {
                try columns.fill(batch, rows: range, into: &features)
                try append(range.count, to: builders)
            } catch {
                throw error.at("\(place), rows \(rows + 1) to \(rows + range.count)")
            }
            rows += range.count
        }
        var built = kept.compactMap { batch.column(named: $0.name) }
        for builder in builders { built.append(try builder.finish()) }
        return ColumnBatch(names: outputs.map(\.name), columns: built, count: batch.count)
    }

    private func append(_ count: Int, to builders: [ColumnBuilder]) throws(WhenceError) {
        let width = choices.isRaw ? model.rawOutputCount : model.outputCount
        let answers =
            choices.isRaw
            ? try model.predictRaw(features, rows: count, iterations: choices.iterations, threads: choices.threads)
            : try model.predict(features, rows: count, iterations: choices.iterations, threads: choices.threads)
        for output in 0..<width {
            let isText = model.isText(output: output)
            let isWhole = model.isWhole(output: output)
            for row in 0..<count {
                let value = answers[row * width + output]
                if isText {
                    if let text = model.text(output: output, value) {
                        try builders[output].append(.string(text))
                    } else {
                        builders[output].appendNull()
                    }
                } else if isWhole {
                    if let whole = Int64(exactly: value) { builders[output].append(fixed: whole) } else { builders[output].appendNull() }
                } else {
                    builders[output].append(fixed: value)
                }
            }
        }
        var next = width
        if choices.leaves {
            let leaves = try model.leafIndices(features, rows: count, iterations: choices.iterations, threads: choices.threads)
            let trees = count > 0 ? leaves.count / count : 0
            for row in 0..<count { try builders[next].append(.list(leaves[(row * trees)..<((row + 1) * trees)].map { .int32($0) })) }
            next += 1
        }
        if choices.contributions {
            let shares = try model.contributions(features, rows: count, iterations: choices.iterations, threads: choices.threads)
            let each = count > 0 ? shares.count / count : 0
            for row in 0..<count {
                for index in 0..<each { builders[next + index].append(fixed: shares[row * each + index]) }
            }
        }
    }
}
