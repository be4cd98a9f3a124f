/// What a definition defines.
public enum DefinitionKind: String, Sendable, Hashable, CaseIterable, Encodable {
    case entity, view, service

    /// The word for several of them, as lists and messages use it.
    public var plural: String {
        switch self {
        case .entity: "entities"
        case .view: "views"
        case .service: "services"
        }
    }

    /// The byte that stands for the kind in stored keys (`Formats/catalog.md`).
    var code: UInt8 {
        switch self {
        case .entity: 1
        case .view: 2
        case .service: 3
        }
    }
}
