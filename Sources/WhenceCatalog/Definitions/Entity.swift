/// A kind of thing that features describe, and the join keys that identify one of them.
public struct Entity: Sendable, Hashable {
    public var name: String
    /// 1 to `Limits.joinKeys` of them; their order is that of the stored key and never changes.
    public var joinKeys: [JoinKey]
    public var description: String
    public var owner: String
    public var tags: [String: String]

    public init(name: String, joinKeys: [JoinKey], description: String = "", owner: String = "", tags: [String: String] = [:]) {
        self.name = name
        self.joinKeys = joinKeys
        self.description = description
        self.owner = owner
        self.tags = tags
    }
}
