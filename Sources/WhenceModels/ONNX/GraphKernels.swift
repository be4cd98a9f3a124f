import Foundation

/// What the steps of a graph do to a block of rows. Pointers come from the workspace and the constants, whose sizes the
/// planner has checked against every step; nothing here allocates.
enum GraphKernels {
    /// A number as a tensor of a type would hold it.
    @inline(__always)
    static func cast(_ value: Double, _ rounding: GraphStep.Rounding) -> Double {
        switch rounding {
        case .none: value
        case .float: Double(Float(value))
        case .whole: value.rounded(.towardZero)
        case .bool: value != 0 ? 1 : 0
        }
    }

    /// Runs one step over `rows` rows. False where a row holds what the model cannot take.
    static func run(
        _ step: GraphStep, _ workspace: GraphWorkspace, _ constants: GraphConstants, rows: Int
    ) -> Bool {
        switch step {
        case .unary(let function, let from, let to, let width, let rounding):
            unsafe unary(function, workspace.region(from, width), workspace.region(to, width), rows * width, rounding)
        case .binary(let function, let a, let left, let b, let right, let to, let width, let rounding):
            unsafe binary(
                function, operand(a, workspace, constants), a, left, operand(b, workspace, constants), b, right,
                workspace.region(to, width),
                rows: rows, width, rounding)
        case .matrix(let from, let groups, let inner, let weights, let bias, let to, let outer, let rounding):
            unsafe matrix(
                workspace.region(from, groups * inner), constants.numbers(weights, inner * outer),
                bias.map { unsafe constants.numbers($0, outer) },
                workspace.region(to, groups * outer), rows: rows * groups, inner, outer, rounding)
        case .pick(let from, let indices, let width, let to):
            let source = unsafe workspace.region(from, width)
            let target = unsafe workspace.region(to, indices.count)
            for row in 0..<rows {
                for index in indices.indices { unsafe target[row * indices.count + index] = source[row * width + Int(indices[index])] }
            }
        case .place(let from, let width, let to, let start, let whole):
            let source = unsafe workspace.region(from, width)
            let target = unsafe workspace.region(to, whole)
            for row in 0..<rows { unsafe (target + row * whole + start).update(from: source + row * width, count: width) }
        case .scale(let from, let width, let offset, let scale, let to):
            let source = unsafe workspace.region(from, width)
            let target = unsafe workspace.region(to, width)
            let (offsets, scales) = unsafe (constants.numbers(offset, width), constants.numbers(scale, width))
            for row in 0..<rows {
                for index in 0..<width {
                    let value = unsafe Double(Float(source[row * width + index]) - Float(offsets[index]))
                    unsafe target[row * width + index] = Double(Float(value * scales[index]))
                }
            }
        case .impute(let from, let width, let values, let replaced, let to, let rounding):
            let source = unsafe workspace.region(from, width)
            let target = unsafe workspace.region(to, width)
            let values = unsafe constants.numbers(values, width)
            for row in 0..<rows {
                for index in 0..<width {
                    let value = unsafe source[row * width + index]
                    let isReplaced = replaced.isNaN ? value.isNaN : value == replaced
                    unsafe target[row * width + index] = isReplaced ? cast(values[index], rounding) : value
                }
            }
        case .normalize(let norm, let from, let width, let to):
            let source = unsafe workspace.region(from, width)
            let target = unsafe workspace.region(to, width)
            for row in 0..<rows { unsafe normalize(norm, source + row * width, target + row * width, width) }
        case .lookUp(let from, let width, let table, let to):
            let source = unsafe workspace.region(from, width)
            let target = unsafe workspace.region(to, width)
            for index in 0..<(rows * width) { unsafe target[index] = table[source[index]] }
        case .oneHot(let from, let width, let table, let to, let categories, let strict, let truncates, _):
            return unsafe oneHot(
                workspace.region(from, width), workspace.region(to, width * categories), table, rows * width, categories, strict, truncates)
        case .softmax(let from, let groups, let width, let to, let isLog, let rounding):
            let source = unsafe workspace.region(from, groups * width)
            let target = unsafe workspace.region(to, groups * width)
            for run in 0..<(rows * groups) { unsafe softmax(source + run * width, target + run * width, width, isLog, rounding) }
        case .argMax(let from, let groups, let width, let to):
            let source = unsafe workspace.region(from, groups * width)
            let target = unsafe workspace.region(to, groups)
            for run in 0..<(rows * groups) { unsafe target[run] = Double(greatest(source + run * width, width)) }
        case .reduce(let from, let groups, let width, let to, let divisor, let rounding):
            let source = unsafe workspace.region(from, groups * width)
            let target = unsafe workspace.region(to, groups)
            for run in 0..<(rows * groups) {
                var sum = 0.0
                for index in 0..<width { unsafe sum += source[run * width + index] }
                unsafe target[run] = cast(sum / divisor, rounding)
            }
        case .index(let from, let values, let count, let to, _):
            let source = unsafe workspace.region(from, 1)
            let target = unsafe workspace.region(to, 1)
            let values = unsafe constants.numbers(values, count)
            for row in 0..<rows {
                let index = unsafe source[row]
                guard index >= 0, index < Double(count) else { return false }
                unsafe target[row] = values[Int(index)]
            }
        case .transform(let transform, let at, let width):
            let scores = unsafe workspace.region(at, width)
            for row in 0..<rows { unsafe post(transform, scores + row * width, width) }
        case .bothClasses(let rule, let from, let to):
            let source = unsafe workspace.region(from, 1)
            let target = unsafe workspace.region(to, 2)
            for row in 0..<rows {
                let score = unsafe Float(source[row])
                switch rule {
                case .complement: unsafe (target[2 * row], target[2 * row + 1]) = (Double(1 - score), Double(score))
                case .mirror: unsafe (target[2 * row], target[2 * row + 1]) = (Double(-score), Double(score))
                case .logistic: unsafe (target[2 * row], target[2 * row + 1]) = (logistic(Double(-score)), logistic(Double(score)))
                }
            }
        case .label(let from, let width, let labels, let to):
            let source = unsafe workspace.region(from, width)
            let target = unsafe workspace.region(to, 1)
            let labels = unsafe constants.numbers(labels, width)
            for row in 0..<rows { unsafe target[row] = labels[greatest(source + row * width, width)] }
        case .sideLabel(let from, let threshold, let labels, let to):
            let source = unsafe workspace.region(from, 1)
            let target = unsafe workspace.region(to, 1)
            let labels = unsafe constants.numbers(labels, 2)
            for row in 0..<rows { unsafe target[row] = labels[source[row] > threshold ? 1 : 0] }
        case .trees(let trees, let from, let width, let to):
            unsafe trees.run(workspace.region(from, width), width: width, rows: rows, into: workspace.region(to, trees.targets))
        }
        return true
    }

    @inline(__always)
    private static func operand(_ operand: GraphStep.Operand, _ workspace: GraphWorkspace, _ constants: GraphConstants) -> UnsafePointer<
        Double
    > {
        operand.isConstant
            ? unsafe constants.numbers(operand.place, operand.width) : unsafe UnsafePointer(workspace.region(operand.place, operand.width))
    }

    private static func unary(
        _ function: GraphStep.Unary, _ source: UnsafeMutablePointer<Double>, _ target: UnsafeMutablePointer<Double>, _ count: Int,
        _ rounding: GraphStep.Rounding
    ) {
        for index in 0..<count {
            let x = unsafe source[index]
            let y: Double
            switch function {
            case .copy: y = x
            // A NaN stays one.
            case .relu: y = x < 0 ? 0 : x
            case .sigmoid: y = 1 / (1 + Foundation.exp(-x))
            case .tanh: y = Foundation.tanh(x)
            case .exp: y = Foundation.exp(x)
            case .log: y = Foundation.log(x)
            case .sqrt: y = x.squareRoot()
            case .abs: y = Swift.abs(x)
            case .negate: y = -x
            case .reciprocal: y = 1 / x
            case .floor: y = x.rounded(.down)
            case .ceil: y = x.rounded(.up)
            case .softplus: y = x > 0 ? x + log1p(Foundation.exp(-x)) : log1p(Foundation.exp(x))
            case .erf: y = Foundation.erf(x)
            case .not: y = x == 0 ? 1 : 0
            case .leakyRelu(let slope): y = x < 0 ? slope * x : x
            case .elu(let alpha): y = x < 0 ? alpha * expm1(x) : x
            case .clip(let low, let high): y = x < low ? low : x > high ? high : x
            }
            unsafe target[index] = cast(y, rounding)
        }
    }

    private static func binary(
        _ function: GraphStep.Binary, _ a: UnsafePointer<Double>, _ left: GraphStep.Operand, _ leftIndices: [Int32]?,
        _ b: UnsafePointer<Double>,
        _ right: GraphStep.Operand, _ rightIndices: [Int32]?, _ target: UnsafeMutablePointer<Double>, rows: Int, _ width: Int,
        _ rounding: GraphStep.Rounding
    ) {
        for row in 0..<rows {
            let x = unsafe left.isConstant ? a : a + row * left.width
            let y = unsafe right.isConstant ? b : b + row * right.width
            for index in 0..<width {
                let u = unsafe x[leftIndices.map { Int($0[index]) } ?? index]
                let v = unsafe y[rightIndices.map { Int($0[index]) } ?? index]
                let z: Double
                switch function {
                case .add: z = u + v
                case .subtract: z = u - v
                case .multiply: z = u * v
                case .divide: z = u / v
                case .power: z = pow(u, v)
                case .minimum: z = u.isNaN || v.isNaN ? .nan : Swift.min(u, v)
                case .maximum: z = u.isNaN || v.isNaN ? .nan : Swift.max(u, v)
                }
                unsafe target[row * width + index] = cast(z, rounding)
            }
        }
    }

    /// Sums in double, rounded once: nearer to the exact sum than any order of float sums.
    private static func matrix(
        _ source: UnsafeMutablePointer<Double>, _ weights: UnsafePointer<Double>, _ bias: UnsafePointer<Double>?,
        _ target: UnsafeMutablePointer<Double>, rows: Int, _ inner: Int, _ outer: Int, _ rounding: GraphStep.Rounding
    ) {
        for row in 0..<rows {
            let x = unsafe source + row * inner
            let y = unsafe target + row * outer
            for n in 0..<outer { unsafe y[n] = bias.map { unsafe $0[n] } ?? 0 }
            for k in 0..<inner {
                let factor = unsafe x[k]
                let line = unsafe weights + k * outer
                for n in 0..<outer { unsafe y[n] += factor * line[n] }
            }
            if case .none = rounding { continue }
            for n in 0..<outer { unsafe y[n] = cast(y[n], rounding) }
        }
    }

    private static func normalize(
        _ norm: GraphStep.Norm, _ source: UnsafeMutablePointer<Double>, _ target: UnsafeMutablePointer<Double>, _ width: Int
    ) {
        var size = norm == .max ? -Double.infinity : 0
        for index in 0..<width {
            let x = unsafe source[index]
            switch norm {
            case .max: size = Swift.max(size, x)
            case .l1: size += Swift.abs(x)
            case .l2: size += x * x
            }
        }
        if norm == .l2 { size = size.squareRoot() }
        for index in 0..<width { unsafe target[index] = size == 0 ? source[index] : Double(Float(source[index] / size)) }
    }

    private static func oneHot(
        _ source: UnsafeMutablePointer<Double>, _ target: UnsafeMutablePointer<Double>, _ table: GraphTable, _ count: Int,
        _ categories: Int,
        _ strict: Bool, _ truncates: Bool
    ) -> Bool {
        unsafe target.update(repeating: 0, count: count * categories)
        for index in 0..<count {
            let value = unsafe truncates ? source[index].rounded(.towardZero) : source[index]
            let category = table[value]
            if category >= 0 {
                unsafe target[index * categories + Int(category)] = 1
            } else if strict {
                return false
            }
        }
        return true
    }

    private static func softmax(
        _ source: UnsafeMutablePointer<Double>, _ target: UnsafeMutablePointer<Double>, _ width: Int, _ isLog: Bool,
        _ rounding: GraphStep.Rounding
    ) {
        var top = -Double.infinity
        for index in 0..<width { top = unsafe Swift.max(top, source[index]) }
        var sum = 0.0
        // A distance is held as the type would hold it: far below the greatest its rounding is what shows in the answer.
        for index in 0..<width { unsafe sum += Foundation.exp(cast(source[index] - top, rounding)) }
        for index in 0..<width {
            let x = unsafe cast(source[index] - top, rounding)
            unsafe target[index] = cast(isLog ? x - Foundation.log(sum) : Foundation.exp(x) / sum, rounding)
        }
    }

    /// The index of the first greatest number.
    @inline(__always)
    private static func greatest(_ numbers: UnsafeMutablePointer<Double>, _ width: Int) -> Int {
        var best = 0
        for index in 1..<Swift.max(1, width) where unsafe numbers[index] > numbers[best] { best = index }
        return best
    }

    /// In floats, and for a negative number by way of the positive one, as onnxruntime has it.
    @inline(__always)
    static func logistic(_ x: Double) -> Double {
        let side = 1 / (1 + Foundation.exp(-Swift.abs(Float(x))))
        return Double(x < 0 ? 1 - side : side)
    }

    /// The transforms of `ai.onnx.ml`, as onnxruntime has them (`ml_common.h`): in floats, step by step, so that small
    /// probabilities come out with its own rounding.
    private static func post(_ transform: GraphStep.PostTransform, _ scores: UnsafeMutablePointer<Double>, _ width: Int) {
        switch transform {
        case .none: break
        case .logistic: for index in 0..<width { unsafe scores[index] = logistic(scores[index]) }
        case .softmax, .softmaxZero:
            var top = -Float.greatestFiniteMagnitude
            for index in 0..<width { top = unsafe Swift.max(top, Float(scores[index])) }
            let scale = Foundation.exp(-top)
            var sum: Float = 0
            for index in 0..<width {
                let x = unsafe Float(scores[index])
                if case .softmaxZero = transform, Swift.abs(x) <= 1e-7 {
                    unsafe scores[index] = Double(x * scale)
                } else {
                    let share = Foundation.exp(x - top)
                    unsafe scores[index] = Double(share)
                    sum += share
                }
            }
            for index in 0..<width { unsafe scores[index] = Double(Float(scores[index]) / sum) }
        case .probit: for index in 0..<width { unsafe scores[index] = probit(Float(scores[index])) }
        }
    }

    /// The inverse of the normal distribution's integral by an approximation of the inverse error function (Winitzki 2008), in
    /// floats and with the constants that onnxruntime has.
    private static func probit(_ score: Float) -> Double {
        let x = 2 * score - 1
        let logarithm = Foundation.log((1 - x) * (1 + x))
        let v = Float(2 / (Double.pi * 0.147)) + 0.5 * logarithm
        let w = 1 / Float(0.147) * logarithm
        let root = (-v + (v * v - w).squareRoot()).squareRoot()
        return Double(Float(1.41421356) * ((x < 0 ? -1 : 1) * root))
    }
}
