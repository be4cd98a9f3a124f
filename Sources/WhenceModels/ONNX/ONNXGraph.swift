import WhenceCore

/// A graph of ONNX, planned and ready: immutable, and shared by threads without locks but for the pool of workspaces.
final class ONNXGraph: Sendable {
    /// One input tensor; its numbers are neighbours in a row of features.
    struct Input: Sendable {
        let name: String
        let type: ONNXFile.ElementType
        /// Dimensions behind that of the rows.
        let dims: [Int]
        let width: Int
        let place: Int

        /// What number `index` of it is called as a feature.
        func feature(_ index: Int) -> String { width == 1 ? name : "\(name)[\(index)]" }

        /// The numbers that stand for its elements, where those are whole; nil for others. Beyond 2^53 a double may stand for several whole
        /// numbers, 2^53 for two.
        var wholes: ClosedRange<Double>? {
            switch type {
            case .float, .double, .string: nil
            case .bool: 0...1
            case .int8: -0x80...0x7f
            case .uint8: 0...0xff
            case .int32: -0x1p31...0x1p31 - 1
            case .int64: -0x1p53 + 1...0x1p53 - 1
            }
        }
    }

    /// One output tensor.
    struct Output: Sendable {
        let name: String
        let type: ONNXFile.ElementType
        let width: Int
        let place: Int
        /// What its numbers are called, such as the classes; empty where that is not known.
        let labels: [String]
    }

    let inputs: [Input]
    let outputs: [Output]
    /// Numbers that a row of features and a row of answers have.
    let featureCount: Int
    let outputCount: Int
    /// Texts by their codes.
    let texts: [String]
    let producer: String
    let opsets: [String: Int]
    /// How many nodes there are of each operator.
    let operators: [String: Int]
    let codes: [String: Int]
    private let steps: [GraphStep]
    private let constants: GraphConstants
    private let numbersPerRow: Int
    /// Rows that are taken through the graph at once.
    let blockRows: Int
    private let spare = SparePool<GraphWorkspace>(max: 64)

    /// Memory of one workspace that a block of rows is cut to.
    private static let workspaceBytes = 256 << 10

    init(
        file: ONNXFile, inputs: [Input], outputs: [Output], steps: [GraphStep], constants: GraphConstants, numbersPerRow: Int,
        texts: [String],
        codes: [String: Int]
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.steps = steps
        self.constants = constants
        self.numbersPerRow = numbersPerRow
        self.texts = texts
        self.codes = codes
        featureCount = inputs.reduce(0) { $0 + $1.width }
        outputCount = outputs.reduce(0) { $0 + $1.width }
        producer = [file.producer, file.producerVersion].filter { !$0.isEmpty }.joined(separator: " ")
        opsets = file.opsets
        operators = file.nodes.reduce(into: [:]) { $0[$1.op, default: 0] += 1 }
        blockRows = max(1, min(256, ONNXGraph.workspaceBytes / 8 / max(1, numbersPerRow)))
    }

    /// Bytes that the weights take, and one workspace.
    var memoryBytes: Int { constants.count * 8 + numbersPerRow * blockRows * 8 + trees.reduce(0) { $0 + $1.memoryBytes } }

    /// The ensembles of trees in the graph.
    var trees: [GraphTrees] {
        steps.compactMap { if case .trees(let trees, _, _, _) = $0 { trees } else { nil } }
    }

    /// The code that stands for a text among the features; -1 for one that the model does not know.
    func code(_ text: String) -> Double { codes[text].map { Double($0) } ?? -1 }

    /// Predicts `rows` rows. Allocates nothing once as many threads have predicted before as do now.
    ///
    /// - Parameters:
    ///   - features: rows one behind the other, each with the numbers of every input in order; NaN is missing, a text is its code.
    ///   - first: what the first of them is called in errors, counted from 0.
    ///   - answers: room for every output of every row in order; a text is its code.
    /// - Throws: `invalidValue` where a row holds what the model refuses, such as a category that it does not know, or a number that its type of
    ///   whole numbers does not have.
    func predict(_ features: Span<Double>, rows: Int, first: Int = 0, into answers: inout MutableSpan<Double>) throws(WhenceError) {
        precondition(features.count == rows * featureCount && answers.count >= rows * outputCount)
        let workspace = spare.take() ?? GraphWorkspace(numbersPerRow: numbersPerRow, rowsMax: blockRows)
        defer { spare.giveBack(workspace) }
        var start = 0
        while start < rows {
            let count = min(blockRows, rows - start)
            try load(features, start, count, first, workspace)
            for index in steps.indices {
                guard GraphKernels.run(steps[index], workspace, constants, rows: count) else {
                    throw refusal(steps[index], first + start, count)
                }
            }
            store(workspace, start, count, &answers)
            start += count
        }
    }

    private func load(
        _ features: Span<Double>, _ start: Int, _ count: Int, _ called: Int, _ workspace: GraphWorkspace
    ) throws(WhenceError) {
        var first = 0
        for place in inputs.indices {
            let input = inputs[place]
            let region = unsafe workspace.region(input.place, input.width)
            if let wholes = input.wholes {
                for row in 0..<count {
                    for index in 0..<input.width {
                        let value = features[(start + row) * featureCount + first + index]
                        guard wholes.contains(value), value == value.rounded(.towardZero) else {
                            throw noWhole(value, input, index, row: called + start + row)
                        }
                        // A whole number has no negative zero.
                        unsafe region[row * input.width + index] = value + 0
                    }
                }
            } else {
                let rounding = GraphPlanner.rounding(input.type)
                for row in 0..<count {
                    for index in 0..<input.width {
                        let value = features[(start + row) * featureCount + first + index]
                        unsafe region[row * input.width + index] = GraphKernels.cast(value, rounding)
                    }
                }
            }
            first += input.width
        }
    }

    private func noWhole(_ value: Double, _ input: Input, _ index: Int, row: Int) -> WhenceError {
        let what = value.isNaN ? "a missing value" : Int(exactly: value).map { String($0) } ?? String(value)
        let takes =
            switch input.type {
            case .bool: "0 and 1 (bool)"
            case .int64: "whole numbers below 2^53 (int64)"
            default: "whole numbers of its type (\(input.type.name))"
            }
        return WhenceError(
            .invalidValue, "row \(row + 1) has \(what), where the model takes \(takes)", place: "feature \(input.feature(index))",
            hint: value.isNaN
                ? "fill in what is missing before scoring, or export the model with an input of floats, which may be missing"
                : "give such a number, or export the model with an input of floats")
    }

    private func store(_ workspace: GraphWorkspace, _ start: Int, _ count: Int, _ answers: inout MutableSpan<Double>) {
        var first = 0
        for place in outputs.indices {
            let output = outputs[place]
            let region = unsafe workspace.region(output.place, output.width)
            for row in 0..<count {
                for index in 0..<output.width {
                    answers[(start + row) * outputCount + first + index] = unsafe region[row * output.width + index]
                }
            }
            first += output.width
        }
    }

    private func refusal(_ step: GraphStep, _ start: Int, _ count: Int) -> WhenceError {
        let rows = count == 1 ? "row \(start + 1)" : "rows \(start + 1) to \(start + count)"
        switch step {
        case .oneHot(_, _, _, _, _, _, _, let name):
            return WhenceError(
                .invalidValue, "a category in \(rows) is unknown to the model, which refuses such rows", place: name,
                hint: "score rows of known categories, or train the encoder with handle_unknown='ignore'")
        case .index(_, _, _, _, let name):
            return WhenceError(.invalidValue, "an index in \(rows) is out of range", place: name)
        default: return WhenceError(.invalidValue, "the model refuses \(rows)")
        }
    }
}
