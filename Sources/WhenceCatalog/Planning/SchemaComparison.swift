import WhenceCore

/// The difference between the stored version of a view and a new one, and the schema that the new one leads to.
struct SchemaComparison {
    /// The schema of the new version: the stored one when its fields are the same.
    private(set) var schema: Schema
    /// Features that old rows have nothing for.
    private(set) var added: [String] = []
    /// Why the change is refused; empty when it is not.
    private(set) var refusals: [String] = []
    private var difference = DefinitionDifference()

    init(_ stored: StoredView, _ view: FeatureView) {
        let old = stored.currentSchema
        let ever = stored.schemas.flatMap(\.fields)
        var lastID = ever.map(\.id).max() ?? 0
        var fields: [SchemaField] = []
        schema = old
        if stored.definition.entity != view.entity {
            refusals.append(
                "the entity of a view cannot change, because every stored row is filed under its join keys; "
                    + "define a new view of '\(view.entity)' and backfill it")
        }
        difference.compare("entity", stored.definition.entity, view.entity)
        let oldFields = Dictionary(old.fields.map { ($0.name, $0) }) { first, _ in first }
        let everNames = Set(ever.map(\.name))
        for feature in view.features {
            guard let field = oldFields[feature.name] else {
                lastID += 1
                fields.append(SchemaField(id: lastID, name: feature.name, type: feature.type))
                added.append(feature.name)
                let note = everNames.contains(feature.name) ? "new; values of the retired feature of that name stay away" : "new"
                difference.add("feature \(feature.name): \(feature.type.name) (\(note); old rows have nothing for it)")
                continue
            }
            fields.append(SchemaField(id: field.id, name: field.name, type: feature.type))
            if field.type == feature.type { continue }
            let arrow = "feature \(feature.name): \(field.type.name) -> \(feature.type.name)"
            if field.type.widens(to: feature.type) {
                difference.change("\(arrow) (widened; old rows stay readable)")
            } else {
                difference.change(arrow)
                let free = SchemaComparison.freeName(feature, everNames.union(view.features.map(\.name)))
                refusals.append(
                    "feature \(feature.name) cannot become \(feature.type.name), because stored values of \(field.type.name) are not "
                        + "all values of it; add a feature with a new name, such as '\(free)', and backfill it")
            }
        }
        let newNames = Set(view.features.map(\.name))
        for field in old.fields where !newNames.contains(field.name) {
            difference.remove("feature \(field.name): \(field.type.name) (retired; old rows keep its values)")
        }
        let kept = view.features.map(\.name).filter { oldFields[$0] != nil }
        if kept != old.fields.map(\.name).filter(newNames.contains) { difference.change("order of features") }
        difference.compareSettings(stored.definition, view)
        if fields != old.fields { schema = Schema(id: UInt32(stored.schemas.count) + 1, fields: fields) }
    }

    var lines: [CatalogChange.Line] { difference.lines }

    private static func freeName(_ feature: Feature, _ taken: Set<String>) -> String {
        var number = 2
        while taken.contains("\(feature.name)_v\(number)") { number += 1 }
        return "\(feature.name)_v\(number)"
    }
}
