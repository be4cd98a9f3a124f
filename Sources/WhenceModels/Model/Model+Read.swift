import WhenceCore

extension Model {
    /// Reads a model of any format that Whence knows; which one is told from the content.
    ///
    /// Throws `unknownFormat` for what cannot be read, with what it is and how to export it; `malformedInput` for a damaged file;
    /// `limitExceeded`; and what opening a file throws.
    public static func read(_ source: ModelSource, limits: ModelLimits = ModelLimits()) throws(WhenceError) -> Model {
        switch try ModelFormat.detect(source, bytesMax: limits.fileBytes) {
        case .lightGBMText: try LightGBMReader.read(source, limits: limits)
        case .xgboostJSON: try XGBoostReader.readJSON(source, limits: limits)
        case .xgboostUBJSON: try XGBoostReader.readUBJSON(source, limits: limits)
        case .catBoostJSON: try CatBoostReader.read(source, limits: limits)
        case .onnx: try ONNXReader.read(source, limits: limits)
        case .linearJSON: try LinearReader.read(source, limits: limits)
        }
    }
}
