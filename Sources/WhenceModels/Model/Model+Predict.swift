import WhenceCore

extension Model {
    /// The iterations that a caller asked for, checked; nil stands for what the library itself uses.
    func iterations(_ asked: Range<Int>?) throws(WhenceError) -> Range<Int> {
        guard case .forest(let forest) = body else {
            guard asked == nil else { throw WhenceError(.invalidArgument, "a model without trees has no iterations to choose from") }
            return 0..<0
        }
        let all = forest.iterationCount
        guard let asked else { return 0..<min(all, description.defaultIterations ?? all) }
        guard asked.lowerBound >= 0, asked.upperBound <= all else {
            throw WhenceError(
                .invalidArgument, "there are no iterations \(asked.lowerBound) to \(asked.upperBound)",
                hint: "the model has \(all) iterations, counted from 0")
        }
        return asked
    }

    private func check(_ features: Int, _ rows: Int, _ room: Int, _ due: Int) throws(WhenceError) {
        guard rows >= 0, features == rows * featureCount else {
            throw WhenceError(
                .invalidArgument, "\(rows) rows of \(featureCount) features are \(rows * featureCount) numbers, and there are \(features)")
        }
        guard room >= due else { throw WhenceError(.invalidArgument, "there is room for \(room) answers, and there are \(due)") }
    }

    /// Raw predictions (margins): sums of leaves, before the objective's transform.
    ///
    /// - Parameters:
    ///   - features: rows one behind the other, `featureCount` numbers each; NaN is missing.
    ///   - iterations: which iterations to add; nil for those that the library's own `predict` uses.
    ///   - answers: room for `rawOutputCount` numbers a row.
    public func predictRaw(
        _ features: Span<Double>, rows: Int, iterations asked: Range<Int>? = nil, into answers: inout MutableSpan<Double>
    ) throws(WhenceError) {
        try check(features.count, rows, answers.count, rows * rawOutputCount)
        let range = try iterations(asked)
        switch body {
        case .forest(let forest): forest.predictRaw(features, rows: rows, iterations: range, into: &answers)
        case .linear(let linear): linear.predictRaw(features, rows: rows, into: &answers)
        case .terms(let linear): linear.predictRaw(features, rows: rows, into: &answers)
        case .graph(let graph): try graph.predict(features, rows: rows, into: &answers)
        }
    }

    /// Predictions as the library's `predict` answers them. As `predictRaw`, with room for `outputCount` numbers a row. Allocates
    /// only for a model whose transform leaves fewer numbers than it takes.
    public func predict(
        _ features: Span<Double>, rows: Int, iterations asked: Range<Int>? = nil, into answers: inout MutableSpan<Double>
    ) throws(WhenceError) {
        let width = rawOutputCount
        guard outputCount < width else {
            try predictRaw(features, rows: rows, iterations: asked, into: &answers)
            transform(&answers, rows: rows, width: width, iterations: try iterations(asked).count)
            return
        }
        try check(features.count, rows, answers.count, rows * outputCount)
        var raw = Array(repeating: 0.0, count: rows * width)
        var span = raw.mutableSpan
        try predictRaw(features, rows: rows, iterations: asked, into: &span)
        transform(&span, rows: rows, width: width, iterations: try iterations(asked).count)
        for row in 0..<rows { answers[row] = span[row * width] }
    }

    private func transform(_ answers: inout MutableSpan<Double>, rows: Int, width: Int, iterations: Int) {
        if case .forest(let forest) = body, forest.settings.averages, iterations > 0 {
            for index in 0..<(rows * width) { answers[index] /= Double(iterations) }
        }
        guard description.transform != .identity else { return }
        for row in 0..<rows {
            var one = answers._mutatingExtracting(row * width..<(row + 1) * width)
            if description.transformsInFloat {
                description.transform.applyFloat(&one)
            } else {
                description.transform.apply(&one)
            }
        }
    }

    /// As the other `predict`, into a new array.
    public func predict(_ features: [Double], rows: Int, iterations: Range<Int>? = nil) throws(WhenceError) -> [Double] {
        var answers = Array(repeating: 0.0, count: max(0, rows) * outputCount)
        var span = answers.mutableSpan
        try predict(features.span, rows: rows, iterations: iterations, into: &span)
        return answers
    }

    /// As the other `predictRaw`, into a new array.
    public func predictRaw(_ features: [Double], rows: Int, iterations: Range<Int>? = nil) throws(WhenceError) -> [Double] {
        var answers = Array(repeating: 0.0, count: max(0, rows) * rawOutputCount)
        var span = answers.mutableSpan
        try predictRaw(features.span, rows: rows, iterations: iterations, into: &span)
        return answers
    }

    /// The leaf in which each row ends, tree by tree, as the library counts leaves; trees of `iterations` a row.
    public func leafIndices(_ features: [Double], rows: Int, iterations asked: Range<Int>? = nil) throws(WhenceError) -> [Int32] {
        guard case .forest(let forest) = body else { throw WhenceError(.invalidArgument, "a model without trees has no leaves") }
        try check(features.count, rows, 0, 0)
        let range = try iterations(asked)
        var answers = Array(repeating: Int32(0), count: rows * forest.treeRange(range).count)
        var span = answers.mutableSpan
        forest.leafIndices(features.span, rows: rows, iterations: range, into: &span)
        return answers
    }

    /// What each feature contributed to each raw output (Shapley values: of trees along the paths of the training rows, as the libraries'
    /// `pred_contrib`), and behind them what is expected of any row; their sum is the raw output.
    ///
    /// - Returns: `rawOutputCount * (featureCount + 1)` numbers a row.
    /// - Throws: `invalidArgument` for a model that has none (see `hasContributions`).
    public func contributions(_ features: [Double], rows: Int, iterations asked: Range<Int>? = nil) throws(WhenceError) -> [Double] {
        guard hasContributions else {
            throw WhenceError(
                .invalidArgument, "this model cannot tell what its features contribute",
                hint: "contributions are there for linear models, and for trees with plain leaves whose file has the counts of rows")
        }
        try check(features.count, rows, 0, 0)
        let range = try iterations(asked)
        var answers = Array(repeating: 0.0, count: rows * rawOutputCount * (featureCount + 1))
        var span = answers.mutableSpan
        switch body {
        case .forest(let forest): forest.contributions(features.span, rows: rows, iterations: range, into: &span)
        case .linear(let linear): linear.contributions(features.span, rows: rows, into: &span)
        case .terms(let linear): linear.contributions(features.span, rows: rows, into: &span)
        case .graph: break
        }
        return answers
    }

    /// How many splits of the model look at each feature.
    public var splitCounts: [Int] { if case .forest(let forest) = body { forest.splitCounts } else { [] } }
    /// What the splits on each feature won in training; empty where the file does not say.
    public var gains: [Double] { if case .forest(let forest) = body { forest.gains } else { [] } }
}
