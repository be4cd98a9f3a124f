import WhenceCore

/// A `ModelProto` of ONNX (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) as far as inference needs it, read and
/// not yet understood.
struct ONNXFile {
    /// The types of elements that occur, by their numbers in `TensorProto.DataType`.
    enum ElementType: Int {
        case float = 1, uint8 = 2, int8 = 3, int32 = 6, int64 = 7, string = 8, bool = 9, double = 11

        var name: String { "\(self)" }
    }

    /// What people call the element type of a number, also one that is not supported.
    static func typeName(_ number: Int) -> String {
        let others = [
            4: "uint16", 5: "int16", 10: "float16", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
        ]
        return ElementType(rawValue: number)?.name ?? others[number] ?? "number \(number)"
    }

    /// A constant. Whole numbers are held as doubles, exactly; those beyond 2^53 are refused.
    struct Tensor {
        var name = ""
        var type = ElementType.float
        var dims: [Int] = []
        var numbers: [Double] = []
        var strings: [String] = []

        var count: Int { dims.reduce(1, *) }
    }

    /// What an attribute says; which of the fields, its reader knows.
    struct Attribute {
        var name = ""
        var float: Float?
        var int: Int64?
        var string: String?
        var tensor: Tensor?
        var floats: [Float] = []
        var ints = WholeNumbers()
        var strings: [String] = []
        /// Of `nodes_modes`, which has a text for every node, in place of them: each by its index in `words`.
        var wordNumbers: [UInt8] = []
        var words: [String] = []
        /// A graph or a list of tensors, which no supported operator takes.
        var isOther = false
    }

    struct Node {
        var index = 0
        var name = ""
        var op = ""
        var domain = ""
        var inputs: [String] = []
        var outputs: [String] = []
        var attributes: [Attribute] = []

        /// As errors say it: `node 3 (Gemm 'fc1')`.
        var place: String { "node \(index) (\(domain.isEmpty ? op : "\(domain).\(op)")\(name.isEmpty ? "" : " '\(name)'"))" }
    }

    /// An input or output of the graph; nil for a dimension that is not fixed.
    struct Port {
        var name = ""
        var type: ElementType?
        var dims: [Int?]?
        /// Its type as people say it, where it is no tensor.
        var otherType: String?
    }

    var irVersion = 0
    var producer = ""
    var producerVersion = ""
    var graphName = ""
    /// Version of each operator set; the default one has the empty name.
    var opsets: [String: Int] = [:]
    var nodes: [Node] = []
    var constants: [Tensor] = []
    var inputs: [Port] = []
    var outputs: [Port] = []
    var metadata: [String: String] = [:]
}
