import WhenceCatalog
import WhenceCore

/// The definitions that most tests start from.
enum Flights {
    static let yaml = """
        entities:
          - name: airport
            description: an airport, by its IATA code
            join_keys:
              - { name: airport, type: string }
          - name: plane
            join_keys:
              - { name: tailnum, type: string }
        views:
          - name: weather
            entity: airport
            event_time: { column: time_hour, zone: America/New_York }
            available_at: known_at
            availability_delay: 1h
            ttl: 3h
            retention: 400d
            owner: weather team
            tags: { source: noaa }
            features:
              - { name: temp, type: int32, description: degrees Fahrenheit }
              - { name: humid, type: float64 }
          - name: planes
            entity: plane
            features:
              - name: seats
                type: int32
                tags: { pii: "no" }
        services:
          - name: base
            features:
              - view: planes
          - name: departure_delay
            include: [base]
            features:
              - view: weather
                select: [humid, temp]
                join_keys: { airport: origin }
                prefix: origin_
              - view: weather
                select: [temp]
                join_keys: { airport: dest }
                prefix: dest_
        """

    static func definitions() throws(WhenceError) -> Definitions { try Definitions.parse(yaml: yaml, file: "flights.yaml") }

    /// A catalog of version 1 that has them.
    static func catalog() throws(WhenceError) -> Catalog { try Catalog().applying(yaml) }

    /// The definitions with one piece of text in place of another.
    static func yaml(_ old: String, _ new: String) -> String {
        precondition(yaml.contains(old))
        return yaml.replacing(old, with: new, maxReplacements: 1)
    }
}

extension Catalog {
    /// The catalog after the definitions in `yaml`.
    func applying(_ yaml: String) throws(WhenceError) -> Catalog { try applying(plan(yaml)).catalog }

    func plan(_ yaml: String) throws(WhenceError) -> CatalogPlan { try plan(try Definitions.parse(yaml: yaml, file: "flights.yaml")) }
}

extension CatalogPlan {
    /// What the plan does to a definition, or nil when it has nothing to do with it.
    func change(_ kind: DefinitionKind, _ name: String) -> CatalogChange? { changes.first { $0.kind == kind && $0.name == name } }
}

/// The error that `body` throws, or nil.
func refusal(_ body: () throws(WhenceError) -> Void) -> WhenceError? {
    do {
        try body()
        return nil
    } catch {
        return error
    }
}
