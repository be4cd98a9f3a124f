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
    /// For a category that was trained from texts or other values: those values, by their numbers. Empty elsewhere.
    public let categories: [String]
    /// Whether any rule of the model looks at it.
    public var isUsed: Bool

    public init(name: String, kind: Kind = .number, categories: [String] = [], isUsed: Bool = true) {
        self.name = name
        self.kind = kind
        self.categories = categories
        self.isUsed = isUsed
    }
}
