import WhenceCore

/// Reads XGBoost's models in JSON and UBJSON, as `save_model` writes them (`doc/model.schema`, `src/tree/tree_model.cc`).
struct XGBoostReader<Reader: DocumentReader & ~Copyable>: ~Copyable {
    private var reader: Reader
    private let format: ModelFormat
    private let limits: ModelLimits
    private let source: String

    private var version: [Int] = []
    private var booster = ""
    private var objective: String?
    private var baseScore: [Float]?
    private var classes = 0
    private var targets = 1
    private var featureCount: Int?
    private var names: [String] = []
    private var types: [String] = []
    private var bestIteration: Int?
    /// Trees are packed as they come; what concerns all of them stands behind them in the file.
    private var builder: TreeBuilder
    private var tree = XGBoostTree()
    private var form = TreeForm()
    private var hasModel = false
    private var treeInfo: [Int32] = []
    private var starts: [Int32] = []
    private var parallelTrees = 1
    private var announcedTrees: Int?
    private var weightDrop: [Float] = []
    private var weights: [Float] = []
    /// By feature, where the file has them.
    private var categories: [XGBoostCategories] = []

    private init(_ reader: consuming Reader, _ format: ModelFormat, _ limits: ModelLimits, _ source: String) throws(WhenceError) {
        builder = try TreeBuilder(
            ForestSettings(featureCount: limits.features, outputs: limits.outputs, precision: .float), limits: limits, source: source,
            settlesLater: true)
        self.reader = reader
        self.format = format
        self.limits = limits
        self.source = source
    }

    static func read(
        _ reader: consuming Reader, _ format: ModelFormat, limits: ModelLimits, source: String
    ) throws(WhenceError) -> Model {
        var reading = try XGBoostReader(reader, format, limits, source)
        try reading.readDocument()
        return try reading.model()
    }

    // MARK: The document

    private mutating func readDocument() throws(WhenceError) {
        var hasLearner = false
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "learner":
                hasLearner = true
                try readLearner()
            case "version":
                try reader.beginArray()
                while try reader.nextElement() {
                    guard version.count < 8 else { throw reader.tooMany(8) }
                    version.append(try reader.int())
                }
            default: try reader.skip()
            }
        }
        try reader.finish()
        guard hasLearner else { throw reader.fault("the document has no 'learner'", hint: "this is no model that XGBoost saved") }
    }

    private mutating func readLearner() throws(WhenceError) {
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "attributes": try readAttributes()
            case "feature_names": names = try strings()
            case "feature_types": types = try strings()
            case "gradient_booster": try readBooster()
            case "learner_model_param":
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    switch key {
                    case "base_score": baseScore = try XGBoostNumber.floats(&reader)
                    case "num_class": classes = try XGBoostNumber.int(&reader, in: 0...limits.outputs)
                    case "num_target": targets = try XGBoostNumber.int(&reader, in: 0...limits.outputs)
                    case "num_feature": featureCount = try XGBoostNumber.int(&reader, in: 0...limits.features)
                    default: try reader.skip()
                    }
                }
            case "objective":
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    if key == "name" { objective = try reader.string(bytesMax: 1024) } else { try reader.skip() }
                }
            default: try reader.skip()
            }
        }
    }

    private mutating func readAttributes() throws(WhenceError) {
        try reader.beginObject()
        while let key = try reader.nextKey() {
            if key == "best_iteration" {
                bestIteration = try XGBoostNumber.int(&reader, in: 0...limits.trees)
            } else {
                try reader.skip()
            }
        }
    }

    private mutating func strings() throws(WhenceError) -> [String] {
        var strings: [String] = []
        try reader.beginArray()
        while try reader.nextElement() {
            guard strings.count < limits.features else { throw reader.tooMany(limits.features) }
            strings.append(try reader.string(bytesMax: 1 << 16))
        }
        return strings
    }

    private mutating func readBooster() throws(WhenceError) {
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "name": booster = try reader.string(bytesMax: 1024)
            case "model": try readModel()
            case "gbtree":
                // DART keeps its trees in a booster of its own.
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    if key == "model" { try readModel() } else { try reader.skip() }
                }
            case "weight_drop": try reader.floats(into: &weightDrop, max: limits.trees)
            default: try reader.skip()
            }
        }
    }

    private mutating func readModel() throws(WhenceError) {
        guard !hasModel else { throw reader.fault("there are two models in the booster") }
        hasModel = true
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "gbtree_model_param":
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    switch key {
                    case "num_parallel_tree": parallelTrees = max(1, try XGBoostNumber.int(&reader, in: 0...limits.trees))
                    case "num_trees": announcedTrees = try XGBoostNumber.int(&reader, in: 0...limits.trees)
                    default: try reader.skip()
                    }
                }
            case "tree_info": try reader.ints(into: &treeInfo, max: limits.trees)
            case "iteration_indptr": try reader.ints(into: &starts, max: limits.trees + 1)
            case "trees":
                try reader.beginArray()
                while try reader.nextElement() {
                    guard builder.trees.count < limits.trees else { throw reader.tooMany(limits.trees) }
                    try tree.read(&reader, limits)
                    let place = XGBoostTree.place(builder.trees.count)
                    try tree.fill(&form, &builder, place: place)
                    try builder.add(form, place: place)
                }
            case "weights": try reader.floats(into: &weights, max: limits.elements(limits.nodes, of: 8))
            case "cats":
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    guard key == "enc" else {
                        try reader.skip()
                        continue
                    }
                    try reader.beginArray()
                    while try reader.nextElement() {
                        guard categories.count < limits.features else { throw reader.tooMany(limits.features) }
                        categories.append(try XGBoostCategories(&reader, limits))
                    }
                }
            default: try reader.skip()
            }
        }
    }

    // MARK: The model

    private func fault(
        _ message: String, _ code: WhenceError.Code = .malformedInput, at path: String = "",
        hint: String = "the file is damaged; save the model again"
    )
        -> WhenceError
    {
        WhenceError(code, message, place: path.isEmpty ? source : "\(source), \(path)", hint: hint)
    }

    private mutating func model() throws(WhenceError) -> Model {
        // Without them XGBoost refuses a file, too: a guess would be a wrong prediction.
        guard let objective else { throw fault("the model does not say its objective", at: "learner.objective.name") }
        guard let baseScore else { throw fault("the model does not say its base score", at: "learner.learner_model_param.base_score") }
        guard let (transform, link) = XGBoostObjective.of(objective) else {
            throw fault(
                "the objective '\(objective.prefix(80))' is not known", .unknownFormat, at: "learner.objective.name",
                hint: "docs/models.md lists the objectives that are"
            )
        }
        guard let features = featureCount else { throw fault("'learner_model_param' has no 'num_feature'") }
        let outputs = max(1, classes, targets)
        var base: [Float] = []
        for score in baseScore {
            guard let margin = XGBoostObjective.margin(score, link) else {
                throw fault("the base score \(score) is out of range for the objective \(objective)")
            }
            base.append(margin)
        }
        if base.count == 1 { base = Array(repeating: base[0], count: outputs) }
        guard base.count == outputs else { throw fault("'base_score' has \(base.count) numbers for \(outputs) outputs") }
        let body: Model.Body
        switch booster {
        case "gbtree", "dart": body = .forest(try forest(features, outputs, base))
        case "gblinear":
            guard weights.count == (features + 1) * outputs else {
                throw fault("there are \(weights.count) weights, for \(features) features, a bias and \(outputs) outputs")
            }
            let doubles = weights.map { Double($0) }
            // XGBoost 3.2 adds the first base score to every output here, also where it has one for each (`gblinear.cc`).
            base = Array(repeating: base[0], count: outputs)
            body = .linear(
                LinearScorer(
                    features: features, outputs: outputs, weights: Array(doubles[..<(features * outputs)]),
                    bias: Array(doubles[(features * outputs)...]), base: base.map { Double($0) }, isFloat: true))
        default: throw fault("the booster '\(booster.prefix(80))' is not known", .unknownFormat, hint: "gbtree, dart and gblinear are")
        }
        var description = Model.Description(
            format: format, library: "XGBoost " + version.map { "\($0)" }.joined(separator: "."), objective: objective)
        description.booster = booster
        description.transform = transform
        description.transformsInFloat = true
        description.features = try describeFeatures(features, body)
        description.bestIterations = bestIteration.map { $0 + 1 }
        let spoiled = categories.indices.filter { categories[$0].isSpoiled }.map { description.features[$0].name }
        if !spoiled.isEmpty {
            let names = spoiled.prefix(8).joined(separator: ", ") + (spoiled.count > 8 ? ", …" : "")
            description.notes.append(
                (
                    key: "categories",
                    text: "XGBoost has spoiled the texts of \(names), which are not all ASCII: give their numbers (.cat.codes)"
                ))
        }
        return Model(body, description)
    }

    private mutating func forest(_ features: Int, _ outputs: Int, _ base: [Float]) throws(WhenceError) -> Forest {
        let count = builder.trees.count
        guard treeInfo.count == count, announcedTrees ?? count == count else {
            throw fault("there are \(count) trees, \(treeInfo.count) in 'tree_info', and 'num_trees' says \(announcedTrees ?? 0)")
        }
        guard weightDrop.isEmpty || weightDrop.count == count else {
            throw fault("there are \(weightDrop.count) weights in 'weight_drop' for \(count) trees")
        }
        var settings = ForestSettings(featureCount: features, outputs: outputs, precision: .float)
        settings.base = base.map { Double($0) }
        settings.iterationStarts = starts.map { Int($0) }
        settings.treesPerIteration = outputs * parallelTrees
        try builder.settle(settings, outputs: treeInfo, weights: weightDrop, place: XGBoostTree.place)
        return try builder.finish()
    }

    private func describeFeatures(_ count: Int, _ body: Model.Body) throws(WhenceError) -> [ModelFeature] {
        guard names.isEmpty || names.count == count, types.isEmpty || types.count == count else {
            throw fault("there are \(names.count) names and \(types.count) types of features, and \(count) features")
        }
        guard categories.isEmpty || categories.count == count else {
            throw fault("'cats' has the categories of \(categories.count) features, and there are \(count)")
        }
        var unique: Set<String> = []
        for name in names where !unique.insert(name).inserted {
            throw fault(
                "two features are named '\(name.prefix(80))'", hint: "columns are found by their names: train with names that differ")
        }
        var used = Array(repeating: true, count: count)
        if case .forest(let forest) = body { used = forest.splitCounts.map { $0 > 0 } }
        return (0..<count).map { index in
            ModelFeature(
                name: names.isEmpty ? "f\(index)" : names[index], kind: !types.isEmpty && types[index] == "c" ? .category : .number,
                values: categories.isEmpty ? [] : categories[index].values, isUsed: used[index])
        }
    }
}

extension XGBoostReader where Reader == JSONReader {
    static func readJSON(_ source: ModelSource, limits: ModelLimits) throws(WhenceError) -> Model {
        let reader = try JSONReader(ModelStream(source, bytesMax: limits.fileBytes))
        return try read(reader, .xgboostJSON, limits: limits, source: source.name)
    }
}

extension XGBoostReader where Reader == UBJSONReader {
    static func readUBJSON(_ source: ModelSource, limits: ModelLimits) throws(WhenceError) -> Model {
        let reader = UBJSONReader(try ModelStream(source, bytesMax: limits.fileBytes))
        return try read(reader, .xgboostUBJSON, limits: limits, source: source.name)
    }
}
