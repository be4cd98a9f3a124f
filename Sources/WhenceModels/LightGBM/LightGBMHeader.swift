import WhenceCore

/// What LightGBM's text says before the trees.
struct LightGBMHeader {
    private static let textBytesMax = 64 << 20

    private(set) var version = ""
    private(set) var treesPerIteration = 1
    private(set) var featureCount = 0
    private(set) var objective = ""
    private(set) var transform = OutputTransform.identity
    private(set) var averages = false
    /// Trees that `tree_sizes` announces.
    private(set) var treeSizes: Int?
    /// Whether the first tree follows, rather than the end of the trees.
    private(set) var endsAtTree = false
    private(set) var names: [String] = []
    /// Of each feature what values it had in training, or none.
    private(set) var infos: [String] = []

    mutating func read(_ lines: inout LightGBMLines, _ limits: ModelLimits) throws(WhenceError) {
        var seen: Set<String> = []
        loop: while true {
            guard let key = try lines.nextKey() else { throw lines.cutShort() }
            guard key == "Tree" || seen.insert(key).inserted else { throw lines.fault("this line stands twice") }
            switch key {
            case "version":
                version = try lines.text(bytesMax: 64)
                guard ["v2", "v3", "v4"].contains(version) else {
                    throw lines.fault(
                        "the version '\(version)' of the format is not known", hint: "Whence reads versions v2 to v4", code: .unknownFormat)
                }
            case "num_class": _ = try lines.int(in: 1...limits.outputs)
            case "num_tree_per_iteration": treesPerIteration = try lines.int(in: 1...limits.outputs)
            case "max_feature_idx": featureCount = try lines.int(in: 0...(limits.features - 1)) + 1
            case "objective":
                objective = try lines.text(bytesMax: 4096)
                let fault = { [place = lines.place] (message: String, hint: String) in
                    WhenceError(.unknownFormat, message, place: "\(place), objective", hint: hint)
                }
                do throws(WhenceError) {
                    transform = try LightGBMObjective.transform(objective, fault)
                } catch {
                    throw lines.fault(error.message, hint: error.hint, code: error.code)
                }
            case "average_output": averages = true
            case "feature_names": names = try words(&lines)
            case "feature_infos": infos = try words(&lines)
            case "tree_sizes": treeSizes = try words(&lines).count
            case "Tree":
                endsAtTree = true
                break loop
            case "end of trees": break loop
            default: try lines.skip()
            }
        }
        for key in ["num_tree_per_iteration", "max_feature_idx", "feature_names"] where !seen.contains(key) {
            throw lines.fault("the lines before the first tree have no '\(key)'")
        }
        guard names.count == featureCount else {
            throw lines.fault("there are \(names.count) names in 'feature_names', and \(featureCount) features")
        }
        guard infos.isEmpty || infos.count == featureCount else {
            throw lines.fault("there are \(infos.count) elements in 'feature_infos', and \(featureCount) features")
        }
        var unique: Set<String> = []
        for name in names where !unique.insert(name).inserted {
            throw lines.fault(
                "two features are named '\(name.prefix(80))'",
                hint: "columns are found by their names: train with names that differ, or edit 'feature_names'")
        }
        if case .softmax = transform, treesPerIteration < 2 { throw lines.fault("the objective is multiclass, and there is one class") }
    }

    private func words(_ lines: inout LightGBMLines) throws(WhenceError) -> [String] {
        try lines.text(bytesMax: LightGBMHeader.textBytesMax).split(separator: " ").map(String.init)
    }
}
