import WhenceCore

/// The latest version of a feature view in a catalog, with what the engine needs to read rows of every version.
public struct StoredView: Sendable, Hashable {
    public let definition: FeatureView
    public let entity: Entity
    /// Identifies the view for ever; never used again.
    public let id: UInt32
    /// Counts the versions of the definition from 1.
    public let version: Int
    /// Every schema that the view has ever had, with ids from 1 upward; the last is current.
    public let schemas: [Schema]
    /// The schema that new rows are written under.
    public let currentSchema: Schema

    init(definition: FeatureView, entity: Entity, id: UInt32, version: Int, earlier: [Schema], current: Schema) {
        self.definition = definition
        self.entity = entity
        self.id = id
        self.version = version
        schemas = earlier + [current]
        currentSchema = current
    }

    /// The schema that a row names. Nil when the view has no such schema.
    public func schema(id: UInt32) -> Schema? {
        id >= 1 && id <= schemas.count ? schemas[Int(id) - 1] : nil
    }
}
