import WhenceCore

/// One feature of a view: a named, typed column.
public struct Feature: Sendable, Hashable {
    public var name: String
    public var type: FeatureType
    public var description: String
    public var tags: [String: String]

    public init(name: String, type: FeatureType, description: String = "", tags: [String: String] = [:]) {
        self.name = name
        self.type = type
        self.description = description
        self.tags = tags
    }
}
