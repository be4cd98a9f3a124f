import WhenceCore

/// Operators of the default set that rearrange or summarise the numbers of a row.
extension GraphPlanner {
    /// The index among the dimensions of a row for `axis` of the whole shape; that of the rows is refused.
    func rowAxis(_ axis: Int, _ value: Value) throws(WhenceError) -> Int {
        let rank = value.dims.count + 1
        let positive = axis < 0 ? axis + rank : axis
        guard positive >= 0, positive < rank else {
            throw fault("there is no axis \(axis) in a shape of \(rank) dimensions", code: .malformedInput)
        }
        guard positive > 0 else { throw fault("it works along axis 0, across the rows, which is not supported") }
        return positive - 1
    }

    mutating func planConcat() throws(WhenceError) {
        let first = try input(0)
        let axis = try rowAxis(int("axis", 1), first)
        var parts: [(value: Value, place: Int)] = []
        var dims = first.dims
        dims[axis] = 0
        for index in node.inputs.indices {
            let part = try rowInput(index, allowsText: true)
            guard part.value.type == first.type, part.value.dims.count == dims.count,
                dims.indices.allSatisfy({ $0 == axis || dims[$0] == part.value.dims[$0] })
            else { throw fault("its inputs '\(first.name)' and '\(part.value.name)' do not fit together", code: .malformedInput) }
            dims[axis] += part.value.dims[axis]
            parts.append(part)
        }
        let to = try output(first.type, dims)
        let inner = dims[(axis + 1)...].reduce(1, *)
        let outer = dims[..<axis].reduce(1, *)
        let total = dims.reduce(1, *)
        var start = 0
        for part in parts {
            let run = part.value.dims[axis] * inner
            if outer == 1 {
                add(.place(from: part.place, width: run, to: to, start: start, of: total))
            } else {
                throw fault("it joins inputs of several dimensions within a row, which is not supported")
            }
            start += run
        }
    }

    mutating func planReshape() throws(WhenceError) {
        let value = try input(0)
        var shape: [Int]
        if opset < 5, let attribute = attribute("shape") {
            shape = attribute.ints.map { Int($0) }
        } else {
            shape = try wholes(try constantInput(1))
        }
        let allowsZero = int("allowzero", 0) != 0
        guard shape.count <= 16, shape.filter({ $0 == -1 }).count <= 1, !allowsZero || !shape.contains(0) else {
            throw fault("the shape \(shape) is not supported")
        }
        if value.isConstant {
            let whole = value.dims
            for index in shape.indices where shape[index] == 0 { shape[index] = index < whole.count ? whole[index] : 0 }
            guard let dims = GraphPlanner.filled(shape, value.width) else {
                throw fault("a constant of shape \(whole) cannot have the shape \(shape)")
            }
            return try alias(value, dims: dims)
        }
        for index in shape.indices.dropFirst() where shape[index] == 0 {
            shape[index] = index <= value.dims.count ? value.dims[index - 1] : 0
        }
        guard let rows = shape.first else { throw fault("it makes a scalar of all rows") }
        // The first dimension must stay that of the rows: said so (0, or the fixed number), or left over for it (-1).
        guard rows == 0 || rows == -1 || isRows(rows), let dims = GraphPlanner.filled(Array(shape.dropFirst()), value.width) else {
            throw fault("it makes of rows of shape \(value.dims) the shape \(shape), which would mix rows")
        }
        try alias(value, dims: dims)
    }

    /// The shape with its -1 filled in so that it holds `width` elements, or nil.
    private static func filled(_ shape: [Int], _ width: Int) -> [Int]? {
        var known = 1
        for dim in shape where dim != -1 {
            guard dim >= 0 else { return nil }
            let (product, overflow) = known.multipliedReportingOverflow(by: dim)
            guard !overflow else { return nil }
            known = product
        }
        guard shape.contains(-1) else { return known == width ? shape : nil }
        guard known > 0, width % known == 0 else { return nil }
        return shape.map { $0 == -1 ? width / known : $0 }
    }

    mutating func planFlatten() throws(WhenceError) {
        let value = try input(0)
        guard int("axis", 1) == 1, !value.isConstant else { throw fault("it flattens from another axis than 1, which would mix rows") }
        try alias(value, dims: [value.width])
    }

    /// The axes that an attribute or a constant input names; nil where neither does.
    private mutating func axes() throws(WhenceError) -> [Int]? {
        if let attribute = attribute("axes") { return attribute.ints.map { Int($0) } }
        guard try optionalInput(1) != nil else { return nil }
        return try wholes(try constantInput(1))
    }

    mutating func planSqueeze() throws(WhenceError) {
        let value = try input(0)
        if value.isConstant { return try alias(value, dims: value.dims.filter { $0 != 1 }) }
        let axes = try axes()
        var removed: Set<Int> = []
        for axis in axes ?? [] { removed.insert(try rowAxis(axis, value)) }
        if axes == nil { removed = Set(value.dims.indices.filter { value.dims[$0] == 1 }) }
        guard removed.allSatisfy({ value.dims[$0] == 1 }) else {
            throw fault("it removes a dimension that is not 1", code: .malformedInput)
        }
        try alias(value, dims: value.dims.indices.filter { !removed.contains($0) }.map { value.dims[$0] })
    }

    mutating func planUnsqueeze() throws(WhenceError) {
        let value = try input(0)
        guard let axes = try axes() else { throw fault("it does not say which axes to add", code: .malformedInput) }
        var dims = value.isConstant ? value.dims : [0] + value.dims
        let rank = dims.count + axes.count
        guard axes.count <= 16 else { throw fault("there are too many axes") }
        for axis in axes.map({ $0 < 0 ? $0 + rank : $0 }).sorted() {
            guard axis >= 0, axis <= dims.count else { throw fault("there is no axis \(axis)", code: .malformedInput) }
            guard value.isConstant || axis > 0 else { throw fault("it adds a dimension in front of the rows, which is not supported") }
            dims.insert(1, at: axis)
        }
        try alias(value, dims: value.isConstant ? dims : Array(dims.dropFirst()))
    }

    mutating func planGather() throws(WhenceError) {
        let (value, place) = try rowInput(0, allowsText: true)
        let axis = try rowAxis(int("axis", 0), value)
        let indices = try constantInput(1)
        let list = try picks(indices, of: value.dims[axis])
        let (before, behind) = (value.dims[..<axis], value.dims[(axis + 1)...])
        let to = try output(value.type, before + indices.dims + behind)
        // Every element of the answer by its place in the row.
        let inner = behind.reduce(1, *)
        var places: [Int32] = []
        for outer in 0..<before.reduce(1, *) {
            for index in list {
                let start = (outer * value.dims[axis] + Int(index)) * inner
                places += (0..<inner).map { Int32(start + $0) }
            }
        }
        add(.pick(from: place, indices: places, width: value.width, to: to))
    }

    /// Indices into `count` elements, negative ones from the end.
    func picks(_ tensor: ONNXFile.Tensor, of count: Int) throws(WhenceError) -> [Int32] {
        var picks: [Int32] = []
        for number in try wholes(tensor) {
            let index = number < 0 ? number + count : number
            guard index >= 0, index < count else {
                throw fault("the index \(number) is out of range of \(count) elements", code: .malformedInput)
            }
            picks.append(Int32(index))
        }
        return picks
    }

    /// The numbers of a tensor of whole numbers.
    func wholes(_ tensor: ONNXFile.Tensor) throws(WhenceError) -> [Int] {
        var wholes: [Int] = []
        for number in tensor.numbers {
            guard let whole = Int(exactly: number) else {
                throw fault("\(number) stands where a whole number should", code: .malformedInput)
            }
            wholes.append(whole)
        }
        return wholes
    }

    mutating func planSoftmax(isLog: Bool) throws(WhenceError) {
        let (value, place) = try rowInput(0)
        let isNew = opset >= 13
        let axis = int("axis", isNew ? -1 : 1)
        let position = try rowAxis(axis, value)
        // Before version 13 everything from the axis on counts as one run.
        guard !isNew || position == value.dims.count - 1 else { throw fault("it works along axis \(axis), which is not the last") }
        let width = isNew ? value.dims[position] : value.dims[position...].reduce(1, *)
        let to = try output(value.type, value.dims, labels: value.labels)
        add(
            .softmax(
                from: place, groups: value.width / Swift.max(1, width), width: width, to: to, isLog: isLog,
                GraphPlanner.rounding(value.type)))
    }

    mutating func planArgMax() throws(WhenceError) {
        let (value, place) = try rowInput(0)
        let position = try rowAxis(int("axis", 0), value)
        guard position == value.dims.count - 1, int("select_last_index", 0) == 0, value.dims[position] > 0 else {
            throw fault("it works along an axis that is not the last, or takes the last of equals, which is not supported")
        }
        let dims = Array(value.dims.dropLast()) + (int("keepdims", 1) != 0 ? [1] : [])
        let to = try output(.int64, dims)
        add(.argMax(from: place, groups: value.width / value.dims[position], width: value.dims[position], to: to))
    }

    mutating func planReduce(isMean: Bool) throws(WhenceError) {
        let (value, place) = try rowInput(0)
        let keeps = int("keepdims", 1) != 0
        _ = attribute("noop_with_empty_axes")
        guard let axes = try axes(), axes.count == 1, try rowAxis(axes[0], value) == value.dims.count - 1, let width = value.dims.last,
            width > 0
        else { throw fault("it works along other axes than the last, which is not supported") }
        let to = try output(value.type, Array(value.dims.dropLast()) + (keeps ? [1] : []))
        add(
            .reduce(
                from: place, groups: value.width / width, width: width, to: to, divisor: isMean ? Double(width) : 1,
                GraphPlanner.rounding(value.type)))
    }
}
