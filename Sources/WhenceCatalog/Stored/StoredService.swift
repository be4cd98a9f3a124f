/// A version of a feature service in a catalog.
public struct StoredService: Sendable, Hashable {
    public let definition: FeatureService
    /// Counts the versions of the definition from 1.
    public let version: Int
}
