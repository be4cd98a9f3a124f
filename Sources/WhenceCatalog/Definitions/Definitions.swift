import WhenceCore

/// Entities, views and services, as read from files or as a program states them.
///
/// Definitions refer to one another by name, and to what a catalog has already; `Catalog.plan` checks the references.
public struct Definitions: Sendable {
    public var entities: [Entity]
    public var views: [FeatureView]
    public var services: [FeatureService]
    /// Where a file states what: `weather.yaml:12:5`.
    var places: [DefinitionPath: String] = [:]

    public init(entities: [Entity] = [], views: [FeatureView] = [], services: [FeatureService] = []) {
        self.entities = entities
        self.views = views
        self.services = services
    }

    /// Reads one file of definitions (`Formats/definitions.md`), which may hold several YAML documents.
    ///
    /// `file` is the name that errors give. Throws `invalidDefinition` with the file, line, column, view and feature of
    /// the first mistake, or `limitExceeded` when the file is larger than `CatalogLimits.fileBytes`.
    public static func parse(yaml: String, file: String) throws(WhenceError) -> Definitions {
        var reader = DefinitionReader(file: file)
        try reader.read(yaml)
        try reader.definitions.check()
        return reader.definitions
    }

    /// Adds the definitions of another file. Throws `invalidDefinition` when something is defined in both.
    public mutating func merge(_ other: Definitions) throws(WhenceError) {
        let mine = Set(all.map { DefinitionPath($0.kind, $0.name) })
        for definition in other.all {
            let path = DefinitionPath(definition.kind, definition.name)
            if mine.contains(path) { throw duplicate(path, at: other.place(path)) }
        }
        entities += other.entities
        views += other.views
        services += other.services
        places.merge(other.places) { mine, _ in mine }
    }

    /// Every definition: entities, then views, then services, each in the order in which they were stated.
    var all: [Definition] { entities.map(Definition.entity) + views.map(Definition.view) + services.map(Definition.service) }

    /// Where a part of these definitions is stated, and what it is: `weather.yaml:12:5, view weather, feature temp`.
    func place(_ path: DefinitionPath) -> String {
        var known = path
        while true {
            if let position = places[known] { return "\(position), \(path.text)" }
            guard !known.parts.isEmpty else { return path.text }
            known.parts.removeLast()
        }
    }

    /// The refusal of a second definition of the same name, found at `place`.
    func duplicate(_ path: DefinitionPath, at place: String) -> WhenceError {
        let first = places[path].map { "; the first is at \($0)" } ?? ""
        return WhenceError(
            .invalidDefinition, "the \(path.kind) '\(path.name)' is defined twice\(first)", place: place,
            hint: "keep one of them, or give one another name")
    }
}
