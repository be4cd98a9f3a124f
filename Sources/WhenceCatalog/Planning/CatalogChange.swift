/// What a plan does to one definition.
public struct CatalogChange: Sendable, Hashable {
    /// How a change bears on what is stored.
    public enum Effect: String, Sendable, Hashable, Encodable {
        /// The definition is new.
        case create
        /// Everything stored stays readable, and nothing has to be written again.
        case compatible
        /// Readable at once, but old rows have nothing for some feature until a backfill brings it.
        case needsBackfill = "needs_backfill"
        /// The change would make stored data unreadable or wrong, or break what depends on the definition.
        case refused
        /// The definition is what is stored already.
        case unchanged
    }

    /// One line of the difference.
    struct Line: Sendable, Hashable {
        /// `+` for what comes, `-` for what goes, `~` for what becomes something else.
        let symbol: Character
        let text: String
    }

    public let kind: DefinitionKind
    public let name: String
    public internal(set) var effect: Effect
    /// Why the change is refused and what to do instead, or what a backfill has to bring; empty for other effects.
    public internal(set) var reason: String
    var lines: [Line]

    /// The differences, a line each, for people: `feature temp: int32 -> float64 (widened; old rows stay readable)`.
    public var details: [String] { lines.map(\.text) }

    init(_ kind: DefinitionKind, _ name: String, _ effect: Effect, reason: String = "", lines: [Line] = []) {
        self.kind = kind
        self.name = name
        self.effect = effect
        self.reason = reason
        self.lines = lines
    }

    /// Refuses the change, for one more reason.
    mutating func refuse(_ why: String) {
        reason = effect == .refused ? "\(reason); \(why)" : why
        effect = .refused
    }
}

extension CatalogChange: Encodable {
    private enum Key: String, CodingKey { case kind, name, effect, details, reason }

    /// Writes `kind`, `name`, `effect`, `details` and `reason`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(kind, forKey: .kind)
        try container.encode(name, forKey: .name)
        try container.encode(effect, forKey: .effect)
        try container.encode(details, forKey: .details)
        try container.encode(reason, forKey: .reason)
    }
}
