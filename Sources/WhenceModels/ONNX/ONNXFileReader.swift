import WhenceCore

/// Reads a `ModelProto`. Field numbers are those of `onnx.proto`.
struct ONNXFileReader: ~Copyable {
    /// Numbers in one array of an attribute or a tensor.
    private let elementsMax: Int
    private static let nodesMax = 100_000
    private static let stringBytesMax = 1 << 20
    /// The newest version of the file format that is known.
    private static let irVersionMax = 14
    private static let wholeMax: Int64 = 1 << 53

    private var reader: ProtobufReader
    private var file = ONNXFile()

    private init(_ reader: consuming ProtobufReader, elementsMax: Int) {
        self.reader = reader
        self.elementsMax = elementsMax
    }

    static func read(_ stream: consuming ModelStream, elementsMax: Int) throws(WhenceError) -> ONNXFile {
        var reader = ONNXFileReader(ProtobufReader(stream), elementsMax: elementsMax)
        try reader.readModel()
        return reader.file
    }

    private mutating func readModel() throws(WhenceError) {
        var hasGraph = false
        while let field = try reader.nextField() {
            switch field {
            case 1:
                file.irVersion = Int(try reader.int64())
                guard (1...ONNXFileReader.irVersionMax).contains(file.irVersion) else {
                    throw reader.fault(
                        "the file has version \(file.irVersion) of ONNX's format; versions up to \(ONNXFileReader.irVersionMax) are read",
                        hint: "export it with an older target, or update Whence", code: .unknownFormat)
                }
            case 2: file.producer = try reader.string()
            case 3: file.producerVersion = try reader.string()
            case 7:
                guard !hasGraph else { throw reader.fault("there are two graphs") }
                hasGraph = true
                try reader.beginMessage("graph")
                try readGraph()
            case 8:
                try reader.beginMessage("opset_import")
                var domain = ""
                var version = 0
                while let field = try reader.nextField() {
                    switch field {
                    case 1: domain = try reader.string()
                    case 2: version = Int(try reader.int64())
                    default: try reader.skip()
                    }
                }
                file.opsets[domain == "ai.onnx" ? "" : domain] = version
            case 14:
                try reader.beginMessage("metadata_props")
                var (key, value) = ("", "")
                while let field = try reader.nextField() {
                    switch field {
                    case 1: key = try reader.string()
                    case 2: value = try reader.string(max: ONNXFileReader.stringBytesMax)
                    default: try reader.skip()
                    }
                }
                if file.metadata.count < 1000 { file.metadata[key] = value }
            case 25:
                throw reader.fault(
                    "the model defines functions of its own, which are not supported", hint: "export it with its functions inlined",
                    code: .unknownFormat)
            default: try reader.skip()
            }
        }
        guard hasGraph else { throw reader.fault("there is no graph in this file", hint: "this is no ONNX model, or it was cut short") }
    }

    private mutating func readGraph() throws(WhenceError) {
        while let field = try reader.nextField() {
            switch field {
            case 1:
                guard file.nodes.count < ONNXFileReader.nodesMax else {
                    throw reader.fault("there are too many nodes", code: .limitExceeded)
                }
                try reader.beginMessage("node", file.nodes.count)
                file.nodes.append(try readNode())
            case 2: file.graphName = try reader.string()
            case 5:
                guard file.constants.count < ONNXFileReader.nodesMax else {
                    throw reader.fault("there are too many initializers", code: .limitExceeded)
                }
                try reader.beginMessage("initializer", file.constants.count)
                file.constants.append(try readTensor())
            case 11: file.inputs.append(try readPort("input", file.inputs.count))
            case 12: file.outputs.append(try readPort("output", file.outputs.count))
            case 15:
                throw reader.fault("the graph has sparse initializers, which are not supported", code: .unknownFormat)
            default: try reader.skip()
            }
        }
    }

    private mutating func readNode() throws(WhenceError) -> ONNXFile.Node {
        var node = ONNXFile.Node()
        node.index = file.nodes.count
        while let field = try reader.nextField() {
            switch field {
            case 1: try append(try reader.string(), to: &node.inputs)
            case 2: try append(try reader.string(), to: &node.outputs)
            case 3: node.name = try reader.string()
            case 4: node.op = try reader.string()
            case 5:
                guard node.attributes.count < 1000 else { throw reader.fault("there are too many attributes", code: .limitExceeded) }
                try reader.beginMessage("attribute", node.attributes.count)
                let attribute = try readAttribute()
                guard !node.attributes.contains(where: { $0.name == attribute.name }) else {
                    throw reader.fault("the attribute '\(attribute.name)' stands twice")
                }
                node.attributes.append(attribute)
            case 7:
                let domain = try reader.string()
                node.domain = domain == "ai.onnx" ? "" : domain
            default: try reader.skip()
            }
        }
        return node
    }

    private func append(_ string: String, to array: inout [String]) throws(WhenceError) {
        guard array.count < elementsMax else {
            throw reader.fault("this array has more than \(elementsMax) elements", code: .limitExceeded)
        }
        array.append(string)
    }

    private mutating func readAttribute() throws(WhenceError) -> ONNXFile.Attribute {
        var attribute = ONNXFile.Attribute()
        while let field = try reader.nextField() {
            switch field {
            case 1: attribute.name = try reader.string()
            case 2: attribute.float = try reader.float()
            case 3: attribute.int = try reader.int64()
            case 4: attribute.string = try reader.string(max: ONNXFileReader.stringBytesMax)
            case 5:
                try reader.beginMessage("tensor")
                attribute.tensor = try readTensor()
            // A number for every node, which no prediction needs.
            case 7 where attribute.name == "nodes_hitrates": try reader.skip()
            // Numbers that stand singly, as in most files, have a byte before each: what is left of the message says how many may come.
            case 7:
                if attribute.floats.isEmpty { attribute.floats.reserveCapacity(min(reader.bytesLeft / 5 + 1, elementsMax)) }
                try reader.floats(into: &attribute.floats, max: elementsMax)
            case 8:
                if attribute.ints.isEmpty { attribute.ints.expect(min(reader.bytesLeft / 2 + 1, elementsMax)) }
                try reader.ints(into: &attribute.ints, max: elementsMax)
            case 9 where attribute.name == "nodes_modes":
                if attribute.wordNumbers.isEmpty { attribute.wordNumbers.reserveCapacity(min(reader.bytesLeft / 6 + 1, elementsMax)) }
                try appendWord(try reader.string(), to: &attribute)
            case 9: try append(try reader.string(), to: &attribute.strings)
            case 6, 10, 11, 15, 22, 23:
                attribute.isOther = true
                try reader.skip()
            default: try reader.skip()
            }
        }
        return attribute
    }

    private func appendWord(_ word: String, to attribute: inout ONNXFile.Attribute) throws(WhenceError) {
        guard attribute.wordNumbers.count < elementsMax else {
            throw reader.fault("this array has more than \(elementsMax) elements", code: .limitExceeded)
        }
        if let known = attribute.words.firstIndex(of: word) { return attribute.wordNumbers.append(UInt8(known)) }
        guard attribute.words.count < 256 else { throw reader.fault("the modes of nodes have more than 256 names") }
        attribute.wordNumbers.append(UInt8(attribute.words.count))
        attribute.words.append(word)
    }

    private mutating func readPort(_ kind: String, _ index: Int) throws(WhenceError) -> ONNXFile.Port {
        guard index < ONNXFileReader.nodesMax else { throw reader.fault("there are too many inputs or outputs", code: .limitExceeded) }
        var port = ONNXFile.Port()
        try reader.beginMessage(kind, index)
        while let field = try reader.nextField() {
            switch field {
            case 1: port.name = try reader.string()
            case 2:
                try reader.beginMessage("type")
                while let field = try reader.nextField() {
                    switch field {
                    case 1:
                        try reader.beginMessage("tensor_type")
                        try readTensorType(&port)
                    case 4, 5, 8, 9:
                        port.otherType = [4: "a sequence", 5: "a map", 8: "a sparse tensor", 9: "an optional"][field]
                        try reader.skip()
                    default: try reader.skip()
                    }
                }
            default: try reader.skip()
            }
        }
        return port
    }

    private mutating func readTensorType(_ port: inout ONNXFile.Port) throws(WhenceError) {
        while let field = try reader.nextField() {
            switch field {
            case 1:
                let number = try reader.int64()
                guard let type = ONNXFile.ElementType(rawValue: Int(number)) else { throw unsupported(number) }
                port.type = type
            case 2:
                var dims: [Int?] = []
                try reader.beginMessage("shape")
                while let field = try reader.nextField() {
                    guard field == 1 else {
                        try reader.skip()
                        continue
                    }
                    guard dims.count < 16 else { throw reader.fault("a shape has too many dimensions", code: .limitExceeded) }
                    try reader.beginMessage("dim", dims.count)
                    var size: Int?
                    while let field = try reader.nextField() {
                        if field == 1 { size = Int(try reader.int64()) } else { try reader.skip() }
                    }
                    // Some exporters write 0 or -1 for a dimension that is not fixed.
                    dims.append(size.flatMap { $0 > 0 ? $0 : nil })
                }
                port.dims = dims
            default: try reader.skip()
            }
        }
    }

    private func unsupported(_ type: Int64) -> WhenceError {
        return reader.fault(
            "the element type \(ONNXFile.typeName(Int(type))) is not supported",
            hint: "float, double, int64, int32, int8, uint8, bool and string are; export the model without quantisation or half precision",
            code: .unknownFormat)
    }

    private mutating func readTensor() throws(WhenceError) -> ONNXFile.Tensor {
        var tensor = ONNXFile.Tensor()
        var dims = WholeNumbers()
        var floats: [Float] = []
        var ints = WholeNumbers()
        var raw: [UInt8]?
        while let field = try reader.nextField() {
            switch field {
            case 1: try reader.ints(into: &dims, max: 16)
            case 2:
                let number = try reader.int64()
                guard let type = ONNXFile.ElementType(rawValue: Int(number)) else { throw unsupported(number) }
                tensor.type = type
            case 4: try reader.floats(into: &floats, max: elementsMax)
            case 5, 7: try reader.ints(into: &ints, max: elementsMax)
            case 6: try append(try reader.string(), to: &tensor.strings)
            case 8: tensor.name = try reader.string()
            case 9: raw = try reader.bytes(max: elementsMax.multipliedReportingOverflow(by: 8).overflow ? Int.max : elementsMax * 8)
            case 10: try reader.doubles(into: &tensor.numbers, max: elementsMax)
            case 13: throw external()
            case 14: if try reader.int64() != 0 { throw external() }
            default: try reader.skip()
            }
        }
        var count = 1
        for dim in dims {
            let (product, overflow) = count.multipliedReportingOverflow(by: Int(dim))
            guard dim >= 0, !overflow, product <= elementsMax else {
                throw reader.fault("the shape \(Array(dims)) of tensor '\(tensor.name)' is out of range", code: .limitExceeded)
            }
            count = product
        }
        tensor.dims = dims.map { Int($0) }
        if let raw { try decode(raw, into: &tensor, count) } else if !floats.isEmpty { tensor.numbers = floats.map { Double($0) } }
        if !ints.isEmpty { tensor.numbers = try ints.map { value throws(WhenceError) in try exact(value) } }
        let found = tensor.type == .string ? tensor.strings.count : tensor.numbers.count
        guard found == count else {
            throw reader.fault(
                "tensor '\(tensor.name)' of shape \(Array(dims)) has \(found) elements", hint: "the file is damaged; export it again")
        }
        return tensor
    }

    private func external() -> WhenceError {
        reader.fault(
            "the weights stand in another file (external data)",
            hint: "save the model in one file: onnx.save(onnx.load('m.onnx'), 'one.onnx', save_as_external_data=False)",
            code: .unknownFormat)
    }

    private func exact(_ value: Int64) throws(WhenceError) -> Double {
        guard value.magnitude <= ONNXFileReader.wholeMax.magnitude else {
            throw reader.fault("the whole number \(value) is beyond 2^53 and would not be exact", code: .unknownFormat)
        }
        return Double(value)
    }

    /// Numbers as they stand in memory, little-endian.
    private func decode(_ raw: [UInt8], into tensor: inout ONNXFile.Tensor, _ count: Int) throws(WhenceError) {
        let width =
            switch tensor.type {
            case .float, .int32: 4
            case .double, .int64: 8
            case .bool, .int8, .uint8: 1
            case .string: 0
            }
        guard width > 0, raw.count == count * width else {
            throw reader.fault("tensor '\(tensor.name)' of shape \(tensor.dims) has \(raw.count) raw bytes")
        }
        tensor.numbers.reserveCapacity(count)
        for index in 0..<count {
            var word: UInt64 = 0
            for byte in 0..<width { word |= UInt64(raw[index * width + byte]) << UInt64(8 * byte) }
            switch tensor.type {
            case .float: tensor.numbers.append(Double(Float(bitPattern: UInt32(truncatingIfNeeded: word))))
            case .double: tensor.numbers.append(Double(bitPattern: word))
            case .int32: tensor.numbers.append(Double(Int32(truncatingIfNeeded: word)))
            case .int64: tensor.numbers.append(try exact(Int64(bitPattern: word)))
            case .int8: tensor.numbers.append(Double(Int8(truncatingIfNeeded: word)))
            default: tensor.numbers.append(Double(word))
            }
        }
    }
}
