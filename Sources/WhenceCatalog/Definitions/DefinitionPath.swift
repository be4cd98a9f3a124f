/// Names a definition or a part of one, for messages and for finding where a file states it.
struct DefinitionPath: Hashable, Sendable {
    let kind: DefinitionKind
    let name: String
    /// From the outside in: `feature temp`, or `selection 2` and `join key airport`.
    var parts: [String] = []

    init(_ kind: DefinitionKind, _ name: String, _ parts: String...) {
        self.kind = kind
        self.name = name
        self.parts = parts
    }

    /// The path of a part of what this path names.
    func appending(_ part: String) -> DefinitionPath {
        var path = self
        path.parts.append(part)
        return path
    }

    /// `view weather, feature temp`.
    var text: String { (["\(kind.rawValue) \(name)"] + parts).joined(separator: ", ") }
}
