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
    /// Columns of the input that were looked at.
    private var known = 0
    private let columnsMayCome: Bool
    private var features: [Double] = []
    private(set) var rows = 0

    /// `columnsMayCome`: whether later rows may have columns that the first ones lack.
    init(_ model: Model, _ choices: Choices, place: String, columnsMayCome: Bool) {
        self.model = model
        self.choices = choices
        self.place = place
        self.columnsMayCome = columnsMayCome
    }

    // MARK: In

    /// What a column of text is to be read as for the model; nil where the model does not need it.
    static func columnType(_ model: Model, _ choices: Choices) -> (Int, String) -> FeatureType? {
        let byName = Dictionary(model.features.enumerated().map { ($1.name, $0) }) { first, _ in first }
        return { place, name in
            let index = choices.byPosition ? (place < model.featureCount ? place : nil) : byName[name]
            guard let index else { return nil }
            let feature = model.features[index]
            // What no rule looks at may be anything; in order it keeps its place.
            guard feature.isUsed else { return choices.byPosition ? .string : nil }
            return feature.kind == .text || !feature.values.isEmpty ? .string : .float64
        }
    }

    /// Looks for the model's features among `names`, the columns of a batch whose values were read, where they are not those of the batch before; `all` are
    /// the columns of the input so far. Returns what is worth a warning.
    private func find(_ names: [String], all: [String], firstRows: Int) throws(WhenceError) -> [WhenceError] {
        let isFirst = columns == nil
        if isFirst || names != self.names {
            self.names = names
            do throws(WhenceError) {
                columns = try FeatureColumns(model, columns: names, byPosition: choices.byPosition)
            } catch {
                throw error.at(place)
            }
        }
        let come = all.dropFirst(known)
        known = all.count
        var warnings: [WhenceError] = []
        if isFirst {
            for name in choices.keep where !all.contains(name) {
                throw WhenceError(
                    .invalidArgument, "the input has no column '\(name)'", place: "--keep", hint: "its columns are \(Score.list(all))")
            }
            warnings += try needed(all: all, firstRows: firstRows)
        }
        let used = Set(model.features.map(\.name)).union(choices.keep)
        let surplus =
            choices.byPosition
            ? come.dropFirst(isFirst ? model.featureCount : 0).filter { !choices.keep.contains($0) } : come.filter { !used.contains($0) }
        if !surplus.isEmpty {
            warnings.append(
                WhenceError(.invalidArgument, "the model has no use for these columns: \(Score.list(Array(surplus)))", place: place))
        }
        return warnings
    }

    /// Throws, or warns of, features that have no column.
    private func needed(all: [String], firstRows: Int) throws(WhenceError) -> [WhenceError] {
        let needed = model.features.indices.filter { columns?.hasColumn($0) == false && model.features[$0].isUsed }.map { index in
            model.features[index].name + (columns?.nearColumn(index, among: all).map { " (is it '\($0)'?)" } ?? "")
        }
        guard !needed.isEmpty else { return [] }
        let rows = columnsMayCome && firstRows >= Score.batchRows ? " in the first \(firstRows) rows" : ""
        guard choices.allowsMissing else {
            throw WhenceError(
                .invalidArgument,
                "\(needed.count.counted("feature")) of the model \(needed.count == 1 ? "has" : "have") no column\(rows): \(Score.list(needed))",
                place: place,
                hint: choices.byPosition
                    ? "the input has \(all.count.counted("column")), and the model \(model.featureCount.counted("feature")); use --allow-missing to score what is not there as missing"
                    : "the input's columns are \(Score.list(all)); rename them, or use --by-position, or --allow-missing to score them as missing"
            )
        }
        return [
            WhenceError(.invalidArgument, "these features have no column\(rows) and count as missing: \(Score.list(needed))", place: place)
        ]
    }

    /// Looks at the columns of an input that has no rows.
    func checkEmpty(_ all: [String], warn: (WhenceError) -> Void) throws(WhenceError) {
        guard columns == nil, !all.isEmpty else { return }
        let type = Score.columnType(model, choices)
        let names = all.enumerated().filter { type($0.offset, $0.element) != nil }.map(\.element)
        for warning in try find(names, all: all, firstRows: 0) { warn(warning) }
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

    /// Scores one batch into the columns of the answer, and warns through `warn` of what the columns show. `texts`: of columns that are both kept and a
    /// feature, what stands in the input.
    func score(
        _ batch: ColumnBatch, texts: [String: Column], all: [String], warn: (WhenceError) -> Void
    ) throws(WhenceError) -> ColumnBatch {
        for warning in try find(batch.names, all: all, firstRows: batch.count) { warn(warning) }
        guard let columns else { preconditionFailure("found above") }
        let keptColumns = choices.keep.compactMap { name in (texts[name] ?? batch.column(named: name)).map { (name, $0) } }
        let kept = keptColumns.map { TableColumn($0, $1.type) }
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
        var built = keptColumns.map(\.1)
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
