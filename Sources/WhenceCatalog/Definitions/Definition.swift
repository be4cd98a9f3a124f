/// Any one definition.
public enum Definition: Sendable, Hashable {
    case entity(Entity)
    case view(FeatureView)
    case service(FeatureService)

    public var kind: DefinitionKind {
        switch self {
        case .entity: .entity
        case .view: .view
        case .service: .service
        }
    }

    public var name: String {
        switch self {
        case .entity(let entity): entity.name
        case .view(let view): view.name
        case .service(let service): service.name
        }
    }
}
