/// Builds a JSON object member by member.
struct JSONMembers {
    private(set) var members: [String: JSONValue] = [:]

    var object: JSONValue { .object(members) }

    mutating func put(_ name: String, _ value: JSONValue) { members[name] = value }
    mutating func put(_ name: String, _ text: String) { members[name] = .string(text) }
    mutating func put(_ name: String, _ number: some BinaryInteger) { members[name] = .integer(Int64(clamping: number)) }
    mutating func put(_ name: String, _ objects: [[String: JSONValue]]) { members[name] = .array(objects.map(JSONValue.object)) }

    /// Puts what every definition may have, where there is any.
    mutating func put(description: String, owner: String, tags: [String: String]) {
        if !description.isEmpty { put("description", description) }
        if !owner.isEmpty { put("owner", owner) }
        if !tags.isEmpty { put("tags", .object(tags.mapValues(JSONValue.string))) }
    }
}
