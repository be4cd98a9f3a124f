import WhenceCore

/// Makes a forest of a CatBoost file.
///
/// CatBoost casts features to float, asks `x > border`, adds leaves in double from tree to tree, and then applies scale and
/// bias. Categories are compared by the low half of their hash; a row of features has instead the place of that hash among
/// those that the feature's rules know, so that it is exact as a float, too.
enum CatBoostReader {
    static func read(_ source: ModelSource, limits: ModelLimits) throws(WhenceError) -> Model {
        let reader = try JSONReader(ModelStream(source, bytesMax: limits.fileBytes))
        let (file, read) = try CatBoostFileReader.read(reader, limits: limits, source: source.name)
        let forest: CatBoostForest
        if let read { forest = read } else { forest = try CatBoostForest(file, limits: limits, source: source.name) }
        return try forest.model(file)
    }
}

/// The forest while trees come in: each is packed as soon as it was read, so that no more than one is held as the file says it.
final class CatBoostForest {
    private let floats: [CatBoostFile.FloatFeature]
    private let categories: [CatBoostFile.CategoryFeature]
    private let source: String
    private var builder: TreeBuilder
    private var features: [ModelFeature]
    private let outputs: Int
    /// The hashes that rules know, by the number of the categorical feature, and by the feature's place.
    private var codes: [[Int32: Int]]

    /// `file`: its features, which must be known; and the trees that were read before them, which `model` packs.
    init(_ file: CatBoostFile, outputs: Int? = nil, limits: ModelLimits, source: String) throws(WhenceError) {
        self.outputs = outputs ?? file.symmetric.first?.outputs ?? file.asymmetric.first?.first { $0.split == nil }?.values.count ?? 1
        let count = 1 + max(file.floats.map(\.place).max() ?? -1, file.categories.map(\.place).max() ?? -1)
        let settings = ForestSettings(featureCount: count, outputs: self.outputs, precision: .floatFeatures)
        builder = try TreeBuilder(settings, limits: limits, source: source)
        features = (0..<count).map { ModelFeature(name: String($0), isUsed: false) }
        codes = Array(repeating: [:], count: file.categories.count)
        floats = file.floats
        categories = file.categories
        self.source = source
        try nameFeatures()
    }

    private func nameFeatures() throws(WhenceError) {
        var taken: Set<Int> = []
        for (index, feature) in floats.enumerated() {
            guard taken.insert(feature.place).inserted else { throw twice("float feature \(index)") }
            features[feature.place] = ModelFeature(name: feature.name.isEmpty ? String(feature.place) : feature.name, isUsed: false)
        }
        for (index, feature) in categories.enumerated() {
            guard taken.insert(feature.place).inserted else { throw twice("categorical feature \(index)") }
            features[feature.place] = ModelFeature(
                name: feature.name.isEmpty ? String(feature.place) : feature.name, kind: .text, isUsed: false)
        }
        var names: Set<String> = []
        for feature in features where !names.insert(feature.name).inserted {
            throw WhenceError(
                .malformedInput, "two features are named '\(feature.name.prefix(80))'", place: "\(source), features_info",
                hint: "the file was changed; export it again")
        }
    }

    private func twice(_ what: String) -> WhenceError {
        WhenceError(
            .malformedInput, "two features have the same flat_feature_index", place: "\(source), features_info, \(what)",
            hint: "the file is damaged; export it again")
    }

    func model(_ file: CatBoostFile) throws(WhenceError) -> Model {
        for (index, tree) in file.symmetric.enumerated() { try add(tree, number: index) }
        for (index, nodes) in file.asymmetric.enumerated() { try add(nodes, number: index) }
        let base = file.bias.allSatisfy({ $0 == 0 }) ? [] : file.bias
        guard base.isEmpty || base.count == outputs else {
            throw WhenceError(.malformedInput, "there are \(base.count) biases for \(outputs) outputs", place: "\(source), scale_and_bias")
        }
        builder.settle(scale: file.scale, base: base)
        let forest = try builder.finish()
        var description = Model.Description(format: .catBoostJSON)
        description.library = "CatBoost"
        description.objective = file.loss
        description.booster = file.hasSymmetric ? "symmetric trees" : "non-symmetric trees"
        description.features = features
        description.transform = transform(file.loss)
        description.textCodes = .hashes(Dictionary(zip(categories.map(\.place), codes)) { first, _ in first })
        if outputs == file.classNames.count {
            description.outputNames = file.classNames
        } else if outputs == 1, file.classNames.count == 2 {
            description.outputNames = [file.classNames[1]]
        }
        if file.scale != 1 { description.notes.append(("scale", String(file.scale))) }
        return Model(.forest(forest), description)
    }

    /// What `predict` makes of raw sums for each loss function; for those that are not here it is the raw sum, also for
    /// LogLinQuantile.
    private func transform(_ loss: String) -> OutputTransform {
        switch loss {
        case "Logloss", "CrossEntropy", "Focal", "MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy": .sigmoid(scale: 1)
        case "MultiClass": .catBoostSoftmax
        case "Poisson", "Tweedie": .catBoostExponential
        case "RMSEWithUncertainty": .catBoostUncertainty
        default: .identity
        }
    }

    /// A rule that sends a row left where the answer to the question is no; for a category, where it is yes.
    private func rule(_ split: CatBoostFile.Split, _ place: String) throws(WhenceError) -> (TreeForm.Split, isExchanged: Bool) {
        switch split {
        case .above(let index, let border):
            guard floats.indices.contains(index) else { throw outOfRange("float", index, place) }
            let feature = floats[index]
            features[feature.place].isUsed = true
            let rule = TreeForm.Split(
                feature: Int32(feature.place), left: 0, right: 0, threshold: Double(border), rule: .lessOrEqual, missing: .nan,
                defaultLeft: !feature.missingIsGreater)
            return (rule, false)
        case .isCategory(let index, let hash):
            guard categories.indices.contains(index) else { throw outOfRange("categorical", index, place) }
            let feature = categories[index]
            features[feature.place].isUsed = true
            let next = codes[index].count
            let code = codes[index][hash] ?? next
            codes[index][hash] = code
            guard code < 1 << 24 else {
                throw WhenceError(.limitExceeded, "a feature has too many categories", place: "\(source), \(place)")
            }
            let rule = TreeForm.Split(
                feature: Int32(feature.place), left: 0, right: 0, threshold: Double(code), rule: .equal, missing: .nan,
                defaultLeft: false)
            return (rule, true)
        }
    }

    private func outOfRange(_ kind: String, _ index: Int, _ place: String) -> WhenceError {
        WhenceError(
            .malformedInput, "a split looks at \(kind) feature \(index), which is not among the features", place: "\(source), \(place)",
            hint: "the file is damaged; export it again")
    }

    func add(_ tree: CatBoostFile.SymmetricTree, number: Int) throws(WhenceError) {
        let place = "oblivious_trees[\(number)]"
        var form = TreeForm()
        // Bits of a leaf's number that mean the opposite once the sides of a split are exchanged.
        var exchanged = 0
        for (bit, split) in tree.splits.enumerated() {
            let (rule, isExchanged) = try rule(split, place)
            form.splits.append(rule)
            if isExchanged { exchanged |= 1 << bit }
        }
        let leaves = 1 << tree.splits.count
        guard tree.values.count == leaves * outputs else { throw uneven(place) }
        form.leafWidth = outputs
        form.leafValues.reserveCapacity(tree.values.count)
        for leaf in 0..<leaves {
            let own = leaf ^ exchanged
            form.leafValues.append(contentsOf: tree.values[(own * outputs)..<((own + 1) * outputs)])
            form.leafNames.append(Int32(own))
            if !tree.weights.isEmpty { form.leafCovers.append(tree.weights[own]) }
        }
        try builder.addSymmetric(form, place: place)
    }

    private func uneven(_ place: String) -> WhenceError {
        WhenceError(
            .malformedInput, "its leaves do not have \(outputs) values, as those of the trees before", place: "\(source), \(place)",
            hint: "the file is damaged; export it again")
    }

    func add(_ nodes: [CatBoostFile.Node], number: Int) throws(WhenceError) {
        let place = "trees[\(number)]"
        var form = TreeForm()
        form.leafWidth = outputs
        // Splits and leaves are numbered apart, in the order of the nodes; children stand behind their parents.
        var numbers: [Int32] = []
        var (splits, leaves) = (Int32(0), Int32(0))
        let hasWeights = nodes.allSatisfy { $0.split != nil || $0.weight != nil }
        for node in nodes {
            if node.split == nil {
                guard node.values.count == outputs else { throw uneven(place) }
                numbers.append(~leaves)
                leaves += 1
                form.leafValues.append(contentsOf: node.values)
                if hasWeights { form.leafCovers.append(node.weight ?? 0) }
            } else {
                numbers.append(splits)
                splits += 1
            }
        }
        for node in nodes {
            guard let split = node.split else { continue }
            var (rule, isExchanged) = try rule(split, place)
            rule.left = numbers[isExchanged ? node.yes : node.no]
            rule.right = numbers[isExchanged ? node.no : node.yes]
            form.splits.append(rule)
        }
        if hasWeights { form.splitCovers = covers(nodes) }
        try builder.add(form, place: place)
    }

    /// The training rows that came through each split: the sum of its children's.
    private func covers(_ nodes: [CatBoostFile.Node]) -> [Double] {
        var sums = nodes.map { $0.weight ?? 0 }
        for index in nodes.indices.reversed() where nodes[index].split != nil {
            sums[index] = sums[nodes[index].no] + sums[nodes[index].yes]
        }
        return nodes.indices.filter { nodes[$0].split != nil }.map { sums[$0] }
    }
}
