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
                hint: "the model has \(all) iteration\(all == 1 ? "" : "s"), counted from 0")
        }
        return asked
    }

    func check(_ features: Int, _ rows: Int, _ room: Int, _ due: Int) throws(WhenceError) {
        guard rows >= 0, features == rows * featureCount else {
            throw WhenceError(
                .invalidArgument, "\(rows) rows of \(featureCount) features are \(rows * featureCount) numbers, and there are \(features)")
        }
        guard room >= due else { throw WhenceError(.invalidArgument, "there is room for \(room) answers, and there are \(due)") }
    }

    /// Raw predictions (margins): sums of leaves, before the objective's transform.
    ///
    /// Allocates nothing with one thread, once as many threads have predicted before as do now.
    ///
    /// - Parameters:
    ///   - features: rows one behind the other, `featureCount` numbers each; NaN is missing.
    ///   - iterations: which iterations to add; nil for those that the library's own `predict` uses.
    ///   - threads: how many threads may work on the rows; the answers are the same to the bit.
    ///   - answers: room for `rawOutputCount` numbers a row.
    public func predictRaw(
        _ features: Span<Double>, rows: Int, iterations asked: Range<Int>? = nil, threads: Int = 1, into answers: inout MutableSpan<Double>
    ) throws(WhenceError) {
        try check(features.count, rows, answers.count, rows * rawOutputCount)
        let range = try iterations(asked)
        try RowShares.run(
            features, width: featureCount, rows: rows, threads: threads, answersPerRow: rawOutputCount, into: &answers
        ) { (features, rows, first, answers) throws(WhenceError) in
            try addRaw(features, rows, first, range, &answers)
        }
    }

    /// Raw sums of rows whose number is checked; `first` is the number of the first of them.
    private func addRaw(
        _ features: Span<Double>, _ rows: Int, _ first: Int, _ range: Range<Int>, _ answers: inout MutableSpan<Double>
    ) throws(WhenceError) {
        switch body {
        case .forest(let forest): forest.predictRaw(features, rows: rows, iterations: range, into: &answers)
        case .linear(let linear): linear.predictRaw(features, rows: rows, into: &answers)
        case .terms(let linear): linear.predictRaw(features, rows: rows, into: &answers)
        case .graph(let graph): try graph.predict(features, rows: rows, first: first, into: &answers)
        }
    }

    /// Predictions as the library's `predict` answers them. As `predictRaw`, with room for `outputCount` numbers a row.
    public func predict(
        _ features: Span<Double>, rows: Int, iterations asked: Range<Int>? = nil, threads: Int = 1, into answers: inout MutableSpan<Double>
    ) throws(WhenceError) {
        try check(features.count, rows, answers.count, rows * outputCount)
        let range = try iterations(asked)
        let width = rawOutputCount
        try RowShares.run(features, width: featureCount, rows: rows, threads: threads, answersPerRow: outputCount, into: &answers) {
            (features, rows, first, answers) throws(WhenceError) in
            guard outputCount < width else {
                try addRaw(features, rows, first, range, &answers)
                transform(&answers, rows: rows, width: width, iterations: range.count)
                return
            }
            // Raw sums have more numbers than their answers: they are made a block at a time.
            let block = spare.take() ?? RawBlock(count: width * rawRows)
            defer { spare.giveBack(block) }
            for start in stride(from: 0, to: rows, by: rawRows) {
                let count = min(rawRows, rows - start)
                var raw = block.numbers(count * width)
                let own = features.extracting((start * featureCount)..<((start + count) * featureCount))
                try addRaw(own, count, first + start, range, &raw)
                transform(&raw, rows: count, width: width, iterations: range.count)
                for row in 0..<count { answers[start + row] = raw[row * width] }
            }
        }
    }

    /// Rows of a block of raw sums.
    private var rawRows: Int { max(1, min(256, (1 << 16) / max(1, rawOutputCount))) }

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
    public func predict(
        _ features: [Double], rows: Int, iterations: Range<Int>? = nil, threads: Int = 1
    ) throws(WhenceError) -> [Double] {
        var answers = Array(repeating: 0.0, count: max(0, rows) * outputCount)
        var span = answers.mutableSpan
        try predict(features.span, rows: rows, iterations: iterations, threads: threads, into: &span)
        return answers
    }

    /// As the other `predictRaw`, into a new array.
    public func predictRaw(
        _ features: [Double], rows: Int, iterations: Range<Int>? = nil, threads: Int = 1
    ) throws(WhenceError) -> [Double] {
        var answers = Array(repeating: 0.0, count: max(0, rows) * rawOutputCount)
        var span = answers.mutableSpan
        try predictRaw(features.span, rows: rows, iterations: iterations, threads: threads, into: &span)
        return answers
    }
}
