/// What a resolved service reads from one view, for one set of join columns.
public struct ResolvedSelection: Sendable, Hashable {
    public let view: StoredView
    /// For each join key of the view's entity, in the entity's order, the column of the spine or request that holds it.
    public let joinColumns: [String]
    /// At least one, in output order.
    public let features: [ResolvedFeature]

    /// For programs and tests that make a selection without a catalog.
    public init(view: StoredView, joinColumns: [String], features: [ResolvedFeature]) {
        self.view = view
        self.joinColumns = joinColumns
        self.features = features
    }
}
