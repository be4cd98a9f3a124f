import WhenceCore

/// Takes a JSON object apart member by member, and finds what is left over or of the wrong kind.
struct JSONObject {
    private var members: [String: JSONValue]
    private let what: String

    /// Throws `corruption` when `value` is no object; `what` names it in messages.
    init(_ value: JSONValue, _ what: String) throws(WhenceError) {
        guard case .object(let members) = value else { throw JSONObject.refuse(what, "it is no object") }
        self.members = members
        self.what = what
    }

    private static func refuse(_ what: String, _ why: String) -> WhenceError {
        WhenceError(.corruption, "\(what) of a catalog entry is damaged: \(why)", hint: "run 'whence admin verify'")
    }

    func refuse(_ why: String) -> WhenceError { JSONObject.refuse(what, why) }

    mutating func takeOptional(_ name: String) -> JSONValue? { members.removeValue(forKey: name) }

    mutating func take(_ name: String) throws(WhenceError) -> JSONValue {
        guard let value = takeOptional(name) else { throw refuse("'\(name)' is missing") }
        return value
    }

    mutating func optionalText(_ name: String) throws(WhenceError) -> String? {
        switch takeOptional(name) {
        case nil: return nil
        case .string(let text): return text
        default: throw refuse("'\(name)' is no string")
        }
    }

    mutating func text(_ name: String) throws(WhenceError) -> String {
        guard let text = try optionalText(name) else { throw refuse("'\(name)' is missing") }
        return text
    }

    mutating func featureType(_ name: String) throws(WhenceError) -> FeatureType {
        let text = try text(name)
        do {
            return try FeatureType(named: text)
        } catch {
            throw refuse(error.message)
        }
    }

    mutating func optionalInteger(_ name: String) throws(WhenceError) -> Int64? {
        switch takeOptional(name) {
        case nil: return nil
        case .integer(let number): return number
        default: throw refuse("'\(name)' is no integer")
        }
    }

    /// An integer from `low` to what 32 bits hold.
    mutating func count(_ name: String, from low: Int64 = 1) throws(WhenceError) -> UInt32 {
        guard let number = try optionalInteger(name) else { throw refuse("'\(name)' is missing") }
        guard number >= low, let count = UInt32(exactly: number) else { throw refuse("'\(name)' is out of range") }
        return count
    }

    mutating func optionalArray(_ name: String) throws(WhenceError) -> [JSONValue]? {
        switch takeOptional(name) {
        case nil: return nil
        case .array(let elements): return elements
        default: throw refuse("'\(name)' is no array")
        }
    }

    mutating func texts(_ name: String) throws(WhenceError) -> [String: String] {
        guard let value = takeOptional(name) else { return [:] }
        guard case .object(let members) = value else { throw refuse("'\(name)' is no object") }
        var texts: [String: String] = [:]
        for (key, value) in members {
            guard case .string(let text) = value else { throw refuse("'\(name)' holds what is no string") }
            texts[key] = text
        }
        return texts
    }

    /// Throws when a member has not been taken.
    func end() throws(WhenceError) {
        if let name = members.keys.min() { throw refuse("'\(name)' is unknown to this format version") }
    }
}
