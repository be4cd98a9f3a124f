import WhenceCore

/// Turns a file of ONNX into a graph that is ready to run: every value has a type, a shape and a place in the workspace
/// before the first row comes.
///
/// The first dimension of every input is the row; what is computed for one row may not depend on another, which is what
/// lets a graph run on any number of rows. An operator, attribute or shape that does not fit is refused by name and node.
struct GraphPlanner {
    typealias Rounding = GraphStep.Rounding

    /// A value of the graph while it is planned.
    struct Value {
        enum Place {
            /// In each row, at a place of the workspace.
            case row(Int)
            /// The same for every row: numbers from an index of the constants on.
            case constant(Int)
        }

        var name: String
        var type: ONNXFile.ElementType
        /// The dimensions; for a value of the row without the first.
        var dims: [Int]
        var place: Place
        /// What the elements of the last dimension are called, where that is known (the classes of a classifier).
        var labels: [String] = []

        /// Numbers, of a row or in all.
        var width: Int { dims.reduce(1, *) }
        var isConstant: Bool { if case .constant = place { true } else { false } }
    }

    /// Numbers that one row may take in the workspace.
    static let numbersPerRowMax = 1 << 22
    /// Numbers of constants.
    let limits: ModelLimits
    /// Bounded by what the file has: a node takes a copy of the weights that it names, and many nodes could name the same.
    private let constantsMax: Int

    let file: ONNXFile
    let source: String
    private(set) var values: [String: Value] = [:]
    private(set) var constantTensors: [String: ONNXFile.Tensor] = [:]
    private(set) var steps: [GraphStep] = []
    private(set) var constants: [Double] = []
    private(set) var numbersPerRow = 0
    /// Texts by their codes: everything that a string of the graph can be. What is none of them has the code -1.
    private(set) var texts: [String] = []
    private var codes: [String: Int] = [:]
    /// The first dimension that inputs state, where they fix it.
    private var fixedRows: Int?
    /// The node that is planned, for errors.
    private(set) var node = ONNXFile.Node()
    private(set) var readAttributes: Set<String> = []

    init(_ file: ONNXFile, source: String, limits: ModelLimits) {
        self.file = file
        self.source = source
        self.limits = limits
        var numbers = file.constants.reduce(0) { $0 + $1.count }
        for node in file.nodes {
            for attribute in node.attributes {
                numbers += attribute.floats.count + attribute.ints.count + (attribute.tensor?.count ?? 0) + 1
            }
        }
        constantsMax = min(limits.memoryBytes / 8, (1 << 16) + 16 * min(numbers, 1 << 40))
    }

    // MARK: Errors

    func fault(_ message: String, hint: String = "", code: WhenceError.Code = .unknownFormat) -> WhenceError {
        WhenceError(code, message, place: "\(source), \(node.place)", hint: hint)
    }

    func graphFault(_ message: String, at place: String, hint: String = "") -> WhenceError {
        WhenceError(.unknownFormat, message, place: "\(source), \(place)", hint: hint)
    }

    // MARK: Values

    /// The number that stands for a text.
    mutating func code(_ text: String) -> Double {
        if let code = codes[text] { return Double(code) }
        codes[text] = texts.count
        texts.append(text)
        return Double(texts.count - 1)
    }

    /// Adds numbers to the constants, and returns where they begin.
    mutating func addConstants(_ numbers: [Double]) throws(WhenceError) -> Int {
        guard constants.count + numbers.count <= constantsMax else {
            throw fault("the model has more than \(constantsMax) weights", code: .limitExceeded)
        }
        constants.append(contentsOf: numbers)
        return constants.count - numbers.count
    }

    /// Room for `width` numbers in each row.
    mutating func addRegion(_ width: Int) throws(WhenceError) -> Int {
        guard width >= 0, width <= GraphPlanner.numbersPerRowMax - numbersPerRow else {
            throw fault("one row would take more than \(GraphPlanner.numbersPerRowMax) numbers", code: .limitExceeded)
        }
        numbersPerRow += width
        return numbersPerRow - width
    }

    mutating func add(_ step: GraphStep) { steps.append(step) }

    mutating func define(_ name: String, _ value: Value) throws(WhenceError) {
        guard !name.isEmpty else { return }
        guard values[name] == nil else { throw fault("the value '\(name)' is made twice", code: .malformedInput) }
        var value = value
        value.name = name
        values[name] = value
    }

    mutating func define(_ tensor: ONNXFile.Tensor, as name: String) throws(WhenceError) {
        let numbers = tensor.type == .string ? tensor.strings.map { code($0) } : tensor.numbers
        let place = try addConstants(numbers)
        try define(name, Value(name: name, type: tensor.type, dims: tensor.dims, place: .constant(place)))
        constantTensors[name] = tensor
    }

    /// Defines output `index` of the node (without a name, where it has no such output) as a new value of the row, and returns its place.
    mutating func output(_ type: ONNXFile.ElementType, _ dims: [Int], index: Int = 0, labels: [String] = []) throws(WhenceError) -> Int {
        var width = 1
        for dim in dims {
            let (product, overflow) = width.multipliedReportingOverflow(by: dim)
            guard dim >= 0, !overflow else { throw fault("the shape \(dims) is out of range", code: .limitExceeded) }
            width = product
        }
        let place = try addRegion(width)
        try define(
            index < node.outputs.count ? node.outputs[index] : "",
            Value(name: "", type: type, dims: dims, place: .row(place), labels: labels))
        return place
    }

    /// Defines output 0 as another view of `value`.
    mutating func alias(_ value: Value, type: ONNXFile.ElementType? = nil, dims: [Int]? = nil) throws(WhenceError) {
        var view = value
        view.type = type ?? value.type
        view.dims = dims ?? value.dims
        guard let name = node.outputs.first else { return }
        if let tensor = constantTensors[value.name] {
            var tensor = tensor
            tensor.dims = view.dims
            tensor.type = view.type
            constantTensors[name] = tensor
        }
        try define(name, view)
    }

    // MARK: What a node says

    /// Input `index`, which must be there.
    func input(_ index: Int) throws(WhenceError) -> Value {
        guard let value = try optionalInput(index) else { throw fault("input \(index) is missing", code: .malformedInput) }
        return value
    }

    func optionalInput(_ index: Int) throws(WhenceError) -> Value? {
        guard index < node.inputs.count, !node.inputs[index].isEmpty else { return nil }
        guard let value = values[node.inputs[index]] else {
            throw fault(
                "its input '\(node.inputs[index])' is made by no earlier node",
                hint: "the nodes of a graph must be in order, without a cycle",
                code: .malformedInput)
        }
        return value
    }

    /// Input `index`, a value of the row that is a number; constants are laid out in each row.
    mutating func rowInput(_ index: Int, allowsText: Bool = false) throws(WhenceError) -> (value: Value, place: Int) {
        let value = try input(index)
        guard value.type != .string || allowsText else { throw fault("its input '\(value.name)' is text, where numbers should be") }
        guard case .row(let place) = value.place else {
            throw fault("its input '\(value.name)' is a constant, which is not supported there")
        }
        return (value, place)
    }

    /// Input `index` as a constant tensor.
    func constantInput(_ index: Int) throws(WhenceError) -> ONNXFile.Tensor {
        let value = try input(index)
        guard let tensor = constantTensors[value.name] else {
            throw fault("its input '\(value.name)' must be a constant", hint: "export the model with constants folded")
        }
        return tensor
    }

    mutating func attribute(_ name: String) -> ONNXFile.Attribute? {
        readAttributes.insert(name)
        return node.attributes.first { $0.name == name }
    }

    mutating func int(_ name: String, _ otherwise: Int) -> Int { attribute(name)?.int.map { Int($0) } ?? otherwise }
    mutating func float(_ name: String, _ otherwise: Float) -> Float { attribute(name)?.float ?? otherwise }
    mutating func text(_ name: String, _ otherwise: String) -> String { attribute(name)?.string ?? otherwise }

    /// The version of the operator set that the node's operator is of.
    var opset: Int { file.opsets[node.domain] ?? 1 }

    static func rounding(_ type: ONNXFile.ElementType) -> Rounding {
        switch type {
        case .float: .float
        case .double, .string: .none
        case .bool: .bool
        default: .whole
        }
    }

    // MARK: The plan

    /// Plans the whole graph.
    static func plan(_ file: ONNXFile, source: String, limits: ModelLimits) throws(WhenceError) -> ONNXGraph {
        var planner = GraphPlanner(file, source: source, limits: limits)
        try planner.checkOperatorSets()
        for tensor in file.constants { try planner.define(tensor, as: tensor.name) }
        let ports = try planner.planInputs()
        for node in file.nodes {
            planner.node = node
            planner.readAttributes = []
            try planner.planNode()
            for attribute in node.attributes where !planner.readAttributes.contains(attribute.name) {
                throw planner.fault("its attribute '\(attribute.name)' is not known")
            }
        }
        return try planner.finish(ports)
    }

    private func checkOperatorSets() throws(WhenceError) {
        let newest = ["": 26, "ai.onnx.ml": 5]
        for (domain, version) in file.opsets.sorted(by: { $0.key < $1.key }) {
            guard let known = newest[domain] else {
                // Exporters name sets that they do not use; a node of one is refused where it stands.
                continue
            }
            guard version >= 1, version <= known else {
                throw graphFault(
                    "version \(version) of the operator set \(domain.isEmpty ? "ai.onnx" : domain) is not known", at: "opset_import",
                    hint: "export the model with a target of \(known) or less")
            }
        }
    }

    private mutating func planInputs() throws(WhenceError) -> [ONNXGraph.Input] {
        var ports: [ONNXGraph.Input] = []
        var names: Set<String> = []
        for port in file.inputs where !names.insert(port.name).inserted {
            throw WhenceError(
                .malformedInput, "two inputs are named '\(port.name.prefix(80))'", place: "\(source), graph.input",
                hint: "the file is damaged; export it again")
        }
        for port in file.inputs where values[port.name] == nil {
            let place = "input '\(port.name)'"
            guard let type = port.type else {
                throw graphFault("this input is \(port.otherType ?? "of no known type"), not a tensor", at: place)
            }
            guard let dims = port.dims, let rows = dims.first else {
                throw graphFault(
                    "this input has no shape, or no dimension for the rows", at: place,
                    hint: "export the model with the shapes of its inputs")
            }
            if let rows {
                guard fixedRows == nil || fixedRows == rows else {
                    throw graphFault("the inputs have different numbers of rows", at: place)
                }
                fixedRows = rows
            }
            var widths: [Int] = []
            for dim in dims.dropFirst() {
                guard let dim else {
                    throw graphFault(
                        "the shape of this input is not fixed", at: place,
                        hint: "export the model with the number of features, as in FloatTensorType([None, 4])")
                }
                widths.append(dim)
            }
            var width = 1
            for dim in widths {
                width = width.multipliedReportingOverflow(by: dim).partialValue
                guard width > 0, width <= GraphPlanner.numbersPerRowMax, dim <= GraphPlanner.numbersPerRowMax else {
                    throw WhenceError(.limitExceeded, "this input has too many features", place: "\(source), \(place)")
                }
            }
            let region = try addRegion(width)
            try define(port.name, Value(name: port.name, type: type, dims: widths, place: .row(region)))
            ports.append(ONNXGraph.Input(name: port.name, type: type, dims: widths, width: width, place: region))
        }
        guard !ports.isEmpty else { throw graphFault("the graph has no inputs", at: "graph") }
        return ports
    }

    /// Whether `dim` of a shape in the model stands for the rows.
    func isRows(_ dim: Int) -> Bool { dim == fixedRows }

    private mutating func finish(_ inputs: [ONNXGraph.Input]) throws(WhenceError) -> ONNXGraph {
        node = ONNXFile.Node()
        var outputs: [ONNXGraph.Output] = []
        for port in file.outputs {
            guard let value = values[port.name] else { throw graphFault("no node makes this output", at: "output '\(port.name)'") }
            guard case .row(let place) = value.place else {
                throw graphFault("this output is the same for every row", at: "output '\(port.name)'")
            }
            outputs.append(
                ONNXGraph.Output(
                    name: port.name, type: value.type, width: value.width, place: place,
                    labels: value.labels.count == value.width ? value.labels : []))
        }
        guard !outputs.isEmpty else { throw graphFault("the graph has no outputs", at: "graph") }
        return ONNXGraph(
            file: file, inputs: inputs, outputs: outputs, steps: steps, constants: GraphConstants(constants), numbersPerRow: numbersPerRow,
            texts: texts, codes: codes)
    }

    private mutating func planNode() throws(WhenceError) {
        guard file.opsets[node.domain] != nil || !["", "ai.onnx.ml"].contains(node.domain) else {
            throw fault(
                "the file does not say which version of the operator set \(node.domain.isEmpty ? "ai.onnx" : node.domain) it uses",
                hint: "it was cut short, or is damaged; export it again", code: .malformedInput)
        }
        switch node.domain {
        case "": try planCore()
        case "ai.onnx.ml": try planML()
        default:
            throw fault("the operator set '\(node.domain)' is not supported", hint: "ai.onnx and ai.onnx.ml are; see docs/models.md")
        }
    }
}
