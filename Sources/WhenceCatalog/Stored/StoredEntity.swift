/// The latest version of an entity in a catalog.
public struct StoredEntity: Sendable, Hashable {
    public let definition: Entity
    /// Counts the versions of the definition from 1.
    public let version: Int
}
