import Testing
import WhenceCore

@testable import WhenceModels

/// Every fixture gives what onnxruntime gives: numbers within 1e-6 relative, labels exactly.
@Suite("ONNX agrees with onnxruntime") struct ONNXAgreementTests {
    static func graph(_ source: ModelSource) throws(WhenceError) -> ONNXGraph {
        let file = try ONNXFileReader.read(ModelStream(source, bytesMax: 1 << 28), elementsMax: 1 << 24)
        return try GraphPlanner.plan(file, source: source.name, limits: ModelLimits())
    }

    static func features(_ rows: [[Fixture.Cell]], _ graph: ONNXGraph) -> [Double] {
        rows.flatMap { row in
            row.map { cell in
                switch cell {
                case .number(let value): value
                case .text(let text): graph.code(text)
                }
            }
        }
    }

    static func predict(_ graph: ONNXGraph, _ features: [Double], rows: Int) throws -> [Double] {
        var answers = Array(repeating: Double.nan, count: rows * graph.outputCount)
        var span = answers.mutableSpan
        try graph.predict(features.span, rows: rows, into: &span)
        return answers
    }

    /// Operators that add up numbers of either sign in float, in an order of their own.
    static let sums: Set<String> = [
        "BatchNormalization", "Gemm", "LinearClassifier", "LinearRegressor", "MatMul", "ReduceMean", "ReduceSum",
    ]

    /// Whether `value` is what the library says, within 1e-6 of it. In a graph with sums: within 1e-6 of `scale`, for where terms cancel,
    /// the sums in float that onnxruntime makes are not better themselves (`exact` of some fixtures shows that ours are).
    static func agrees(_ value: Double, _ due: Double, scale: Double) -> Bool {
        if value.isNaN || due.isNaN { return value.isNaN && due.isNaN }
        if value == due { return true }
        return abs(value - due) <= 1e-6 * max(abs(due), scale)
    }

    /// Whether all that a graph does is to add up trees: then its answers equal onnxruntime's to the bit, as it makes them with one thread (as the
    /// fixtures are made), or of a single row and target.
    static func onlyAddsTrees(_ file: ONNXFile) -> Bool {
        let trees: Set<String> = ["TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"]
        return file.nodes.contains { trees.contains($0.op) }
            && file.nodes.allSatisfy { node in
                let transform = node.attributes.first { $0.name == "post_transform" }
                let isPlain = (transform?.string ?? "NONE") == "NONE" && (transform?.int ?? 0) == 0
                return isPlain && (trees.contains(node.op) || ["Cast", "Identity", "ZipMap"].contains(node.op))
            }
    }

    @Test("as it was made", arguments: Fixture.names("onnx", suffix: ".onnx"))
    func agreement(name: String) throws {
        let fixture = try Fixture("onnx", name, suffix: ".onnx")
        let graph = try ONNXAgreementTests.graph(.file(fixture.path))
        let features = ONNXAgreementTests.features(fixture.rows, graph)
        let answers = try ONNXAgreementTests.predict(graph, features, rows: fixture.rows.count)
        let file = try ONNXFileReader.read(ModelStream(.file(fixture.path), bytesMax: 1 << 28), elementsMax: 1 << 24)
        let isExact = ONNXAgreementTests.onlyAddsTrees(file)
        if name == "forest_regression" || name == "boosting_regression" { #expect(isExact) }
        let hasSums = graph.operators.keys.contains { ONNXAgreementTests.sums.contains($0) }
        var first = 0
        for output in graph.outputs {
            let due = try #require(fixture.tables[output.name])
            for row in due.indices {
                #expect(due[row].count == output.width)
                // The greatest number of the row, or 1; without sums the number itself, and the least that a float tells from 0.
                let scale =
                    hasSums
                    ? due[row].reduce(1) { max($0, $1.number.isFinite ? abs($1.number) : 0) } : Double(Float.leastNonzeroMagnitude) * 1e6
                // Where they are known, the terms of a sum say by how much one in float is off.
                let sizes = fixture.tables["sizes"]?[row].map(\.number)
                for index in due[row].indices {
                    let scale = sizes?[index] ?? scale
                    let answer = answers[row * graph.outputCount + first + index]
                    switch due[row][index] {
                    case .number(let value):
                        #expect(
                            isExact
                                ? answer == value || answer.isNaN && value.isNaN : ONNXAgreementTests.agrees(answer, value, scale: scale),
                            "\(output.name)[\(index)] of row \(row), \(fixture.rows[row]): \(answer), and onnxruntime has \(value)")
                    case .text(let text): #expect(answer >= 0 && graph.texts[Int(answer)] == text, "row \(row)")
                    }
                }
            }
            first += output.width
        }
        guard let exact = fixture.tables["exact"]?.flatMap({ $0.map(\.number) }) else { return }
        try #require(exact.count == answers.count)
        for (index, pair) in zip(answers, exact).enumerated() {
            #expect(abs(pair.0 - pair.1) <= Double(Float(pair.1).ulp), "exact sum \(index): \(pair.0) and not \(pair.1)")
        }
    }

    @Test("there are fixtures") func fixtures() { #expect(Fixture.names("onnx", suffix: ".onnx").count >= 45) }

    @Test("rows do not depend on how many there are at once", arguments: ["lightgbm_three", "network_operators", "encoders"])
    func blocks(name: String) throws {
        let fixture = try Fixture("onnx", name, suffix: ".onnx")
        let graph = try ONNXAgreementTests.graph(.file(fixture.path))
        let rows = (0..<700).map { fixture.rows[$0 % fixture.rows.count] }
        let features = ONNXAgreementTests.features(rows, graph)
        let whole = try ONNXAgreementTests.predict(graph, features, rows: rows.count)
        for row in rows.indices {
            let one = Array(features[(row * graph.featureCount)..<((row + 1) * graph.featureCount)])
            let answer = try ONNXAgreementTests.predict(graph, one, rows: 1)
            let same = whole[(row * graph.outputCount)..<((row + 1) * graph.outputCount)]
            #expect(answer.map(\.bitPattern) == same.map(\.bitPattern))
        }
    }

    @Test("an unknown category is refused where the model refuses it")
    func unknownCategory() throws {
        let fixture = try Fixture("onnx", "columns_error", suffix: ".onnx")
        let graph = try ONNXAgreementTests.graph(.file(fixture.path))
        var row = fixture.rows[0]
        row[2] = .text("Ulm")
        expectError(.invalidValue, "unknown to the model", "OneHotEncoder", "handle_unknown") {
            _ = try ONNXAgreementTests.predict(graph, ONNXAgreementTests.features([row], graph), rows: 1)
        }
    }
}
