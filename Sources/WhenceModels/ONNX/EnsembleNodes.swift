/// The nodes of an ensemble of ONNX as the arrays of a file have them. Nothing is copied: an ensemble is checked, and packed tree by tree, out of those arrays.
protocol EnsembleNodes {
    var nodeCount: Int { get }
    var weightCount: Int { get }
    /// Whether a leaf may be the child of several nodes.
    var sharesLeaves: Bool { get }
    /// Children are numbers of nodes. For a leaf: its first weight, and how many it has.
    func node(_ index: Int) -> GraphTrees.Node
    func weight(_ index: Int) -> GraphTrees.Weight
    /// What people call a node.
    func place(_ index: Int) -> String
}

/// Version 1 to 3: an array for each property, in which inner nodes and leaves stand together, and weights in arrays of their own.
///
/// Invariant, checked by `init`: children, features and targets are whole numbers of 32 bits, and children are nodes of the same tree.
struct ParallelNodes: EnsembleNodes {
    private let modes: [GraphTrees.Mode]
    private let modeNumbers: [UInt8]
    private let treeIDs: WholeNumbers
    private let nodeIDs: WholeNumbers
    private let features: WholeNumbers
    private let yes: WholeNumbers
    private let no: WholeNumbers
    private let thresholds: Reals
    /// Or empty.
    private let missing: WholeNumbers
    private let weightTargets: WholeNumbers
    private let weights: Reals
    private let index: NodeIndex
    /// Where the weights of each node begin, and behind the last node where they end.
    private var firstWeights: [Int32] = []
    /// The weights' places in the file in the order of their leaves; empty where the file has them in that order.
    private var weightPlaces: [Int32] = []
    /// Trees count in the order in which they begin; in each the node that is no child is the root.
    private(set) var roots: [Int32] = []

    /// `modes` are named by `modeNumbers`. Throws where nodes, children or weights do not fit together; the number of the node in the fault means nothing.
    init(
        modes: [GraphTrees.Mode], modeNumbers: [UInt8], treeIDs: WholeNumbers, nodeIDs: WholeNumbers, features: WholeNumbers,
        yes: WholeNumbers, no: WholeNumbers, thresholds: Reals, missing: WholeNumbers, weightTrees: WholeNumbers,
        weightNodes: WholeNumbers, weightTargets: WholeNumbers, weights: Reals
    ) throws(GraphTrees.Fault) {
        self.modes = modes
        self.modeNumbers = modeNumbers
        self.treeIDs = treeIDs
        self.nodeIDs = nodeIDs
        self.features = features
        self.yes = yes
        self.no = no
        self.thresholds = thresholds
        self.missing = missing
        self.weightTargets = weightTargets
        self.weights = weights
        index = try NodeIndex(treeIDs, nodeIDs)
        try findRoots()
        try hangWeights(weightTrees, weightNodes)
    }

    var nodeCount: Int { modeNumbers.count }
    var weightCount: Int { weightTargets.count }
    var sharesLeaves: Bool { false }

    func place(_ index: Int) -> String { "node \(nodeIDs[index]) of tree \(treeIDs[index])" }

    func node(_ index: Int) -> GraphTrees.Node {
        let mode = modes[Int(modeNumbers[index])]
        guard mode != .leaf else {
            let first = firstWeights[index]
            return GraphTrees.Node(
                threshold: 0, feature: 0, yes: first, no: firstWeights[index + 1] - first, mode: mode, missingIsYes: false)
        }
        guard let yes = child(yes[index], of: index), let no = child(no[index], of: index) else {
            preconditionFailure("children were there when the arrays were checked")
        }
        return GraphTrees.Node(
            threshold: thresholds[index], feature: Int32(truncatingIfNeeded: features[index]), yes: yes, no: no, mode: mode,
            missingIsYes: !missing.isEmpty && missing[index] == 1)
    }

    func weight(_ index: Int) -> GraphTrees.Weight {
        let place = weightPlaces.isEmpty ? index : Int(weightPlaces[index])
        return GraphTrees.Weight(target: Int32(truncatingIfNeeded: weightTargets[place]), value: weights[place])
    }

    /// The node of a number in the tree of another.
    private func child(_ number: Int64, of parent: Int) -> Int32? {
        // Nearly all files number the nodes of a tree in order: then the child stands as far from its parent as their numbers are apart.
        let (step, isFar) = number.subtractingReportingOverflow(nodeIDs[parent])
        if !isFar, step > -Int64(nodeCount), step < Int64(nodeCount) {
            let guess = parent + Int(step)
            if guess >= 0, guess < nodeCount, nodeIDs[guess] == number, treeIDs[guess] == treeIDs[parent] { return Int32(guess) }
        }
        return index[treeIDs[parent]]?[number].map { Int32($0) }
    }

    private mutating func findRoots() throws(GraphTrees.Fault) {
        var hasParent = Array(repeating: false, count: nodeCount)
        for position in 0..<nodeCount where modes[Int(modeNumbers[position])] != .leaf {
            guard Int32(exactly: features[position]) != nil, let first = child(yes[position], of: position),
                let second = child(no[position], of: position)
            else { throw GraphTrees.Fault(node: position, message: "\(place(position)) has a child or feature that is out of range") }
            hasParent[Int(first)] = true
            hasParent[Int(second)] = true
        }
        roots = (0..<nodeCount).filter { !hasParent[$0] }.map { Int32($0) }
        guard roots.count == index.treeCount else {
            throw GraphTrees.Fault(
                node: 0,
                message: "it has \(index.treeCount) trees, and \(roots.count) nodes that are no child: a tree has a cycle or two roots")
        }
    }

    /// Finds the weights of every leaf.
    private mutating func hangWeights(_ trees: WholeNumbers, _ nodes: WholeNumbers) throws(GraphTrees.Fault) {
        // Counted two places behind their node, and added up: then the place behind a node says where its next weight goes, and in the end where its weights
        // end and those of the next node begin.
        firstWeights = Array(repeating: 0, count: nodeCount + 2)
        var isInOrder = true
        var tree: NodeIndex.Tree?
        var last = 0
        func owner(_ position: Int) -> Int? {
            if position == 0 || trees[position] != trees[position - 1] { tree = index[trees[position]] }
            return tree?[nodes[position]]
        }
        for position in trees.indices {
            guard let owner = owner(position), modes[Int(modeNumbers[owner])] == .leaf, Int32(exactly: weightTargets[position]) != nil
            else {
                throw GraphTrees.Fault(
                    node: 0, message: "weight \(position) belongs to node \(nodes[position]) of tree \(trees[position]), which is no leaf")
            }
            firstWeights[owner + 2] += 1
            isInOrder = isInOrder && owner >= last
            last = owner
        }
        for node in 0..<nodeCount { firstWeights[node + 2] += firstWeights[node + 1] }
        if isInOrder {
            firstWeights.removeFirst()
        } else {
            weightPlaces = Array(repeating: 0, count: trees.count)
            for position in trees.indices {
                guard let owner = owner(position) else { preconditionFailure("it was there before") }
                weightPlaces[Int(firstWeights[owner + 1])] = Int32(position)
                firstWeights[owner + 1] += 1
            }
            firstWeights.removeLast()
        }
        for node in 0..<nodeCount where firstWeights[node + 1] - firstWeights[node] > 1 {
            let targets = (Int(firstWeights[node])..<Int(firstWeights[node + 1])).map { weight($0).target }.sorted()
            if let twice = zip(targets, targets.dropFirst()).first(where: { $0 == $1 })?.0 {
                throw GraphTrees.Fault(node: node, message: "\(place(node)) has two weights for target \(twice)")
            }
        }
    }
}

/// Version 5: inner nodes and leaves in arrays of their own. Leaves count behind the inner nodes.
struct SplitNodes: EnsembleNodes {
    let modes: [UInt8]
    let splits: [Double]
    let features: WholeNumbers
    let yes: WholeNumbers
    let no: WholeNumbers
    let yesIsLeaf: WholeNumbers
    let noIsLeaf: WholeNumbers
    let missing: WholeNumbers
    let targets: WholeNumbers
    let weights: [Double]

    var nodeCount: Int { modes.count + targets.count }
    var weightCount: Int { targets.count }
    var sharesLeaves: Bool { true }

    func place(_ index: Int) -> String { index < modes.count ? "node \(index)" : "leaf \(index - modes.count)" }

    /// Throws where the arrays do not fit together. Before it has passed, no node may be asked for.
    func check() throws(GraphTrees.Fault) {
        guard !modes.isEmpty, nodeCount < Int(Int32.max), splits.count == modes.count, weights.count == targets.count,
            missing.isEmpty || missing.count == modes.count
        else { throw GraphTrees.Fault(node: 0, message: "its arrays do not have the same number of elements") }
        for position in modes.indices {
            guard child(yes[position], yesIsLeaf[position]) != nil, child(no[position], noIsLeaf[position]) != nil,
                Int32(exactly: features[position]) != nil, GraphTrees.Mode(rawValue: modes[position]) != nil
            else { throw GraphTrees.Fault(node: position, message: "node \(position) has a child, feature or mode that is out of range") }
        }
        if let leaf = targets.firstIndex(where: { Int32(exactly: $0) == nil }) {
            throw GraphTrees.Fault(node: modes.count + leaf, message: "leaf \(leaf) has a target out of range")
        }
    }

    private func child(_ number: Int64, _ isLeaf: Int64) -> Int32? {
        guard number >= 0, number < Int64(isLeaf != 0 ? targets.count : modes.count) else { return nil }
        return Int32(isLeaf != 0 ? Int(number) + modes.count : Int(number))
    }

    func node(_ index: Int) -> GraphTrees.Node {
        guard index < modes.count else {
            return GraphTrees.Node(
                threshold: 0, feature: 0, yes: Int32(index - modes.count), no: 1, mode: .leaf, missingIsYes: false)
        }
        guard let yes = child(yes[index], yesIsLeaf[index]), let no = child(no[index], noIsLeaf[index]),
            let mode = GraphTrees.Mode(rawValue: modes[index])
        else { preconditionFailure("the arrays were checked") }
        return GraphTrees.Node(
            threshold: splits[index], feature: Int32(truncatingIfNeeded: features[index]), yes: yes, no: no, mode: mode,
            missingIsYes: !missing.isEmpty && missing[index] == 1)
    }

    func weight(_ index: Int) -> GraphTrees.Weight {
        GraphTrees.Weight(target: Int32(truncatingIfNeeded: targets[index]), value: weights[index])
    }
}

/// Floats or doubles, as the file has them, of which one is empty.
struct Reals: RandomAccessCollection {
    let floats: [Float]
    let doubles: [Double]

    var startIndex: Int { 0 }
    var endIndex: Int { floats.count + doubles.count }
    subscript(index: Int) -> Double { doubles.isEmpty ? Double(floats[index]) : doubles[index] }
}

/// Finds nodes by the number of their tree and their own.
struct NodeIndex {
    /// The nodes of one tree, which are neighbours in the file.
    struct Tree {
        fileprivate var start: Int
        fileprivate var count = 0
        /// The places of nodes by their number; nil where they are numbered from 0 on, in order.
        fileprivate var table: [Int64: Int]?

        subscript(node: Int64) -> Int? {
            if let table { return table[node] }
            return node >= 0 && node < Int64(count) ? start + Int(node) : nil
        }
    }

    private var trees: [Int64: Tree] = [:]
    var treeCount: Int { trees.count }

    /// Throws where the nodes of a tree are apart, or two have one number.
    init(_ treeIDs: WholeNumbers, _ nodeIDs: WholeNumbers) throws(GraphTrees.Fault) {
        var start = 0
        while start < treeIDs.count {
            let id = treeIDs[start]
            var tree = Tree(start: start)
            var end = start
            var isPlain = true
            while end < treeIDs.count, treeIDs[end] == id {
                if nodeIDs[end] != Int64(end - start) { isPlain = false }
                end += 1
            }
            tree.count = end - start
            if !isPlain {
                var table: [Int64: Int] = [:]
                for position in start..<end where table.updateValue(position, forKey: nodeIDs[position]) != nil {
                    throw GraphTrees.Fault(node: position, message: "node \(nodeIDs[position]) of tree \(id) stands twice")
                }
                tree.table = table
            }
            guard trees.updateValue(tree, forKey: id) == nil else {
                throw GraphTrees.Fault(node: start, message: "the nodes of tree \(id) are apart in the file")
            }
            start = end
        }
    }

    subscript(tree: Int64) -> Tree? { trees[tree] }
}
