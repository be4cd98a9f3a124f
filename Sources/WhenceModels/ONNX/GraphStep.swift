/// One step of a planned graph. Places are offsets into the workspace in numbers a row; weights are offsets into the
/// graph's constants. What the planner has checked is not checked again: every place holds as many numbers a row as the
/// step reads or writes, and outputs overlap no inputs.
enum GraphStep {
    /// How a result is held: as the type of its tensor would hold it.
    enum Rounding: Sendable { case none, float, whole, bool }

    enum Unary: Sendable {
        case copy, relu, sigmoid, tanh, exp, log, sqrt, abs, negate, reciprocal, floor, ceil, softplus, erf, not
        case leakyRelu(Double), elu(Double), clip(Double, Double)
    }

    enum Binary: Sendable { case add, subtract, multiply, divide, power, minimum, maximum }

    enum Norm: Sendable { case max, l1, l2 }

    /// What turns scores into answers.
    enum PostTransform: String, Sendable {
        case none = "NONE", logistic = "LOGISTIC", softmax = "SOFTMAX", softmaxZero = "SOFTMAX_ZERO", probit = "PROBIT"
    }

    /// An operand: numbers of the row, or constants that are the same for every row.
    struct Operand: Sendable {
        var place: Int
        var width: Int
        var isConstant: Bool
    }

    /// `out[i] = f(in[i])`.
    case unary(Unary, from: Int, to: Int, width: Int, Rounding)
    /// `out[i] = f(a[i % a.width / a.repeats], …)`, by index lists where the shapes differ (nil: the same index).
    case binary(Binary, Operand, [Int32]?, Operand, [Int32]?, to: Int, width: Int, Rounding)
    /// `out[i, n] = sum over k of in[i, k] * weights[k, n] + bias[n]`, for the `groups` rows of each row.
    case matrix(from: Int, groups: Int, inner: Int, weights: Int, bias: Int?, to: Int, outer: Int, Rounding)
    /// `out[i] = in[indices[i]]`.
    case pick(from: Int, indices: [Int32], width: Int, to: Int)
    /// `out[start ..< start + width] = in`.
    case place(from: Int, width: Int, to: Int, start: Int, of: Int)
    /// `out[i] = (in[i] - offset[i]) * scale[i]`, each rounded to float.
    case scale(from: Int, width: Int, offset: Int, scale: Int, to: Int)
    /// `out[i] = in[i]`, or `values[i]` where that is `replaced` (NaN: is NaN).
    case impute(from: Int, width: Int, values: Int, replaced: Double, to: Int, Rounding)
    case normalize(Norm, from: Int, width: Int, to: Int)
    /// `out[i] = table[in[i]]`, by sorted keys; `missing` where there is none.
    case lookUp(from: Int, width: Int, table: GraphTable, to: Int)
    /// A one for the index of each value among the categories; `strict`: an unknown one is an error.
    case oneHot(from: Int, width: Int, table: GraphTable, to: Int, categories: Int, strict: Bool, truncates: Bool, name: String)
    /// Softmax over each of `groups` runs of `width`.
    case softmax(from: Int, groups: Int, width: Int, to: Int, isLog: Bool, Rounding)
    /// The index of the first greatest of `width` numbers.
    case argMax(from: Int, groups: Int, width: Int, to: Int)
    /// The sum of `width` numbers, divided by `divisor`.
    case reduce(from: Int, groups: Int, width: Int, to: Int, divisor: Double, Rounding)
    /// `out = values[in]`, an index into constants; out of range is an error.
    case index(from: Int, values: Int, count: Int, to: Int, name: String)
    /// The transform of an ensemble's or a linear model's scores, in place.
    case transform(PostTransform, at: Int, width: Int)
    /// From one score of a binary model the scores of both classes.
    case bothClasses(BinaryScores, from: Int, to: Int)
    /// The label of the greatest score; for a single score, of its side of `threshold`.
    case label(from: Int, width: Int, labels: Int, to: Int)
    case sideLabel(from: Int, threshold: Double, labels: Int, to: Int)
    /// An ensemble of trees: `width` features in, `targets` sums out.
    case trees(GraphTrees, from: Int, width: Int, to: Int)

    /// How onnxruntime makes two scores of one.
    enum BinaryScores: Sendable {
        /// `[1 - s, s]`.
        case complement
        /// `[-s, s]`.
        case mirror
        /// `[sigmoid(-s), sigmoid(s)]`.
        case logistic
    }
}

/// Values by keys, both numbers (strings by their codes); found by bisection.
struct GraphTable: Sendable {
    /// In increasing order, NaN left out.
    var keys: [Double]
    var values: [Double]
    /// What a NaN stands for, where it is a key.
    var nan: Double?
    /// What other keys stand for.
    var missing: Double

    /// Of several entries of one key the first counts, as in onnxruntime.
    init(_ pairs: [(key: Double, value: Double)], missing: Double) {
        self.missing = missing
        keys = []
        values = []
        nan = pairs.first { $0.key.isNaN }?.value
        // The sort is stable, so that the first of equal keys comes first.
        for pair in pairs.filter({ !$0.key.isNaN }).sorted(by: { $0.key < $1.key }) where keys.last != pair.key {
            keys.append(pair.key)
            values.append(pair.value)
        }
    }

    /// The index of `key`, or nil.
    @inline(__always)
    func index(of key: Double) -> Int? {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low &+ high) &>> 1
            if keys[middle] < key { low = middle &+ 1 } else { high = middle }
        }
        return low < keys.count && keys[low] == key ? low : nil
    }

    @inline(__always)
    subscript(key: Double) -> Double {
        if key.isNaN { return nan ?? missing }
        return index(of: key).map { values[$0] } ?? missing
    }
}
