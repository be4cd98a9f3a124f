import WhenceCore

/// Operators of `ai.onnx.ml` that prepare features: encoders, scalers, imputers.
extension GraphPlanner {
    static let mlOperators = [
        "ArrayFeatureExtractor", "FeatureVectorizer", "Imputer", "LabelEncoder", "LinearClassifier", "LinearRegressor", "Normalizer",
        "OneHotEncoder", "Scaler", "TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor", "ZipMap",
    ]

    mutating func planML() throws(WhenceError) {
        switch node.op {
        case "ArrayFeatureExtractor": try planArrayFeatureExtractor()
        case "FeatureVectorizer": try planFeatureVectorizer()
        case "Imputer": try planImputer()
        case "LabelEncoder": try planLabelEncoder()
        case "LinearClassifier": try planLinearClassifier()
        case "LinearRegressor": try planLinearRegressor()
        case "Normalizer": try planNormalizer()
        case "OneHotEncoder": try planOneHotEncoder()
        case "Scaler": try planScaler()
        case "TreeEnsembleClassifier", "TreeEnsembleRegressor": try planTreeEnsemble()
        case "TreeEnsemble": try planTreeEnsemble5()
        case "ZipMap": try planZipMap()
        default:
            throw fault(
                "the operator ai.onnx.ml.\(node.op) is not supported",
                hint: "of ai.onnx.ml these are: \(GraphPlanner.mlOperators.joined(separator: ", "))")
        }
    }

    /// The input of an operator that works on one row of features.
    mutating func features(_ index: Int = 0) throws(WhenceError) -> (value: Value, place: Int, width: Int) {
        let (value, place) = try rowInput(index)
        guard value.dims.count <= 1 else { throw fault("its input '\(value.name)' has more dimensions than rows and features") }
        return (value, place, value.width)
    }

    /// An array of one number for all features, or one for each.
    private func spread(_ numbers: [Double], _ width: Int, _ name: String) throws(WhenceError) -> [Double] {
        guard numbers.count == width || numbers.count == 1 else {
            throw fault("its attribute '\(name)' has \(numbers.count) elements for \(width) features", code: .malformedInput)
        }
        return numbers.count == width ? numbers : Array(repeating: numbers[0], count: width)
    }

    private mutating func planScaler() throws(WhenceError) {
        let offsets = attribute("offset")?.floats.map { Double($0) } ?? [0]
        let scales = attribute("scale")?.floats.map { Double($0) } ?? [1]
        let (value, place, width) = try features()
        let offset = try addConstants(try spread(offsets, width, "offset"))
        let scale = try addConstants(try spread(scales, width, "scale"))
        let to = try output(.float, value.dims)
        add(.scale(from: place, width: width, offset: offset, scale: scale, to: to))
    }

    private mutating func planImputer() throws(WhenceError) {
        let floats = attribute("imputed_value_floats")?.floats ?? []
        let ints = attribute("imputed_value_int64s")?.ints ?? WholeNumbers()
        let replacedFloat = float("replaced_value_float", 0)
        let replacedInt = int("replaced_value_int64", 0)
        let (value, place, width) = try features()
        let isWhole = value.type == .int64
        guard isWhole ? !ints.isEmpty : !floats.isEmpty else {
            throw fault("it has no values to put in for its input's type, \(value.type.name)")
        }
        let numbers = isWhole ? try ints.map { value throws(WhenceError) in try exact(value) } : floats.map { Double($0) }
        let values = try addConstants(try spread(numbers, width, "imputed_value"))
        let to = try output(value.type, value.dims)
        add(
            .impute(
                from: place, width: width, values: values, replaced: isWhole ? Double(replacedInt) : Double(replacedFloat), to: to,
                GraphPlanner.rounding(value.type)))
    }

    private mutating func planNormalizer() throws(WhenceError) {
        let name = text("norm", "MAX")
        let norms: [String: GraphStep.Norm] = ["MAX": .max, "L1": .l1, "L2": .l2]
        guard let norm = norms[name] else { throw fault("its norm '\(name)' is not known") }
        let (value, place, width) = try features()
        let to = try output(.float, value.dims, labels: value.labels)
        add(.normalize(norm, from: place, width: width, to: to))
    }

    private mutating func planFeatureVectorizer() throws(WhenceError) {
        let widths = attribute("inputdimensions")?.ints
        var total = 0
        var parts: [(place: Int, width: Int)] = []
        for index in node.inputs.indices {
            let (_, place, width) = try features(index)
            guard widths == nil || index < (widths?.count ?? 0) && widths?[index] == Int64(width) else {
                throw fault(
                    "its input \(index) has \(width) features, and its attribute 'inputdimensions' says otherwise", code: .malformedInput)
            }
            parts.append((place, width))
            total += width
        }
        let middle = try addRegion(total)
        let to = try output(.float, [total])
        var start = 0
        for part in parts {
            add(.place(from: part.place, width: part.width, to: middle, start: start, of: total))
            start += part.width
        }
        add(.unary(.copy, from: middle, to: to, width: total, .float))
    }

    private mutating func planArrayFeatureExtractor() throws(WhenceError) {
        let value = try input(0)
        let indices = try input(1)
        guard !value.isConstant else { return try planLookUpByIndex(value, indices) }
        let (row, place) = try rowInput(0, allowsText: true)
        let list = try picks(try constantInput(1), of: row.width)
        guard row.dims.count == 1 else { throw fault("its input has more dimensions than rows and features") }
        let to = try output(row.type, [list.count])
        add(.pick(from: place, indices: list, width: row.width, to: to))
    }

    /// A constant list, such as the classes, indexed by a number of each row.
    private mutating func planLookUpByIndex(_ list: Value, _ indices: Value) throws(WhenceError) {
        guard case .constant(let start) = list.place, case .row(let place) = indices.place, indices.width == 1, list.width > 0,
            list.dims.dropLast().allSatisfy({ $0 == 1 })
        else { throw fault("it takes several elements of a constant for each row, which is not supported") }
        let to = try output(list.type, [])
        add(.index(from: place, values: start, count: list.width, to: to, name: node.place))
    }

    // MARK: Encoders

    /// Keys or values of an encoder: as text, whole numbers or floats, whichever of the attributes is there.
    private mutating func entries(_ prefix: String) throws(WhenceError) -> (type: ONNXFile.ElementType, numbers: [Double])? {
        if let attribute = attribute("\(prefix)_strings"), !attribute.strings.isEmpty {
            return (.string, attribute.strings.map { code($0) })
        }
        if let attribute = attribute("\(prefix)_int64s"), !attribute.ints.isEmpty {
            return (.int64, try attribute.ints.map { value throws(WhenceError) in try exact(value) })
        }
        if let attribute = attribute("\(prefix)_floats"), !attribute.floats.isEmpty {
            return (.float, attribute.floats.map { Double($0) })
        }
        if let tensor = attribute("\(prefix)_tensor")?.tensor {
            return (tensor.type, tensor.type == .string ? tensor.strings.map { code($0) } : tensor.numbers)
        }
        return nil
    }

    private mutating func planLabelEncoder() throws(WhenceError) {
        let (value, place) = try rowInput(0, allowsText: true)
        let otherText = text("default_string", "_Unused")
        let otherInt = int("default_int64", -1)
        let otherFloat = float("default_float", -0.0)
        let otherTensor = attribute("default_tensor")?.tensor
        var keys: (type: ONNXFile.ElementType, numbers: [Double])
        var results: (type: ONNXFile.ElementType, numbers: [Double])
        if let classes = attribute("classes_strings") {
            // Version 1: between texts and their indices.
            let texts = (type: ONNXFile.ElementType.string, numbers: classes.strings.map { code($0) })
            let indices = (type: ONNXFile.ElementType.int64, numbers: classes.strings.indices.map { Double($0) })
            (keys, results) = value.type == .string ? (texts, indices) : (indices, texts)
        } else {
            guard let found = try entries("keys"), let made = try entries("values"), found.numbers.count == made.numbers.count else {
                throw fault("it has no keys and values, or not as many of both", code: .malformedInput)
            }
            (keys, results) = (found, made)
        }
        guard keys.type == value.type else {
            throw fault("its keys are \(keys.type.name), and its input is \(value.type.name)", code: .malformedInput)
        }
        let missing: Double
        if let tensor = otherTensor {
            guard tensor.type == results.type, tensor.count == 1 else {
                throw fault("its default has another type than its values", code: .malformedInput)
            }
            missing = tensor.type == .string ? code(tensor.strings[0]) : tensor.numbers[0]
        } else {
            missing = results.type == .string ? code(otherText) : results.type == .int64 ? Double(otherInt) : Double(otherFloat)
        }
        var table = GraphTable(Array(zip(keys.numbers, results.numbers)).map { (key: $0.0, value: $0.1) }, missing: missing)
        // Before version 4 a NaN among the keys meets nothing.
        if opset < 4 { table.nan = nil }
        let to = try output(results.type, value.dims)
        add(.lookUp(from: place, width: value.width, table: table, to: to))
    }

    private mutating func planOneHotEncoder() throws(WhenceError) {
        let (value, place) = try rowInput(0, allowsText: true)
        let isStrict = int("zeros", 1) == 0
        let texts = attribute("cats_strings")?.strings ?? []
        let numbers = attribute("cats_int64s")?.ints ?? WholeNumbers()
        guard texts.isEmpty != numbers.isEmpty, value.type == .string ? numbers.isEmpty : texts.isEmpty else {
            throw fault("its categories do not have the type of its input, \(value.type.name)", code: .malformedInput)
        }
        let keys = texts.isEmpty ? try numbers.map { value throws(WhenceError) in try exact(value) } : texts.map { code($0) }
        let table = GraphTable(keys.enumerated().map { (key: $1, value: Double($0)) }, missing: -1)
        let to = try output(.float, value.dims + [keys.count])
        add(
            .oneHot(
                from: place, width: value.width, table: table, to: to, categories: keys.count, strict: isStrict,
                truncates: value.type != .string, name: node.place))
    }

    private mutating func planZipMap() throws(WhenceError) {
        let value = try input(0)
        let texts = attribute("classlabels_strings")?.strings ?? []
        let numbers = attribute("classlabels_int64s")?.ints ?? WholeNumbers()
        let labels = texts.isEmpty ? numbers.map { String($0) } : texts
        guard labels.count == value.width, !value.isConstant else {
            throw fault("it has \(labels.count) labels for \(value.width) values", code: .malformedInput)
        }
        var view = value
        view.labels = labels
        try alias(view)
    }

    // MARK: Linear models

    mutating func postTransform() throws(WhenceError) -> GraphStep.PostTransform {
        let name = text("post_transform", "NONE")
        guard let transform = GraphStep.PostTransform(rawValue: name) else { throw fault("its post_transform '\(name)' is not known") }
        return transform
    }

    /// The labels of a classifier: numbers, or codes of texts; and what they are called.
    mutating func classLabels(_ ints: String) throws(WhenceError) -> (type: ONNXFile.ElementType, numbers: [Double], names: [String]) {
        let texts = attribute("classlabels_strings")?.strings ?? []
        let numbers = attribute(ints)?.ints ?? WholeNumbers()
        guard texts.isEmpty != numbers.isEmpty else { throw fault("it has no class labels, or two kinds of them", code: .malformedInput) }
        if texts.isEmpty { return (.int64, try numbers.map { value throws(WhenceError) in try exact(value) }, numbers.map { String($0) }) }
        return (.string, texts.map { code($0) }, texts)
    }

    /// The weights of a linear model as a matrix, inner by outer, and where they and the intercepts are.
    private mutating func linear(_ width: Int, _ targets: Int) throws(WhenceError) -> (weights: Int, bias: Int?) {
        let coefficients = attribute("coefficients")?.floats ?? []
        let intercepts = attribute("intercepts")?.floats ?? []
        guard targets > 0, coefficients.count == width * targets, intercepts.isEmpty || intercepts.count == targets else {
            throw fault(
                "it has \(coefficients.count) coefficients and \(intercepts.count) intercepts for \(width) features and \(targets) targets",
                code: .malformedInput)
        }
        var numbers: [Double] = []
        numbers.reserveCapacity(coefficients.count)
        for k in 0..<width { for n in 0..<targets { numbers.append(Double(coefficients[n * width + k])) } }
        let weights = try addConstants(numbers)
        return (weights, intercepts.isEmpty ? nil : try addConstants(intercepts.map { Double($0) }))
    }

    /// The input as floats: linear models compute in them.
    private mutating func asFloat(_ value: Value, _ place: Int) throws(WhenceError) -> Int {
        guard value.type != .float else { return place }
        let to = try addRegion(value.width)
        add(.unary(.copy, from: place, to: to, width: value.width, .float))
        return to
    }

    private mutating func planLinearRegressor() throws(WhenceError) {
        let (value, place, width) = try features()
        let targets = int("targets", 1)
        let transform = try postTransform()
        guard (1...100_000).contains(targets) else { throw fault("it has \(targets) targets", code: .malformedInput) }
        let (weights, bias) = try linear(width, targets)
        let from = try asFloat(value, place)
        let to = try output(.float, [targets])
        add(.matrix(from: from, groups: 1, inner: width, weights: weights, bias: bias, to: to, outer: targets, .float))
        // onnxruntime leaves a single target as it is, but for PROBIT.
        if targets > 1 || transform == .probit { add(.transform(transform, at: to, width: targets)) }
    }

    private mutating func planLinearClassifier() throws(WhenceError) {
        let (value, place, width) = try features()
        let labels = try classLabels("classlabels_ints")
        let transform = try postTransform()
        _ = int("multi_class", 0)
        let targets =
            attribute("intercepts").map { Swift.max(1, $0.floats.count) } ?? (attribute("coefficients")?.floats.count ?? 0)
            / Swift.max(1, width)
        let (weights, bias) = try linear(width, targets)
        guard targets == 1 ? labels.numbers.count == 2 : labels.numbers.count == targets else {
            throw fault("it has \(labels.numbers.count) class labels for \(targets) scores", code: .malformedInput)
        }
        let from = try asFloat(value, place)
        let label = try output(labels.type, [])
        let labelStart = try addConstants(labels.numbers)
        let to = try output(.float, [labels.numbers.count], index: 1, labels: labels.names)
        guard targets == 1 else {
            add(.matrix(from: from, groups: 1, inner: width, weights: weights, bias: bias, to: to, outer: targets, .float))
            add(.label(from: to, width: targets, labels: labelStart, to: label))
            add(.transform(transform, at: to, width: targets))
            return
        }
        guard transform != .probit else { throw fault("it has the post_transform PROBIT with a single score, which is not supported") }
        let score = try addRegion(1)
        add(.matrix(from: from, groups: 1, inner: width, weights: weights, bias: bias, to: score, outer: 1, .float))
        add(.sideLabel(from: score, threshold: 0, labels: labelStart, to: label))
        add(.bothClasses(transform == .logistic ? .logistic : .complement, from: score, to: to))
    }
}
