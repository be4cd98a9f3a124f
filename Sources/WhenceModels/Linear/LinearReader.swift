import WhenceCore

/// Makes a model of a linear model's file. Columns are the names of its features, each once, in the order of the file.
enum LinearReader {
    static func read(_ source: ModelSource, limits: ModelLimits) throws(WhenceError) -> Model {
        let stream = try ModelStream(source, bytesMax: limits.fileBytes)
        let file = try LinearFileReader.read(stream, limits: limits)
        var places: [String: Int] = [:]
        var features: [ModelFeature] = []
        var codes: [Int: [String: Int]] = [:]
        var terms: [LinearModel.Term] = []
        for term in file.terms {
            let place = places[term.name] ?? features.count
            if place == features.count {
                places[term.name] = place
                features.append(ModelFeature(name: term.name, kind: term.equals == nil ? .number : .text))
            }
            var equals: Double?
            if let text = term.equals {
                let code = codes[place]?.count ?? 0
                codes[place, default: [:]][text] = code
                equals = Double(code)
            }
            terms.append(
                LinearModel.Term(feature: place, equals: equals, mean: term.mean, scale: term.scale, missing: term.missing ?? .nan))
        }
        let model = LinearModel(
            featureCount: features.count, terms: terms, intercepts: file.outputs.map(\.intercept),
            coefficients: file.outputs.flatMap(\.coefficients))
        var description = Model.Description(format: .linearJSON)
        description.library = "a linear model"
        description.objective = file.link.rawValue
        description.features = features
        description.textCodes = .byFeature(codes)
        description.outputNames = file.outputs.enumerated().map { index, output in output.name.isEmpty ? "output_\(index)" : output.name }
        switch file.link {
        case .identity: description.transform = .identity
        case .logistic: description.transform = .sigmoid(scale: 1)
        case .softmax: description.transform = .softmax
        case .log: description.transform = .exponential
        }
        if !file.name.isEmpty { description.notes.append((key: "name", text: file.name)) }
        return Model(.terms(model), description)
    }
}
