import Testing
import WhenceCore

@testable import WhenceModels

/// Every limit, for every format that can pass it. The limit is set to less than a sound file has; the file itself is read without it.
@Suite("Limits on model files") struct ModelLimitsTests {
    enum Format: String, CaseIterable, Sendable {
        case lightGBM, xgboost, xgboostUBJSON, xgboostLinear, catBoost, catBoostTrees, onnx, linear

        func bytes() throws -> [UInt8] {
            switch self {
            case .lightGBM: try Fixture("lightgbm", "categorical_onehot", suffix: ".txt").bytes
            case .xgboost: try Fixture("xgboost", "tiny_categorical", suffix: ".json").bytes
            case .xgboostUBJSON: try Fixture("xgboost", "tiny_categorical_ubj", suffix: ".ubj").bytes
            case .xgboostLinear: try Fixture("xgboost", "tiny_linear", suffix: ".json").bytes
            case .catBoost: try Fixture("catboost", "symmetric_words", suffix: ".json").bytes
            case .catBoostTrees:
                Array(
                    CatBoostFaultTests.tree(
                        "\"trees\":[{\"split\":\(CatBoostFaultTests.split),\"left\":{\"value\":1,\"weight\":3},\"right\":{\"value\":-2.5,\"weight\":1}}]"
                    ).utf8)
            case .onnx: ONNXBytes.tree()
            case .linear: Array(LinearModelTests.example.utf8)
            }
        }

        /// Whether the model has trees, read by `TreeBuilder`.
        var hasTrees: Bool { self != .xgboostLinear && self != .linear }
    }

    /// A number in the file that is out of range may be said to be just that.
    private func check(_ format: Format, says: String, _ change: (inout ModelLimits) -> Void) throws {
        let bytes = try format.bytes()
        _ = try Model.read(.bytes(bytes, name: "m"))
        var limits = ModelLimits()
        change(&limits)
        do throws(WhenceError) {
            _ = try Model.read(.bytes(bytes, name: "m"), limits: limits)
            Issue.record("\(format.rawValue) was read, where '\(says)' was due")
        } catch {
            let isSaid = error.code == .limitExceeded && error.description.contains(says)
            #expect((isSaid || error.message.contains("is out of range: ")) && error.place.hasPrefix("m"), "\(format): \(error)")
        }
    }

    @Test("size of the file", arguments: Format.allCases)
    func fileBytes(format: Format) throws { try check(format, says: "more than 100 bytes") { $0.fileBytes = 100 } }

    @Test("splits and leaves of all trees", arguments: Format.allCases.filter(\.hasTrees))
    func nodes(format: Format) throws { try check(format, says: "more than 2 ") { $0.nodes = 2 } }

    @Test("splits and leaves of one tree", arguments: [Format.lightGBM, .xgboost, .xgboostUBJSON, .catBoost, .catBoostTrees])
    func nodesPerTree(format: Format) throws {
        try check(format, says: "more than 2 ") { $0.nodesPerTree = 2 }
    }

    @Test("levels of a tree", arguments: Format.allCases.filter(\.hasTrees))
    func depth(format: Format) throws { try check(format, says: "more than 0 deep") { $0.depth = 0 } }

    @Test("trees", arguments: [Format.lightGBM, .xgboost, .xgboostUBJSON, .catBoost, .catBoostTrees])
    func trees(format: Format) throws { try check(format, says: "more than 0") { $0.trees = 0 } }

    @Test("features", arguments: Format.allCases.filter { $0 != .catBoostTrees })
    func features(format: Format) throws {
        try check(format, says: " 1 ") { $0.features = 1 }
    }

    @Test(
        "outputs", arguments: [("lightgbm", "multiclass", ".txt"), ("xgboost", "softprob", ".json"), ("xgboost", "tiny_vector", ".json")])
    func outputs(folder: String, name: String, suffix: String) throws {
        var limits = ModelLimits()
        limits.outputs = 1
        let bytes = try Fixture(folder, name, suffix: suffix).bytes
        #expect(throws: WhenceError.self) { try Model.read(.bytes(bytes, name: "m"), limits: limits) }
    }

    @Test("the greatest category", arguments: [Format.lightGBM, .xgboost, .xgboostUBJSON])
    func category(format: Format) throws { try check(format, says: "above 0") { $0.category = 0 } }

    @Test("memory of the sets of categories", arguments: [Format.lightGBM, .xgboost, .xgboostUBJSON])
    func categoryBytes(format: Format) throws {
        try check(format, says: "limits") { $0.categoryBytes = 4 }
    }

    @Test("memory, while the file is read", arguments: Format.allCases)
    func memory(format: Format) throws {
        let model = try Model.read(.bytes(try format.bytes(), name: "m"))
        try check(format, says: "more than") { $0.memoryBytes = 16 }
        // Half of what the finished model takes, so that it is the packed form that does not fit.
        if format.hasTrees { try check(format, says: "more than") { $0.memoryBytes = model.memoryBytes / 2 } }
    }

    @Test("memory is noticed tree by tree, long before the end of the file")
    func memoryEarly() throws {
        var limits = ModelLimits()
        limits.memoryBytes = 20_000
        let bytes = try Fixture("lightgbm", "large_tree", suffix: ".txt").bytes
        expectError(.limitExceeded, "more than 20000 bytes of memory", "Tree=0") {
            _ = try Model.read(.bytes(bytes, name: "m"), limits: limits)
        }
    }
}
