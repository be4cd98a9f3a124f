import WhenceCore

/// The difference between definitions and a catalog: what applying them would do.
public struct CatalogPlan: Sendable {
    /// The version of the catalog that the plan was made against; it can be applied to no other.
    public let baseVersion: Int
    /// One for each definition that was given: entities, then views, then services, each in the order in which they were stated.
    public let changes: [CatalogChange]
    /// The definitions to write, with the numbers of views, in the order of `changes`.
    let writes: [(definition: Definition, numbering: ViewNumbering?)]

    /// Whether applying the plan would change nothing.
    public var isEmpty: Bool { changes.allSatisfy { $0.effect == .unchanged } }

    /// Whether some change is refused, so that the plan cannot be applied.
    public var hasRefusals: Bool { changes.contains { $0.effect == .refused } }

    /// Whether some view needs a backfill after the plan has been applied.
    public var needsBackfill: Bool { changes.contains { $0.effect == .needsBackfill } }

    /// The plan for people: a line that sums it up, then every change with its details. `+` marks what comes, `~` what changes,
    /// `!` what is refused; definitions that do not change are only counted. Ends with a line break.
    public func text() -> String {
        func count(_ effects: CatalogChange.Effect...) -> Int { changes.count { effects.contains($0.effect) } }
        var text = "Plan against catalog version \(baseVersion): "
        if isEmpty { return text + "nothing to change (\(changes.count) unchanged).\n" }
        var parts = ["\(count(.create)) to create", "\(count(.compatible, .needsBackfill)) to change"]
        if needsBackfill { parts[1] += " (\(count(.needsBackfill)) with a backfill)" }
        if hasRefusals { parts.append("\(count(.refused)) refused") }
        text += (parts + ["\(count(.unchanged)) unchanged"]).joined(separator: ", ") + ".\n"
        for change in changes where change.effect != .unchanged {
            let (symbol, word) =
                switch change.effect {
                case .create: ("+", "create")
                case .needsBackfill: ("~", "needs a backfill")
                case .refused: ("!", "refused")
                case .compatible, .unchanged: ("~", "compatible")
                }
            text += "\n  \(symbol) \(change.kind) \(change.name) (\(word))\n"
            for line in change.lines { text += "      \(line.symbol) \(line.text)\n" }
            if !change.reason.isEmpty { text += "      \(change.effect == .refused ? "refused" : "backfill"): \(change.reason)\n" }
        }
        if hasRefusals { text += "\nThis plan cannot be applied: nothing is changed until every refusal is resolved.\n" }
        return text
    }

    /// The plan for programs, as one line of JSON with sorted members: `base_version`, `is_empty`, `has_refusals` and
    /// `needs_backfill`, and `changes` with `kind`, `name`, `effect`, `details` and `reason`.
    public func json() -> String {
        var members = JSONMembers()
        members.put("base_version", baseVersion)
        members.put("is_empty", .truth(isEmpty))
        members.put("has_refusals", .truth(hasRefusals))
        members.put("needs_backfill", .truth(needsBackfill))
        members.put(
            "changes",
            changes.map { change in
                [
                    "kind": .string(change.kind.rawValue), "name": .string(change.name), "effect": .string(change.effect.rawValue),
                    "details": .array(change.details.map(JSONValue.string)), "reason": .string(change.reason),
                ]
            })
        return String(decoding: members.object.canonical, as: UTF8.self)
    }
}

extension CatalogPlan: Encodable {
    private enum Key: String, CodingKey {
        case baseVersion = "base_version"
        case isEmpty = "is_empty"
        case hasRefusals = "has_refusals"
        case needsBackfill = "needs_backfill"
        case changes
    }

    /// Writes what `json()` writes.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(baseVersion, forKey: .baseVersion)
        try container.encode(isEmpty, forKey: .isEmpty)
        try container.encode(hasRefusals, forKey: .hasRefusals)
        try container.encode(needsBackfill, forKey: .needsBackfill)
        try container.encode(changes, forKey: .changes)
    }
}
