import WhenceCore

/// The trees of one ensemble of ONNX, as a step of a graph walks them.
///
/// Immutable and shared. Invariant, checked by `init`: children are nodes of the array, every node but a root is the child of
/// exactly one, all can be reached from a root within as many steps as the limits allow, features lie below `width`, and targets below `targets`.
final class GraphTrees: Sendable {
    enum Mode: UInt8, Sendable { case lessOrEqual, less, greaterOrEqual, greater, equal, notEqual, leaf }

    enum Aggregate: String, Sendable { case sum = "SUM", average = "AVERAGE", min = "MIN", max = "MAX" }

    struct Node: Sendable {
        var threshold: Double
        var feature: Int32
        /// Where to go when the rule holds, and when not. For a leaf: its first weight, and how many it has.
        var yes: Int32
        var no: Int32
        var mode: Mode
        /// Whether a NaN goes where the rule holds, whatever the rule.
        var missingIsYes: Bool
    }

    struct Weight: Sendable {
        var target: Int32
        var value: Double
    }

    /// What a fault of the structure is about: the index of a node.
    struct Fault: Error {
        let node: Int
        let message: String
        /// Whether the ensemble may be sound, but is larger than the limits.
        var isLimit = false
    }

    let targets: Int
    private let nodes: [Node]
    private let roots: [Int32]
    private let weights: [Weight]
    let aggregate: Aggregate
    /// Whether sums are made in float, as onnxruntime does where the features are floats.
    let isFloat: Bool
    /// The greatest number of steps to a leaf.
    let depth: Int
    let leafCount: Int
    let treeCount: Int
    let nodeCount: Int
    /// The targets that any leaf adds to, in order.
    let usedTargets: [Int]
    /// Whether every row is sure to meet a weight for the target: there is a tree all of whose leaves have one.
    let isSure: [Bool]
    let weightsAreAllPositive: Bool
    /// Leaves that are added up are packed, and the nodes above are empty then.
    private let forest: Forest?

    /// Checks the nodes, and packs them where leaves are added up.
    init(
        _ source: some EnsembleNodes, roots: [Int32], targets: Int, aggregate: Aggregate, isFloat: Bool, width: Int, limits: ModelLimits
    ) throws(Fault) {
        self.targets = targets
        self.aggregate = aggregate
        self.isFloat = isFloat
        let count = source.nodeCount
        let weightCount = source.weightCount
        var isSeen = Array(repeating: false, count: count)
        var deepest = 0
        var leaves = 0
        var splits = 0
        var stack: [(node: Int32, depth: Int)] = []
        var isSure = Array(repeating: false, count: targets)
        var singleTargets: [Int32] = []
        for root in roots {
            let leavesBefore = leaves
            var leavesWithWeight: [Int32: Int] = [:]
            var hasOneEach = true
            stack.append((root, 0))
            while let (index, depth) = stack.popLast() {
                guard index >= 0, Int(index) < count else {
                    throw Fault(node: Int(root), message: "a child is out of range: node \(index)")
                }
                let node = source.node(Int(index))
                if isSeen[Int(index)], !(source.sharesLeaves && node.mode == .leaf) {
                    throw Fault(node: Int(index), message: "it is the child of two nodes, or of itself")
                }
                isSeen[Int(index)] = true
                guard depth <= limits.depth else {
                    throw Fault(node: Int(index), message: "its tree is more than \(limits.depth) deep", isLimit: true)
                }
                deepest = Swift.max(deepest, depth)
                if node.mode == .leaf {
                    leaves += 1
                    guard node.yes >= 0, node.no >= 0, Int(node.yes) + Int(node.no) <= weightCount else {
                        throw Fault(node: Int(index), message: "its weights are out of range")
                    }
                    hasOneEach = hasOneEach && node.no == 1
                    for weight in Int(node.yes)..<Int(node.yes + node.no) {
                        leavesWithWeight[source.weight(weight).target, default: 0] += 1
                    }
                    continue
                }
                guard !node.threshold.isNaN else { throw Fault(node: Int(index), message: "its threshold is NaN") }
                guard node.feature >= 0, Int(node.feature) < width else {
                    throw Fault(node: Int(index), message: "it looks at feature \(node.feature), and there are \(width)")
                }
                splits += 1
                stack.append((node.no, depth + 1))
                stack.append((node.yes, depth + 1))
            }
            for (target, count) in leavesWithWeight where count == leaves - leavesBefore && isSure.indices.contains(Int(target)) {
                isSure[Int(target)] = true
            }
            if hasOneEach, leavesWithWeight.count == 1, let target = leavesWithWeight.first?.key { singleTargets.append(target) }
        }
        if let lost = isSeen.firstIndex(of: false) { throw Fault(node: lost, message: "no path leads to it from the root of its tree") }
        var isUsed = Array(repeating: false, count: targets)
        var hasNegative = false
        for index in 0..<weightCount {
            let weight = source.weight(index)
            guard isUsed.indices.contains(Int(weight.target)) else {
                throw Fault(node: 0, message: "a leaf adds to target \(weight.target), and there are \(targets)")
            }
            isUsed[Int(weight.target)] = true
            if weight.value < 0 { hasNegative = true }
        }
        self.isSure = isSure
        depth = deepest
        leafCount = leaves
        treeCount = roots.count
        nodeCount = count
        usedTargets = isUsed.indices.filter { isUsed[$0] }
        weightsAreAllPositive = !hasNegative
        // Trees whose leaves all add to one target have one value a leaf; else leaves have a value for each target, unless these would
        // take much more memory than the weights do.
        let isSingle = singleTargets.count == roots.count
        let packed: Forest?
        if aggregate == .sum || aggregate == .average, isSingle || leaves * targets <= (1 << 16) + 8 * weightCount {
            do throws(WhenceError) {
                packed = try GraphTrees.forest(
                    source, roots: roots, singleTargets: isSingle ? singleTargets : nil, splits: splits, leaves: leaves, targets: targets,
                    isFloat: isFloat, width: width,
                    limits: limits, source: "ensemble")
            } catch {
                throw Fault(node: 0, message: error.message, isLimit: error.code == .limitExceeded)
            }
        } else {
            packed = nil
        }
        forest = packed
        self.nodes = packed == nil ? (0..<count).map { source.node($0) } : []
        self.roots = packed == nil ? roots : []
        self.weights = packed == nil ? (0..<weightCount).map { source.weight($0) } : []
    }

    var memoryBytes: Int {
        if let forest { return forest.memoryBytes }
        return nodes.count * MemoryLayout<Node>.stride + weights.count * MemoryLayout<Weight>.stride + roots.count * 4
    }

    /// The leaf of tree `tree` where a row ends, as an index of a node.
    @inline(__always)
    private func leaf(_ tree: Int, _ row: UnsafePointer<Double>) -> Int {
        var at = Int(roots[tree])
        while true {
            let node = nodes[at]
            let isYes: Bool
            let value = unsafe node.mode == .leaf ? 0 : row[Int(node.feature)]
            switch node.mode {
            case .lessOrEqual: isYes = value <= node.threshold
            case .less: isYes = value < node.threshold
            case .greaterOrEqual: isYes = value >= node.threshold
            case .greater: isYes = value > node.threshold
            case .equal: isYes = value == node.threshold
            case .notEqual: isYes = value != node.threshold
            case .leaf: return at
            }
            at = Int(isYes || node.missingIsYes && value.isNaN ? node.yes : node.no)
        }
    }

    /// The sums of `rows` rows of `width` features into `answers`, `targets` a row.
    func run(_ features: UnsafeMutablePointer<Double>, width: Int, rows: Int, into answers: UnsafeMutablePointer<Double>) {
        if let forest {
            let from = unsafe Span(_unsafeStart: features, count: rows * width)
            var sums = unsafe MutableSpan(_unsafeStart: answers, count: rows * targets)
            forest.predictRaw(from, rows: rows, iterations: 0..<treeCount, into: &sums)
            if aggregate == .average {
                for index in 0..<(rows * targets) {
                    sums[index] = isFloat ? Double(Float(sums[index]) / Float(treeCount)) : sums[index] / Double(treeCount)
                }
            }
            return
        }
        let start: Double
        switch aggregate {
        case .sum, .average: start = 0
        case .min: start = .infinity
        case .max: start = -.infinity
        }
        for index in 0..<(rows * targets) { unsafe answers[index] = start }
        for tree in roots.indices {
            for row in 0..<rows {
                let node = unsafe nodes[leaf(tree, features + row * width)]
                for index in Int(node.yes)..<(Int(node.yes) + Int(node.no)) {
                    let weight = weights[index]
                    let place = row * targets + Int(weight.target)
                    let before = unsafe answers[place]
                    switch aggregate {
                    case .sum, .average:
                        unsafe answers[place] = isFloat ? Double(Float(before) + Float(weight.value)) : before + weight.value
                    case .min: unsafe answers[place] = Swift.min(before, weight.value)
                    case .max: unsafe answers[place] = Swift.max(before, weight.value)
                    }
                }
            }
        }
        for index in 0..<(rows * targets) {
            let sum = unsafe answers[index]
            if aggregate == .average {
                unsafe answers[index] = isFloat ? Double(Float(sum) / Float(roots.count)) : sum / Double(roots.count)
            } else if sum.isInfinite, sum == start {
                // No tree had anything to say of this target.
                unsafe answers[index] = 0
            }
        }
    }
}
