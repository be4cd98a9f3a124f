import WhenceCore
import Yams

/// A node of a YAML document, together with what is needed to say where it is and what it belongs to.
struct YAMLValue {
    let node: Node
    let file: String
    /// What the value is part of, for messages: `view weather, feature temp`.
    var context: String

    /// `file:line:column` of the node.
    var position: String { YAMLValue.position(of: node, in: file) }

    static func position(of node: Node, in file: String) -> String {
        guard let mark = node.mark else { return file }
        return "\(file):\(mark.line):\(mark.column)"
    }

    func refuse(_ message: String, hint: String = "") -> WhenceError {
        WhenceError(.invalidDefinition, message, place: context.isEmpty ? position : "\(position), \(context)", hint: hint)
    }

    /// Whether nothing is written here, or `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// The text of a scalar, whatever YAML makes of it: a name such as `on` is text here and no truth value.
    func text(_ what: String) throws(WhenceError) -> String {
        guard case .scalar(let scalar) = node else { throw refuse("\(what) must be text, not \(shape)") }
        if isNull { throw refuse("\(what) is empty", hint: "write a value, or leave the key out") }
        return scalar.string
    }

    func list(_ what: String) throws(WhenceError) -> [YAMLValue] {
        guard case .sequence(let sequence) = node else {
            throw refuse("\(what) must be a list, not \(shape)", hint: "start each element with '- '")
        }
        return sequence.map { YAMLValue(node: $0, file: file, context: context) }
    }

    func names(_ what: String) throws(WhenceError) -> [String] {
        var names: [String] = []
        for element in try list(what) { names.append(try element.text("an element of \(what)")) }
        return names
    }

    /// The members of a map, in order. Throws when there is a key that `known` does not list.
    func map(_ what: String, known: [String]) throws(WhenceError) -> [String: YAMLValue] {
        var members: [String: YAMLValue] = [:]
        for (key, value) in try pairs(what) {
            let name = try key.text("a key")
            guard known.contains(name) else {
                let nearest = NearestName.of(name, among: known).map { "did you mean '\($0)'? " } ?? ""
                throw key.refuse("unknown key '\(name)' in \(what)", hint: nearest + "the keys are \(known.joined(separator: ", "))")
            }
            members[name] = value
        }
        return members
    }

    /// A map from text to text, such as tags.
    func texts(_ what: String) throws(WhenceError) -> [String: String] {
        var texts: [String: String] = [:]
        for (key, value) in try pairs(what) {
            let name = try key.text("a key")
            texts[name] = try value.text("'\(name)' of \(what)")
        }
        return texts
    }

    private func pairs(_ what: String) throws(WhenceError) -> [(key: YAMLValue, value: YAMLValue)] {
        guard case .mapping(let mapping) = node else { throw refuse("\(what) must be a map of keys and values, not \(shape)") }
        return mapping.map { pair in
            (YAMLValue(node: pair.key, file: file, context: context), YAMLValue(node: pair.value, file: file, context: context))
        }
    }

    private var shape: String {
        switch node {
        case .scalar: isNull ? "nothing" : "text"
        case .mapping: "a map"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    /// Throws when the node is nested deeper than definitions ever are, or when it has an anchor.
    func checkShape(depth: Int = 1) throws(WhenceError) {
        guard depth <= CatalogLimits.nestingDepth else {
            throw refuse("lists and maps are nested deeper than \(CatalogLimits.nestingDepth)")
        }
        if node.anchor != nil {
            throw refuse("a YAML anchor is set here, which definitions may not use", hint: "remove '&' and the name after it")
        }
        switch node {
        case .sequence(let sequence):
            for element in sequence { try YAMLValue(node: element, file: file, context: context).checkShape(depth: depth + 1) }
        case .mapping(let mapping):
            for (key, value) in mapping {
                try YAMLValue(node: key, file: file, context: context).checkShape(depth: depth + 1)
                try YAMLValue(node: value, file: file, context: context).checkShape(depth: depth + 1)
            }
        case .scalar, .alias: break
        }
    }
}
