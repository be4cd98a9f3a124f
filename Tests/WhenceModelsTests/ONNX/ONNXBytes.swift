/// Writes ONNX models by hand, field by field, also such as no library would write.
enum ONNXBytes {
    static func varint(_ value: Int) -> [UInt8] {
        var rest = UInt64(bitPattern: Int64(value))
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    static func field(_ number: Int, _ value: Int) -> [UInt8] { varint(number << 3) + varint(value) }
    static func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] { varint(number << 3 | 2) + varint(bytes.count) + bytes }
    static func field(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

    static func floats(_ values: [Float]) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
    }

    static func attribute(_ name: String, ints: [Int]) -> [UInt8] {
        field(5, field(1, name) + field(8, ints.flatMap(varint)) + field(20, 7))
    }
    static func attribute(_ name: String, floats values: [Float]) -> [UInt8] {
        field(5, field(1, name) + field(7, floats(values)) + field(20, 6))
    }
    static func attribute(_ name: String, strings: [String]) -> [UInt8] {
        field(5, field(1, name) + strings.flatMap { field(9, $0) } + field(20, 8))
    }
    static func attribute(_ name: String, _ value: Int) -> [UInt8] { field(5, field(1, name) + field(3, value) + field(20, 2)) }
    static func attribute(_ name: String, _ value: String) -> [UInt8] { field(5, field(1, name) + field(4, value) + field(20, 3)) }

    /// A tensor of one dimension, of an element type by its number, with its elements as they stand in memory.
    static func attribute(_ name: String, tensor type: Int, count: Int, raw: [UInt8]) -> [UInt8] {
        field(5, field(1, name) + field(5, field(1, varint(count)) + field(2, type) + field(9, raw)) + field(20, 4))
    }

    static func node(_ op: String, _ inputs: [String], _ outputs: [String], domain: String = "", _ attributes: [UInt8] = []) -> [UInt8] {
        field(
            1,
            inputs.flatMap { field(1, $0) } + outputs.flatMap { field(2, $0) } + field(3, "n") + field(4, op) + attributes
                + field(7, domain))
    }

    static func port(_ number: Int, _ name: String, type: Int = 1, dims: [Int?]) -> [UInt8] {
        let shape = dims.flatMap { dim in field(1, dim.map { field(1, $0) } ?? field(2, "N")) }
        return field(number, field(1, name) + field(2, field(1, field(1, type) + field(2, shape))))
    }

    static func tensor(_ name: String, _ dims: [Int], _ values: [Float]) -> [UInt8] {
        field(5, field(1, dims.flatMap(varint)) + field(2, 1) + field(8, name) + field(9, floats(values)))
    }

    /// A model of one input `x` of two features, and one output `y`.
    static func model(_ graph: [UInt8], opsets: [(String, Int)] = [("", 17), ("ai.onnx.ml", 3)], ir: Int = 8) -> [UInt8] {
        let whole = graph + field(2, "g") + port(11, "x", dims: [nil, 2]) + port(12, "y", dims: [nil, 1])
        return field(1, ir) + field(2, "test") + field(7, whole) + opsets.flatMap { field(8, field(1, $0.0) + field(2, $0.1)) }
    }

    /// An ensemble of version 5: one rule and its two leaves.
    static func treeEnsemble(mode: UInt8 = 0, splitType: Int = 1, splits: [UInt8]? = nil, aggregate: Int = 1, extra: [UInt8] = [])
        -> [UInt8]
    {
        model(
            node(
                "TreeEnsemble", ["x"], ["y"], domain: "ai.onnx.ml",
                attribute("nodes_featureids", ints: [0]) + attribute("nodes_modes", tensor: 2, count: 1, raw: [mode])
                    + attribute("nodes_splits", tensor: splitType, count: 1, raw: splits ?? floats([0.5]))
                    + attribute("nodes_truenodeids", ints: [0]) + attribute("nodes_trueleafs", ints: [1])
                    + attribute("nodes_falsenodeids", ints: [1]) + attribute("nodes_falseleafs", ints: [1])
                    + attribute("leaf_targetids", ints: [0, 0]) + attribute("leaf_weights", tensor: 1, count: 2, raw: floats([1, 2]))
                    + attribute("tree_roots", ints: [0]) + attribute("n_targets", 1) + attribute("aggregate_function", aggregate) + extra),
            opsets: [("", 21), ("ai.onnx.ml", 5)])
    }

    /// One tree with the given children; nodes from 3 on are leaves where `modes` says so.
    static func tree(
        yes: [Int] = [1, 0, 0], no: [Int] = [2, 0, 0], modes: [String] = ["BRANCH_LEQ", "LEAF", "LEAF"], features: [Int]? = nil,
        values: [Float]? = nil,
        ids: [Int]? = nil, target: (nodes: [Int], ids: [Int]) = ([1, 2], [0, 0]), targets: Int = 1, extra: [UInt8] = []
    ) -> [UInt8] {
        let count = modes.count
        return model(
            node(
                "TreeEnsembleRegressor", ["x"], ["y"], domain: "ai.onnx.ml",
                attribute("nodes_treeids", ints: Array(repeating: 0, count: count))
                    + attribute("nodes_nodeids", ints: ids ?? Array(0..<count))
                    + attribute("nodes_featureids", ints: features ?? Array(repeating: 0, count: count))
                    + attribute("nodes_values", floats: values ?? Array(repeating: 0.5, count: count))
                    + attribute("nodes_modes", strings: modes)
                    + attribute("nodes_truenodeids", ints: yes) + attribute("nodes_falsenodeids", ints: no)
                    + attribute("target_treeids", ints: Array(repeating: 0, count: target.nodes.count))
                    + attribute("target_nodeids", ints: target.nodes)
                    + attribute("target_ids", ints: target.ids)
                    + attribute("target_weights", floats: target.ids.indices.map { Float($0 + 1) })
                    + attribute("n_targets", targets) + extra))
    }
}
