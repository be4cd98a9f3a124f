/// An ordered, versioned list of features that a model reads.
public struct FeatureService: Sendable, Hashable {
    public var name: String
    /// Other services, whose columns come before this one's.
    public var includes: [String]
    public var selections: [FeatureSelection]
    public var description: String
    public var owner: String
    public var tags: [String: String]

    public init(
        name: String, includes: [String] = [], selections: [FeatureSelection], description: String = "", owner: String = "",
        tags: [String: String] = [:]
    ) {
        self.name = name
        self.includes = includes
        self.selections = selections
        self.description = description
        self.owner = owner
        self.tags = tags
    }
}
