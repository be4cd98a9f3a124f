import WhenceCore

/// The numbers that the catalog gives to a view and its features; they are stored, because rows name them.
struct ViewNumbering: Sendable, Hashable {
    let viewID: UInt32
    /// The schema of one version of the view.
    let schema: Schema

    init(viewID: UInt32, schema: Schema) {
        self.viewID = viewID
        self.schema = schema
    }

    var json: JSONValue {
        var inner = JSONMembers()
        inner.put("id", schema.id)
        inner.put(
            "fields", schema.fields.map { ["id": .integer(Int64($0.id)), "name": .string($0.name), "type": .string($0.type.name)] })
        var members = JSONMembers()
        members.put("id", viewID)
        members.put("schema", inner.object)
        return members.object
    }

    /// Reads the stored form, and checks that it fits the definition.
    init(_ value: JSONValue, of view: FeatureView) throws(WhenceError) {
        var object = try JSONObject(value, "the view's numbering")
        viewID = try object.count("id")
        var inner = try JSONObject(try object.take("schema"), "the schema")
        try object.end()
        let id = try inner.count("id")
        var fields: [SchemaField] = []
        var ids: Set<UInt32> = []
        for element in try inner.optionalArray("fields") ?? [] {
            var field = try JSONObject(element, "a field")
            let number = try field.count("id")
            guard ids.insert(number).inserted else { throw field.refuse("its id \(number) is there twice") }
            fields.append(SchemaField(id: number, name: try field.text("name"), type: try field.featureType("type")))
            try field.end()
        }
        try inner.end()
        guard fields.map(\.name) == view.features.map(\.name), fields.map(\.type) == view.features.map(\.type) else {
            throw inner.refuse("the schema and the features of '\(view.name)' differ")
        }
        schema = Schema(id: id, fields: fields)
    }
}
