/// One column that a model reads.
public struct ModelFeature: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// A number; NaN is missing.
        case number
        /// A whole number that stands for a category, as the library counts them; NaN is missing.
        case category
        /// A text; its number in a row of features is `code(of:)`.
        case text
    }

    public let name: String
    public let kind: Kind
    /// For a category whose file says what it was trained from: those values, by their numbers. Empty elsewhere.
    public let values: [CategoryValue]
    /// Whether any rule of the model looks at it.
    public var isUsed: Bool

    public init(name: String, kind: Kind = .number, values: [CategoryValue] = [], isUsed: Bool = true) {
        self.name = name
        self.kind = kind
        self.values = values
        self.isUsed = isUsed
    }

    /// The values as texts.
    public var categories: [String] { values.map(\.text) }
}
