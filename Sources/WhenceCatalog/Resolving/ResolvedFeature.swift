import WhenceCore

/// One output column of a resolved service.
public struct ResolvedFeature: Sendable, Hashable {
    /// The output name: the selection's prefix and the feature's name.
    public let name: String
    /// The feature's id within its view.
    public let featureID: UInt32
    /// The feature's current type.
    public let type: FeatureType

    /// For programs and tests that make a selection without a catalog.
    public init(name: String, featureID: UInt32, type: FeatureType) {
        self.name = name
        self.featureID = featureID
        self.type = type
    }
}
