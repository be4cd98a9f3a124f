import WhenceCore

/// Reads what `CatBoost.save_model(format="json")` writes (`catboost/libs/model/model_export/json_model_helpers.cpp`).
struct CatBoostFileReader<Reader: DocumentReader & ~Copyable>: ~Copyable {
    private var reader: Reader
    private var file = CatBoostFile()
    /// Of the trees that were read behind the features.
    private var forest: CatBoostForest?
    private var hasFeatures = false
    private var nodeCount = 0
    private let limits: ModelLimits
    private let source: String

    private init(_ reader: consuming Reader, limits: ModelLimits, source: String) {
        self.reader = reader
        self.limits = limits
        self.source = source
    }

    static func read(
        _ reader: consuming Reader, limits: ModelLimits, source: String
    ) throws(WhenceError) -> (CatBoostFile, CatBoostForest?) {
        var reading = CatBoostFileReader(reader, limits: limits, source: source)
        try reading.readModel()
        return (reading.file, reading.forest)
    }

    private mutating func readModel() throws(WhenceError) {
        var hasTrees = false
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "features_info":
                try readFeatures()
                hasFeatures = true
            case "model_info": try readInfo()
            case "oblivious_trees":
                hasTrees = true
                try reader.beginArray()
                var number = 0
                while try reader.nextElement() {
                    try readSymmetricTree(number)
                    number += 1
                }
            case "trees":
                hasTrees = true
                try reader.beginArray()
                var number = 0
                while try reader.nextElement() {
                    try readTree(number)
                    number += 1
                }
            case "scale_and_bias": try readScale()
            default: try reader.skip()
            }
        }
        try reader.finish()
        guard hasTrees, hasFeatures else {
            throw reader.fault(
                "the model has no \(hasTrees ? "features_info" : "trees")", hint: "export it again with save_model(format='json')")
        }
        guard !file.hasSymmetric || !file.hasAsymmetric else { throw reader.fault("the model has trees of both kinds") }
        guard file.hasSymmetric || file.hasAsymmetric else {
            throw reader.fault("the model has no trees", hint: "was it saved before it was trained?")
        }
    }

    // MARK: Features

    private mutating func readFeatures() throws(WhenceError) {
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "float_features":
                try reader.beginArray()
                while try reader.nextElement() { try readFloatFeature() }
            case "categorical_features":
                try reader.beginArray()
                while try reader.nextElement() { try readCategoryFeature() }
            case "text_features", "embedding_features":
                try reader.beginArray()
                if try reader.nextElement() {
                    throw reader.fault(
                        .unknownFormat, "the model has \(key == "text_features" ? "text" : "embedding") features, which are not supported",
                        hint: "train it on numbers and categories")
                }
            default: try reader.skip()
            }
        }
    }

    private mutating func place(_ count: Int) throws(WhenceError) -> Int {
        guard count < limits.features else {
            throw reader.fault(.limitExceeded, "the model has more than \(limits.features) features", hint: "")
        }
        return try reader.int(in: 0...(limits.features - 1))
    }

    private mutating func readFloatFeature() throws(WhenceError) {
        var feature = CatBoostFile.FloatFeature()
        var index = file.floats.count
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "feature_id": feature.name = try reader.string()
            case "feature_index": index = try reader.int()
            case "flat_feature_index": feature.place = try place(file.floats.count)
            case "nan_value_treatment":
                let treatment = try reader.string()
                guard ["AsIs", "AsFalse", "AsTrue"].contains(treatment) else {
                    throw reader.fault(.unknownFormat, "the treatment of missing values '\(treatment)' is not known", hint: "")
                }
                feature.missingIsGreater = treatment == "AsTrue"
            default: try reader.skip()
            }
        }
        guard feature.place >= 0, index == file.floats.count else {
            throw reader.fault("float feature \(index) has no flat_feature_index, or is out of order")
        }
        file.floats.append(feature)
    }

    private mutating func readCategoryFeature() throws(WhenceError) {
        var feature = CatBoostFile.CategoryFeature()
        var index = file.categories.count
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "feature_id": feature.name = try reader.string()
            case "feature_index": index = try reader.int()
            case "flat_feature_index": feature.place = try place(file.categories.count)
            default: try reader.skip()
            }
        }
        guard feature.place >= 0, index == file.categories.count else {
            throw reader.fault("categorical feature \(index) has no flat_feature_index, or is out of order")
        }
        file.categories.append(feature)
    }

    // MARK: What the model is

    private mutating func readInfo() throws(WhenceError) {
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "class_params":
                guard try reader.kind() == .object else {
                    try reader.skip()
                    continue
                }
                try reader.beginObject()
                while let key = try reader.nextKey() {
                    if key == "class_names" { try readClassNames() } else { try reader.skip() }
                }
            case "params":
                guard try reader.kind() == .object else {
                    try readParametersInText()
                    continue
                }
                try readParameters()
            default: try reader.skip()
            }
        }
    }

    private mutating func readClassNames() throws(WhenceError) {
        try reader.beginArray()
        while try reader.nextElement() {
            guard file.classNames.count < limits.features else {
                throw reader.fault(.limitExceeded, "the model has too many classes", hint: "")
            }
            switch try reader.kind() {
            case .string: file.classNames.append(try reader.string())
            case .number:
                let number = try reader.double()
                file.classNames.append(Int(exactly: number).map { String($0) } ?? String(number))
            default: throw reader.fault("the name of a class is neither text nor a number")
            }
        }
    }

    private mutating func readParameters() throws(WhenceError) {
        try reader.beginObject()
        while let key = try reader.nextKey() {
            guard key == "loss_function", try reader.kind() == .object else {
                try reader.skip()
                continue
            }
            try reader.beginObject()
            while let key = try reader.nextKey() {
                if key == "type" { file.loss = try reader.string() } else { try reader.skip() }
            }
        }
    }

    /// Older versions write the parameters as a text that is JSON.
    private mutating func readParametersInText() throws(WhenceError) {
        guard try reader.kind() == .string else { return try reader.skip() }
        let text = try reader.string(bytesMax: 16 << 20)
        var inner = try CatBoostFileReader<JSONReader>(
            JSONReader(ModelStream(.bytes(Array(text.utf8), name: "params"), bytesMax: 16 << 20)), limits: limits, source: source)
        do throws(WhenceError) {
            try inner.readParameters()
        } catch {
            throw reader.fault("the parameters are no JSON: \(error)")
        }
        file.loss = inner.file.loss
    }

    private mutating func readScale() throws(WhenceError) {
        try reader.beginArray()
        guard try reader.nextElement() else { return }
        file.scale = try reader.double()
        guard try reader.nextElement() else { throw reader.fault("scale_and_bias has no bias") }
        if try reader.kind() == .number {
            file.bias = [try reader.double()]
        } else {
            try reader.doubles(into: &file.bias, max: limits.features)
        }
        guard try !reader.nextElement() else { throw reader.fault("scale_and_bias has more than two elements") }
        guard file.scale.isFinite, file.bias.allSatisfy({ $0.isFinite }) else { throw reader.fault("scale_and_bias is not finite") }
    }

    // MARK: Trees

    private mutating func countNodes(_ count: Int) throws(WhenceError) {
        nodeCount += count
        guard nodeCount <= limits.nodes else {
            throw reader.fault(
                .limitExceeded, "the model has more than \(limits.nodes) nodes", hint: "raise the limit if the model is really so large")
        }
        // What a value and a weight take here and a leaf when it is packed: no less than this.
        guard nodeCount <= limits.memoryBytes / 16 else { throw limits.memoryFault(reader.place) }
    }

    /// The forest that trees go into; the first of them says how many values a leaf has.
    private mutating func forest(outputs: Int) throws(WhenceError) -> CatBoostForest {
        if let forest { return forest }
        let made = try CatBoostForest(file, outputs: outputs, limits: limits, source: source)
        forest = made
        return made
    }

    private mutating func readSplit() throws(WhenceError) -> CatBoostFile.Split {
        var type = ""
        var (float, category, border, value) = (nil as Int?, nil as Int?, nil as Float?, nil as Int?)
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "split_type": type = try reader.string()
            case "float_feature_index": float = try reader.int()
            case "cat_feature_index": category = try reader.int()
            case "border": border = try reader.float()
            case "value": value = try reader.int()
            default: try reader.skip()
            }
        }
        switch type {
        case "FloatFeature":
            guard let float, let border, !border.isNaN else {
                throw reader.fault("a split on a float feature has no feature or border, or its border is NaN")
            }
            return .above(feature: float, border: border)
        case "OneHotFeature":
            guard let category, let value, let hash = Int32(exactly: value) else {
                throw reader.fault("a one-hot split has no feature or value")
            }
            return .isCategory(feature: category, hash: hash)
        case "OnlineCtr":
            throw reader.fault(
                .unknownFormat, "the model uses target statistics of categories (a split of the type OnlineCtr), which are not supported",
                hint: "train it with one_hot_max_size above the number of categories, or encode them yourself; simple_ctr does not help")
        default:
            throw reader.fault(.unknownFormat, "a split of the type '\(type)' is not supported", hint: "FloatFeature and OneHotFeature are")
        }
    }

    private mutating func readSymmetricTree(_ number: Int) throws(WhenceError) {
        var tree = CatBoostFile.SymmetricTree()
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "splits":
                try reader.beginArray()
                while try reader.nextElement() {
                    guard tree.splits.count < CatBoostFile.depthMax else {
                        throw reader.fault(.limitExceeded, "the tree is more than \(CatBoostFile.depthMax) deep", hint: "")
                    }
                    tree.splits.append(try readSplit())
                }
            case "leaf_values": try reader.doubles(into: &tree.values, max: limits.elements(limits.nodes, of: 16))
            case "leaf_weights": try reader.doubles(into: &tree.weights, max: limits.elements(limits.nodes, of: 16))
            default: try reader.skip()
            }
        }
        try countNodes(tree.splits.count + tree.values.count)
        guard !tree.values.isEmpty, tree.values.count % (1 << tree.splits.count) == 0 else {
            throw reader.fault(
                "a tree of \(tree.splits.count) splits has \(tree.values.count) leaf values", hint: "the file is damaged; export it again")
        }
        guard tree.weights.isEmpty || tree.weights.count == 1 << tree.splits.count else {
            throw reader.fault("a tree of \(tree.splits.count) splits has \(tree.weights.count) leaf weights")
        }
        file.hasSymmetric = true
        guard hasFeatures else { return file.symmetric.append(tree) }
        try forest(outputs: tree.outputs).add(tree, number: number)
    }

    /// A tree of nested objects, read with a stack of its own and not by recursion.
    private mutating func readTree(_ number: Int) throws(WhenceError) {
        var nodes = [CatBoostFile.Node()]
        var open = [0]
        try reader.beginObject()
        while let node = open.last {
            guard let key = try reader.nextKey() else {
                let isLeaf = nodes[node].split == nil
                guard
                    isLeaf
                        ? nodes[node].no < 0 && nodes[node].yes < 0 && !nodes[node].values.isEmpty
                        : nodes[node].no >= 0 && nodes[node].yes >= 0
                else { throw reader.fault("a node of the tree is neither a leaf with a value nor a split with two children") }
                open.removeLast()
                continue
            }
            switch key {
            case "left", "right":
                try countNodes(1)
                if key == "left" { nodes[node].no = nodes.count } else { nodes[node].yes = nodes.count }
                open.append(nodes.count)
                nodes.append(CatBoostFile.Node())
                try reader.beginObject()
            case "split": nodes[node].split = try readSplit()
            case "value":
                if try reader.kind() == .number {
                    nodes[node].values = [try reader.double()]
                } else {
                    try reader.doubles(into: &nodes[node].values, max: limits.features)
                }
            case "weight": nodes[node].weight = try reader.double()
            default: try reader.skip()
            }
        }
        file.hasAsymmetric = true
        guard hasFeatures else { return file.asymmetric.append(nodes) }
        try forest(outputs: nodes.first { $0.split == nil }?.values.count ?? 1).add(nodes, number: number)
    }
}
