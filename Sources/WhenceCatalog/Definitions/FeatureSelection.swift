/// The features that a service takes from one view.
public struct FeatureSelection: Sendable, Hashable {
    /// The name of the view.
    public var view: String
    /// The features, in output order; nil for all that the view has at the time of the read.
    public var features: [String]?
    /// For a join key of the view's entity, the column of the spine or request that holds it; a join key that is not
    /// listed is held by a column of its own name.
    public var joinColumns: [String: String]
    /// What is put in front of a feature's name to make its output name; nil for the view's name and a dot.
    public var prefix: String?

    public init(view: String, features: [String]? = nil, joinColumns: [String: String] = [:], prefix: String? = nil) {
        self.view = view
        self.features = features
        self.joinColumns = joinColumns
        self.prefix = prefix
    }

    /// The name under which a read returns the feature.
    public func outputName(of feature: String) -> String { (prefix ?? view + ".") + feature }
}
