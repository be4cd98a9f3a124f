import WhenceCore

/// Reads LightGBM's text format, as `Booster.save_model` writes it (`src/io/tree.cpp`, `src/boosting/gbdt_model_text.cpp`).
struct LightGBMReader: ~Copyable {
    private var lines: LightGBMLines
    private let limits: ModelLimits
    private let source: String
    private var header = LightGBMHeader()
    private var tree = LightGBMTree()
    private var form = TreeForm()

    static func read(_ source: ModelSource, limits: ModelLimits) throws(WhenceError) -> Model {
        var reader = LightGBMReader(try ModelStream(source, bytesMax: limits.fileBytes), limits, source.name)
        return try reader.model()
    }

    private init(_ stream: consuming ModelStream, _ limits: ModelLimits, _ source: String) {
        lines = LightGBMLines(stream)
        self.limits = limits
        self.source = source
    }

    private mutating func model() throws(WhenceError) -> Model {
        guard try lines.nextKey()?.hasSuffix("tree") == true, !lines.hasValue else {
            throw lines.fault("the first line is not 'tree'", hint: "this is no model that LightGBM saved as text", code: .unknownFormat)
        }
        try header.read(&lines, limits)
        var settings = ForestSettings(featureCount: header.featureCount, outputs: header.treesPerIteration)
        settings.treesPerIteration = header.treesPerIteration
        settings.averages = header.averages
        settings.zeroesTiny = true
        var builder = try TreeBuilder(settings, limits: limits, source: source)
        var isAtTree = header.endsAtTree
        while isAtTree {
            lines.part = "Tree=\(builder.trees.count)"
            let number = try lines.int(in: 0...Int(Int32.max))
            guard number == builder.trees.count else {
                throw lines.fault("tree \(number) stands where tree \(builder.trees.count) should")
            }
            isAtTree = try readTree(&builder)
        }
        lines.part = ""
        guard header.treeSizes == nil || header.treeSizes == builder.trees.count else {
            throw lines.fault("there are \(builder.trees.count) trees, and 'tree_sizes' announces \(header.treeSizes ?? 0)")
        }
        var tail = LightGBMTail()
        try tail.read(&lines, featureCount: header.featureCount)
        let forest = try builder.finish()
        let categories = try tail.categories(of: header.infos, used: forest.splitCounts, lines)
        let library = "LightGBM" + (header.version.isEmpty ? "" : " (format \(header.version))")
        var description = Model.Description(format: .lightGBMText, library: library, objective: header.objective)
        description.booster = header.averages ? "rf" : tail.boosting
        var used = forest.splitCounts.map { $0 > 0 }
        for case let linear? in forest.linear { for feature in linear.features { used[Int(feature)] = true } }
        description.features = header.names.indices.map { index in
            ModelFeature(
                name: header.names[index], kind: categories[index].isCategory ? .category : .number, values: categories[index].values,
                isUsed: used[index])
        }
        description.transform = header.transform
        return Model(.forest(forest), description)
    }

    /// Reads one tree, up to the line that follows it; true where that begins another.
    private mutating func readTree(_ builder: inout TreeBuilder) throws(WhenceError) -> Bool {
        tree.reset()
        while let key = try lines.nextKey() {
            if key == "Tree" || key == "end of trees" {
                let isTree = key == "Tree"
                let place = lines.place
                try tree.fill(&form, header.treesPerIteration, builder.trees.count, &builder, lines)
                try builder.add(form, place: place)
                return isTree
            }
            try tree.read(key, &lines, limits)
        }
        throw lines.cutShort()
    }
}
