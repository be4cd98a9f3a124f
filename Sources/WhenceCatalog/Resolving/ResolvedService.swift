/// A feature service with every reference followed: what a read evaluates.
public struct ResolvedService: Sendable, Hashable {
    /// The service's name; empty for a list of features that has none.
    public let name: String
    /// The version of the service's definition; 0 for a list of features.
    public let version: Int
    /// Those of included services come first. One view may be there several times.
    public let selections: [ResolvedSelection]

    /// For programs and tests that make a service without a catalog.
    public init(name: String, version: Int, selections: [ResolvedSelection]) {
        self.name = name
        self.version = version
        self.selections = selections
    }

    /// The output columns in order; all different.
    public var outputNames: [String] { selections.flatMap { $0.features.map(\.name) } }

    /// The columns that a spine or request has to have, in order of first use, each with the type of its first use.
    public var joinColumns: [JoinKey] {
        var seen: Set<String> = []
        var columns: [JoinKey] = []
        for selection in selections {
            for (column, key) in zip(selection.joinColumns, selection.view.entity.joinKeys) where seen.insert(column).inserted {
                columns.append(JoinKey(name: column, type: key.type))
            }
        }
        return columns
    }
}
