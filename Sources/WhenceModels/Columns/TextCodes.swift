import WhenceCore

/// How the texts of a model's features become the numbers that its rules look at. What the model does not know is -1.
enum TextCodes: Sendable {
    case none
    /// The same numbers for all features: ONNX.
    case shared([String: Int])
    /// The texts of each feature: linear models.
    case byFeature([Int: [String: Int]])
    /// The hashes of each feature's texts: CatBoost.
    case hashes([Int: [Int32: Int]])

    func code(_ text: RawSpan, feature: Int) -> Double {
        let code: Int? =
            switch self {
            case .none: nil
            case .shared(let codes): codes[UTF8Text.string(text)]
            case .byFeature(let codes): codes[feature]?[UTF8Text.string(text)]
            case .hashes(let codes): codes[feature]?[CityHash.category(text)]
            }
        return code.map { Double($0) } ?? -1
    }
}

extension Model {
    /// The number that stands for a text in a row of features, for a feature of the kind `text`: -1 for what the model does not
    /// know.
    public func code(of text: RawSpan, feature: Int) -> Double { description.textCodes.code(text, feature: feature) }

    /// The text that a truth value counts as, where the model wants texts: that of Python, and of a number for CatBoost, which makes
    /// texts of its categories by way of numbers.
    public func text(of value: Bool) -> String {
        if format == .catBoostJSON { value ? "1" : "0" } else { value ? "True" : "False" }
    }
}
