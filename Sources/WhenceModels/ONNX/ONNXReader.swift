import WhenceCore

/// Makes a model of an ONNX file: its inputs become features, its outputs answers.
enum ONNXReader {
    static func read(_ source: ModelSource, limits: ModelLimits) throws(WhenceError) -> Model {
        let file = try ONNXFileReader.read(
            ModelStream(source, bytesMax: limits.fileBytes), elementsMax: limits.elements(limits.nodes, of: 8))
        let graph = try GraphPlanner.plan(file, source: source.name, limits: limits)
        guard graph.featureCount <= limits.features, graph.outputCount <= limits.outputs else {
            throw WhenceError(
                .limitExceeded, "the model has \(graph.featureCount) features and \(graph.outputCount) outputs", place: source.name,
                hint: "at most \(limits.features) features and \(limits.outputs) outputs can be read")
        }
        guard graph.memoryBytes <= limits.memoryBytes else { throw limits.memoryFault(source.name) }
        var description = Model.Description(format: .onnx)
        description.library = graph.producer.isEmpty ? "ONNX" : "ONNX from \(graph.producer)"
        if !file.graphName.isEmpty { description.notes.append((key: "graph", text: file.graphName)) }
        description.features = graph.inputs.flatMap { input in
            (0..<input.width).map { index in
                ModelFeature(name: input.feature(index), kind: input.type == .string ? .text : .number)
            }
        }
        var names: Set<String> = []
        for feature in description.features where !names.insert(feature.name).inserted {
            throw WhenceError(
                .malformedInput, "two features are named '\(feature.name.prefix(80))'", place: "\(source.name), graph.input",
                hint: "columns are found by their names: name the inputs otherwise")
        }
        description.textCodes = .shared(graph.codes)
        description.outputNames = graph.outputs.flatMap { output in
            (0..<output.width).map { index in
                if !output.labels.isEmpty { return "\(output.name).\(output.labels[index])" }
                return output.width == 1 ? output.name : "\(output.name)[\(index)]"
            }
        }
        description.outputTexts = graph.outputs.flatMap { output in
            Array(repeating: output.type == .string ? graph.texts : [], count: output.width)
        }
        description.outputIsWhole = graph.outputs.flatMap { output in
            Array(repeating: ![.float, .double, .string].contains(output.type), count: output.width)
        }
        let sets = graph.opsets.sorted { $0.key < $1.key }.map { "\($0.key.isEmpty ? "ai.onnx" : $0.key) \($0.value)" }
        description.notes.append((key: "operator sets", text: sets.joined(separator: ", ")))
        let operators = graph.operators.sorted { $0.key < $1.key }.map { $0.value == 1 ? $0.key : "\($0.key) (\($0.value))" }
        description.notes.append((key: "operators", text: operators.joined(separator: ", ")))
        return Model(.graph(graph), description)
    }
}
