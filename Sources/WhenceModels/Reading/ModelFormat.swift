import WhenceCore

/// A format of model files, told from a file's content and never from its name.
public enum ModelFormat: String, Sendable, CaseIterable {
    case lightGBMText
    case xgboostJSON
    case xgboostUBJSON
    case catBoostJSON
    case onnx
    case linearJSON

    /// As people call it.
    public var name: String {
        switch self {
        case .lightGBMText: "LightGBM text"
        case .xgboostJSON: "XGBoost JSON"
        case .xgboostUBJSON: "XGBoost UBJSON"
        case .catBoostJSON: "CatBoost JSON"
        case .onnx: "ONNX"
        case .linearJSON: "linear model in JSON"
        }
    }

    /// What can be read, for hints.
    static let readable =
        "Whence reads LightGBM text, XGBoost JSON and UBJSON, CatBoost JSON, ONNX, and linear models in JSON (docs/models.md)"

    /// Bytes from the start that tell the formats with marks apart.
    private static let headBytes = ModelStream.tokenBytesMax

    /// Says what `source` holds. Throws `unknownFormat` for anything that cannot be read, with what it is, where that can be
    /// told, and how to export the model; and what opening and reading throw.
    public static func detect(_ source: ModelSource, bytesMax: Int) throws(WhenceError) -> ModelFormat {
        var stream = try ModelStream(source, bytesMax: bytesMax)
        let count = min(try stream.ensure(headBytes), headBytes)
        var head: [UInt8] = []
        for index in 0..<count { head.append(stream.byte(index)) }
        if let stranger = ForeignFormat.of(head) { throw stranger.error(source.name) }
        let text = head.starts(with: [0xEF, 0xBB, 0xBF]) ? head[3...] : head[...]
        if text.starts(with: "tree\n".utf8) || text.starts(with: "tree\r\n".utf8) { return .lightGBMText }
        let first = text.first { !isSpace($0) }
        if first == 0x7B {
            // Behind the brace JSON has white space, a key or the end; UBJSON has a length or a count.
            let isJSON =
                text.count > 1 && text.first == 0x7B ? [0x20, 0x09, 0x0A, 0x0D, 0x22, 0x7D].contains(text[text.startIndex + 1]) : true
            return isJSON ? try ofJSON(stream, source.name) : try ofUBJSON(stream, source.name)
        }
        if first == 0x5B, text.dropFirst().first(where: { !isSpace($0) }) == 0x7B {
            throw ForeignFormat.jsonDump.error(source.name)
        }
        if looksLikeONNX(head) { return .onnx }
        throw WhenceError(.unknownFormat, "this is no model file that can be read", place: source.name, hint: readable)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    /// The members of the outermost object tell whose JSON it is.
    private static func ofJSON(_ stream: consuming ModelStream, _ name: String) throws(WhenceError) -> ModelFormat {
        var reader = try JSONReader(stream)
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "learner": return .xgboostJSON
            case "oblivious_trees", "trees", "features_info", "model_info", "scale_and_bias": return .catBoostJSON
            case "format":
                if try reader.kind() == .string {
                    if try reader.string() == LinearFormat.name { return .linearJSON }
                } else {
                    try reader.skip()
                }
            case "tree_info", "feature_infos": throw ForeignFormat.lightGBMDump.error(name)
            case "nodeid": throw ForeignFormat.jsonDump.error(name)
            case "num_feature", "task_type", "postprocessor": throw ForeignFormat.treelite.error(name)
            default: try reader.skip()
            }
        }
        throw WhenceError(
            .unknownFormat, "this is JSON, but of no model that can be read", place: name,
            hint: "a linear model begins with {\"format\": \"\(LinearFormat.name)\"; " + readable)
    }

    private static func ofUBJSON(_ stream: consuming ModelStream, _ name: String) throws(WhenceError) -> ModelFormat {
        var reader = UBJSONReader(stream)
        try reader.beginObject()
        while let key = try reader.nextKey() {
            if key == "learner" { return .xgboostUBJSON }
            try reader.skip()
        }
        throw WhenceError(.unknownFormat, "this is UBJSON, but no model of XGBoost", place: name, hint: readable)
    }

    /// An ONNX `ModelProto` has no mark. It begins with its first field, the version of the format, a small number, and goes
    /// on with fields that it knows.
    private static func looksLikeONNX(_ head: [UInt8]) -> Bool {
        // ir_version = 1 (a varint), then one of producer_name 2, producer_version 3, domain 4, model_version 5,
        // doc_string 6, graph 7, opset_import 8, metadata_props 14.
        guard head.count >= 4, head[0] == 0x08, (1...64).contains(head[1]) else { return false }
        return [0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72].contains(head[2])
    }
}
