import WhenceCore

/// What a prediction is made of: leaves, and what each feature adds.
extension Model {
    /// The leaf in which each row ends, tree by tree, as the library counts leaves. As `predictRaw`, with room for one number for each tree
    /// of `iterations` a row (see `leavesPerRow`).
    public func leafIndices(
        _ features: Span<Double>, rows: Int, iterations asked: Range<Int>? = nil, threads: Int = 1, into leaves: inout MutableSpan<Int32>
    ) throws(WhenceError) {
        guard case .forest(let forest) = body else { throw WhenceError(.invalidArgument, "a model without trees has no leaves") }
        let range = try iterations(asked)
        let trees = forest.treeRange(range).count
        try check(features.count, rows, leaves.count, rows * trees)
        try RowShares.run(features, width: featureCount, rows: rows, threads: threads, answersPerRow: trees, into: &leaves) {
            (features, rows, _, leaves) throws(WhenceError) in
            forest.leafIndices(features, rows: rows, iterations: range, into: &leaves)
        }
    }

    /// Trees of `iterations`: numbers that `leafIndices` has for a row.
    public func leavesPerRow(iterations asked: Range<Int>? = nil) throws(WhenceError) -> Int {
        guard case .forest(let forest) = body else { return 0 }
        return forest.treeRange(try iterations(asked)).count
    }

    /// As the other `leafIndices`, into a new array.
    public func leafIndices(
        _ features: [Double], rows: Int, iterations: Range<Int>? = nil, threads: Int = 1
    ) throws(WhenceError) -> [Int32] {
        var answers = Array(repeating: Int32(0), count: max(0, rows) * (try leavesPerRow(iterations: iterations)))
        var span = answers.mutableSpan
        try leafIndices(features.span, rows: rows, iterations: iterations, threads: threads, into: &span)
        return answers
    }

    /// What each feature contributed to each raw output (Shapley values: of trees along the paths of the training rows, as the libraries'
    /// `pred_contrib`), and behind them what is expected of any row; their sum is the raw output. As `predictRaw`, with room for
    /// `rawOutputCount * (featureCount + 1)` numbers a row.
    ///
    /// - Throws: `invalidArgument` for a model that has none (see `contributionsLack`).
    public func contributions(
        _ features: Span<Double>, rows: Int, iterations asked: Range<Int>? = nil, threads: Int = 1, into answers: inout MutableSpan<Double>
    ) throws(WhenceError) {
        if let contributionsLack {
            throw WhenceError(
                .invalidArgument, "this model cannot tell what its features contribute: \(contributionsLack)",
                hint: "contributions are there for linear models, and for trees with plain leaves whose file has the counts of rows")
        }
        let perRow = rawOutputCount * (featureCount + 1)
        try check(features.count, rows, answers.count, rows * perRow)
        let range = try iterations(asked)
        try RowShares.run(features, width: featureCount, rows: rows, threads: threads, answersPerRow: perRow, into: &answers) {
            (features, rows, _, answers) throws(WhenceError) in
            switch body {
            case .forest(let forest): forest.contributions(features, rows: rows, iterations: range, into: &answers)
            case .linear(let linear): linear.contributions(features, rows: rows, into: &answers)
            case .terms(let linear): linear.contributions(features, rows: rows, into: &answers)
            case .graph: break
            }
        }
    }

    /// As the other `contributions`, into a new array.
    public func contributions(
        _ features: [Double], rows: Int, iterations: Range<Int>? = nil, threads: Int = 1
    ) throws(WhenceError) -> [Double] {
        var answers = Array(repeating: 0.0, count: max(0, rows) * rawOutputCount * (featureCount + 1))
        var span = answers.mutableSpan
        try contributions(features.span, rows: rows, iterations: iterations, threads: threads, into: &span)
        return answers
    }

    /// How many splits of the model look at each feature.
    public var splitCounts: [Int] { if case .forest(let forest) = body { forest.splitCounts } else { [] } }
    /// What the splits on each feature won in training; empty where the file does not say.
    public var gains: [Double] { if case .forest(let forest) = body { forest.gains } else { [] } }
}
