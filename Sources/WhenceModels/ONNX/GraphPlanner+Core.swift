import WhenceCore

/// Operators of the default set: arithmetic, activations, layout.
extension GraphPlanner {
    static let coreOperators = [
        "Abs", "Add", "ArgMax", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "Constant", "Div", "Dropout", "Elu", "Erf", "Exp",
        "Flatten",
        "Floor", "Gather", "Gemm", "Identity", "LeakyRelu", "Log", "LogSoftmax", "MatMul", "Max", "Min", "Mul", "Neg", "Not", "Pow",
        "ReduceMean",
        "ReduceSum", "Reciprocal", "Relu", "Reshape", "Sigmoid", "Softmax", "Softplus", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh",
        "Unsqueeze",
    ]

    mutating func planCore() throws(WhenceError) {
        switch node.op {
        case "Identity", "Dropout": try planIdentity()
        case "Constant": try planConstant()
        case "Cast": try planCast()
        case "Add": try planBinary(.add)
        case "Sum": try planVariadic(.add)
        case "Sub": try planBinary(.subtract)
        case "Mul": try planBinary(.multiply)
        case "Div": try planBinary(.divide)
        case "Pow": try planBinary(.power)
        case "Min": try planVariadic(.minimum)
        case "Max": try planVariadic(.maximum)
        case "Relu": try planUnary(.relu)
        case "Sigmoid": try planUnary(.sigmoid)
        case "Tanh": try planUnary(.tanh)
        case "Exp": try planUnary(.exp)
        case "Log": try planUnary(.log)
        case "Sqrt": try planUnary(.sqrt)
        case "Abs": try planUnary(.abs)
        case "Neg": try planUnary(.negate)
        case "Reciprocal": try planUnary(.reciprocal)
        case "Floor": try planUnary(.floor)
        case "Ceil": try planUnary(.ceil)
        case "Softplus": try planUnary(.softplus)
        case "Erf": try planUnary(.erf)
        case "Not": try planUnary(.not)
        case "LeakyRelu": try planUnary(.leakyRelu(Double(float("alpha", 0.01))))
        case "Elu": try planUnary(.elu(Double(float("alpha", 1))))
        case "Clip": try planClip()
        case "MatMul": try planMatMul()
        case "Gemm": try planGemm()
        case "BatchNormalization": try planBatchNormalization()
        case "Softmax": try planSoftmax(isLog: false)
        case "LogSoftmax": try planSoftmax(isLog: true)
        case "Concat": try planConcat()
        case "Reshape": try planReshape()
        case "Flatten": try planFlatten()
        case "Squeeze": try planSqueeze()
        case "Unsqueeze": try planUnsqueeze()
        case "Gather": try planGather()
        case "ArgMax": try planArgMax()
        case "ReduceSum": try planReduce(isMean: false)
        case "ReduceMean": try planReduce(isMean: true)
        default:
            throw fault(
                "the operator \(node.op) is not supported",
                hint: "of ai.onnx these are: \(GraphPlanner.coreOperators.joined(separator: ", "))")
        }
    }

    private mutating func planIdentity() throws(WhenceError) {
        if node.op == "Dropout" {
            // At inference it does nothing.
            for name in ["ratio", "seed", "is_test", "consumed_inputs"] { _ = attribute(name) }
            if let training = try optionalInput(2), constantTensors[training.name]?.numbers.first != 0 {
                throw fault("it is in training mode", hint: "export the model in evaluation mode")
            }
        }
        try alias(try input(0))
    }

    private mutating func planConstant() throws(WhenceError) {
        guard let name = node.outputs.first else { return }
        var tensor = ONNXFile.Tensor()
        if let value = attribute("value")?.tensor {
            tensor = value
        } else if let value = attribute("value_float")?.float {
            tensor.numbers = [Double(value)]
        } else if let value = attribute("value_floats") {
            tensor.numbers = value.floats.map { Double($0) }
            tensor.dims = [tensor.numbers.count]
        } else if let value = attribute("value_int")?.int {
            tensor.type = .int64
            tensor.numbers = [try exact(value)]
        } else if let value = attribute("value_ints") {
            tensor.type = .int64
            tensor.numbers = try value.ints.map { value throws(WhenceError) in try exact(value) }
            tensor.dims = [tensor.numbers.count]
        } else if let value = attribute("value_string")?.string {
            tensor.type = .string
            tensor.strings = [value]
        } else if let value = attribute("value_strings") {
            tensor.type = .string
            tensor.strings = value.strings
            tensor.dims = [tensor.strings.count]
        } else {
            throw fault("it has no value that is supported")
        }
        try define(tensor, as: name)
    }

    /// A whole number that a double holds exactly.
    func exact(_ value: Int64) throws(WhenceError) -> Double {
        guard let number = Double(exactly: value), number.magnitude <= 9_007_199_254_740_992 else {
            throw fault("the whole number \(value) is beyond 2^53 and would not be exact")
        }
        return number
    }

    private mutating func planCast() throws(WhenceError) {
        _ = attribute("saturate")
        let value = try input(0)
        let number = int("to", 0)
        guard let type = ONNXFile.ElementType(rawValue: number) else {
            throw fault("it casts to the element type \(ONNXFile.typeName(number)), which is not supported")
        }
        guard type != .string, value.type != .string || type == .string else {
            if type == value.type { return try alias(value) }
            throw fault("it casts between text and numbers, which is not supported")
        }
        if case .constant = value.place {
            guard var tensor = constantTensors[value.name], let name = node.outputs.first else { throw fault("its input is unknown") }
            tensor.numbers = tensor.numbers.map { GraphKernels.cast($0, GraphPlanner.rounding(type)) }
            tensor.type = type
            return try define(tensor, as: name)
        }
        // A wider type holds every value of a narrower one, and needs no step.
        let isWidening =
            type == value.type || type == .double || (value.type == .bool)
            || (type == .int64 && value.type != .float && value.type != .double)
        if isWidening { return try alias(value, type: type) }
        let (_, place) = try rowInput(0)
        let to = try output(type, value.dims, labels: value.labels)
        add(.unary(.copy, from: place, to: to, width: value.width, GraphPlanner.rounding(type)))
    }

    private mutating func planUnary(_ function: GraphStep.Unary) throws(WhenceError) {
        _ = attribute("consumed_inputs")
        let (value, place) = try rowInput(0)
        let to = try output(value.type, value.dims, labels: value.labels)
        add(.unary(function, from: place, to: to, width: value.width, GraphPlanner.rounding(value.type)))
    }

    private mutating func planClip() throws(WhenceError) {
        var low = -Double.infinity
        var high = Double.infinity
        if opset < 11 {
            low = Double(float("min", -.greatestFiniteMagnitude))
            high = Double(float("max", .greatestFiniteMagnitude))
        } else {
            if try optionalInput(1) != nil { low = try constantInput(1).numbers.first ?? low }
            if try optionalInput(2) != nil { high = try constantInput(2).numbers.first ?? high }
        }
        try planUnary(.clip(low, high))
    }

    // MARK: Two operands

    private mutating func planBinary(_ function: GraphStep.Binary) throws(WhenceError) {
        _ = attribute("consumed_inputs")
        if opset < 7, int("broadcast", 0) != 0, int("axis", -1) != -1 {
            throw fault("it broadcasts along an axis, as old models do, which is not supported")
        }
        guard node.inputs.count == 2 else { throw fault("it has \(node.inputs.count) inputs, where two should be", code: .malformedInput) }
        _ = try combine(function, try input(0), try input(1), isLast: true)
    }

    /// Any number of inputs: the first with the second, what they give with the third, and so on, as onnxruntime takes them.
    private mutating func planVariadic(_ function: GraphStep.Binary) throws(WhenceError) {
        _ = attribute("consumed_inputs")
        var value = try input(0)
        guard value.type != .string else { throw fault("one of its inputs is text") }
        if node.inputs.count == 1 { return try alias(value) }
        for index in node.inputs.indices.dropFirst() {
            value = try combine(function, value, try input(index), isLast: index == node.inputs.count - 1)
        }
    }

    /// Plans a function of two values; the answer is the node's output if `isLast`, and has no name else.
    private mutating func combine(_ function: GraphStep.Binary, _ a: Value, _ b: Value, isLast: Bool) throws(WhenceError) -> Value {
        guard a.type != .string, b.type != .string else { throw fault("one of its inputs is text") }
        guard a.type == b.type || function == .power else {
            throw fault("its inputs have different types, \(a.type.name) and \(b.type.name)")
        }
        guard !(a.isConstant && b.isConstant) else {
            throw fault("two of its inputs are constants", hint: "export the model with constants folded")
        }
        // Shapes are matched from the last dimension on. With the rows in front, a constant may have one dimension more only if that is 1.
        let rank = Swift.max(a.isConstant ? a.dims.count - 1 : a.dims.count, b.isConstant ? b.dims.count - 1 : b.dims.count, 0)
        let (left, right) = (try aligned(a, rank), try aligned(b, rank))
        var dims: [Int] = []
        for index in 0..<rank {
            guard left[index] == right[index] || left[index] == 1 || right[index] == 1 else {
                throw fault("its inputs' shapes \(a.dims) and \(b.dims) do not fit together", code: .malformedInput)
            }
            dims.append(left[index] == 1 ? right[index] : left[index])
        }
        let labels = a.isConstant ? b.labels : a.labels
        let to = try output(a.type, dims, index: isLast ? 0 : .max, labels: labels)
        let width = dims.reduce(1, *)
        add(
            .binary(
                function, operand(a), indices(left, dims, width), operand(b), indices(right, dims, width), to: to, width: width,
                GraphPlanner.rounding(a.type)))
        return Value(name: "", type: a.type, dims: dims, place: .row(to), labels: labels)
    }

    private func operand(_ value: Value) -> GraphStep.Operand {
        switch value.place {
        case .row(let place): GraphStep.Operand(place: place, width: value.width, isConstant: false)
        case .constant(let place): GraphStep.Operand(place: place, width: value.width, isConstant: true)
        }
    }

    /// The dimensions behind that of the rows, filled up in front with ones to `rank`.
    private func aligned(_ value: Value, _ rank: Int) throws(WhenceError) -> [Int] {
        var dims = value.dims
        if value.isConstant {
            while dims.count > rank {
                guard dims[0] == 1 else { throw fault("a constant of shape \(value.dims) would differ from row to row") }
                dims.removeFirst()
            }
            return Array(repeating: 1, count: rank - dims.count) + dims
        }
        // ONNX aligns from the last dimension; with fewer dimensions the rows of one operand would meet another's features.
        guard dims.count == rank else {
            throw fault("its inputs' shapes would mix rows and features: one has \(dims.count + 1) dimensions, the other \(rank + 1)")
        }
        return dims
    }

    /// Which element of an operand of shape `dims` stands for each of the result; nil where it is the one of the same index.
    private func indices(_ dims: [Int], _ result: [Int], _ width: Int) -> [Int32]? {
        if dims == result { return nil }
        var strides = Array(repeating: 0, count: dims.count)
        var stride = 1
        for index in dims.indices.reversed() {
            strides[index] = dims[index] == 1 ? 0 : stride
            stride *= dims[index]
        }
        return (0..<width).map { position in
            var rest = position
            var at = 0
            for index in result.indices.reversed() {
                at += rest % result[index] * strides[index]
                rest /= result[index]
            }
            return Int32(at)
        }
    }

    // MARK: Matrices

    private mutating func planMatMul() throws(WhenceError) {
        let (value, place) = try rowInput(0)
        let weights = try constantInput(1)
        guard let inner = value.dims.last, [1, 2].contains(weights.dims.count), weights.dims[0] == inner else {
            throw fault("it multiplies shapes \(value.dims) and \(weights.dims), which do not fit or are not supported")
        }
        // A vector is a matrix of one column, and that column goes.
        let columns = Array(weights.dims.dropFirst())
        let outer = columns.first ?? 1
        let start = try addConstants(weights.numbers)
        let to = try output(value.type, Array(value.dims.dropLast()) + columns)
        add(
            .matrix(
                from: place, groups: value.width / Swift.max(1, inner), inner: inner, weights: start, bias: nil, to: to, outer: outer,
                GraphPlanner.rounding(value.type)))
    }

    private mutating func planGemm() throws(WhenceError) {
        let (value, place) = try rowInput(0)
        guard int("transA", 0) == 0 else { throw fault("its first input is transposed (transA), which would mix rows") }
        let isTransposed = int("transB", 0) != 0
        let alpha = Double(float("alpha", 1))
        let beta = Double(float("beta", 1))
        _ = attribute("broadcast")
        let weights = try constantInput(1)
        guard value.dims.count == 1, weights.dims.count == 2, weights.dims[isTransposed ? 1 : 0] == value.width else {
            throw fault("it multiplies shapes \(value.dims) and \(weights.dims), which do not fit or are not supported")
        }
        let inner = value.width
        let outer = weights.dims[isTransposed ? 0 : 1]
        var numbers = Array(repeating: 0.0, count: inner * outer)
        for k in 0..<inner {
            for n in 0..<outer { numbers[k * outer + n] = alpha * weights.numbers[isTransposed ? n * inner + k : k * outer + n] }
        }
        let start = try addConstants(numbers)
        var bias: Int?
        if try optionalInput(2) != nil {
            let tensor = try constantInput(2)
            guard tensor.count == outer || tensor.count == 1, tensor.dims.dropLast().allSatisfy({ $0 == 1 }) else {
                throw fault("its bias of shape \(tensor.dims) does not fit \(outer) outputs", code: .malformedInput)
            }
            bias = try addConstants((0..<outer).map { beta * tensor.numbers[tensor.count == 1 ? 0 : $0] })
        }
        let to = try output(value.type, [outer])
        add(
            .matrix(
                from: place, groups: 1, inner: inner, weights: start, bias: bias, to: to, outer: outer, GraphPlanner.rounding(value.type)))
    }

    /// At inference an affine map of each channel; a channel is the first dimension behind the rows.
    private mutating func planBatchNormalization() throws(WhenceError) {
        for name in ["momentum", "is_test", "spatial", "consumed_inputs"] { _ = attribute(name) }
        guard int("training_mode", 0) == 0 else { throw fault("it is in training mode", hint: "export the model in evaluation mode") }
        let epsilon = Double(float("epsilon", 1e-5))
        let (value, place) = try rowInput(0)
        let channels = value.dims.first ?? 1
        var parameters: [[Double]] = []
        for index in 1...4 {
            let tensor = try constantInput(index)
            guard tensor.count == channels else {
                throw fault("its input \(index) has \(tensor.count) elements for \(channels) channels", code: .malformedInput)
            }
            parameters.append(tensor.numbers)
        }
        let slopes = (0..<channels).map { parameters[0][$0] / (parameters[3][$0] + epsilon).squareRoot() }
        let shifts = (0..<channels).map { parameters[1][$0] - parameters[2][$0] * slopes[$0] }
        let perChannel = value.width / Swift.max(1, channels)
        let indices = (0..<value.width).map { Int32($0 / Swift.max(1, perChannel)) }
        let slope = GraphStep.Operand(place: try addConstants(slopes), width: channels, isConstant: true)
        let shift = GraphStep.Operand(place: try addConstants(shifts), width: channels, isConstant: true)
        let middle = try addRegion(value.width)
        let to = try output(value.type, value.dims)
        let own = GraphStep.Operand(place: place, width: value.width, isConstant: false)
        add(.binary(.multiply, own, nil, slope, indices, to: middle, width: value.width, .none))
        let between = GraphStep.Operand(place: middle, width: value.width, isConstant: false)
        add(.binary(.add, between, nil, shift, indices, to: to, width: value.width, GraphPlanner.rounding(value.type)))
    }
}
