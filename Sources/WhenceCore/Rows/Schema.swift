/// One feature as a schema lists it.
public struct SchemaField: Hashable, Sendable {
    /// Identifies the feature within its view for ever; never used again after the feature is retired.
    public let id: UInt32
    public let name: String
    public let type: FeatureType

    public init(id: UInt32, name: String, type: FeatureType) {
        self.id = id
        self.name = name
        self.type = type
    }
}

/// The features that a row of a view may carry, in the order in which rows store them. A view's schemas are numbered
/// from 1; a row names the one it was written under, so old rows stay readable when features come, go or widen.
public struct Schema: Hashable, Sendable {
    /// The schema's number within its view.
    public let id: UInt32
    public let fields: [SchemaField]

    public init(id: UInt32, fields: [SchemaField]) {
        self.id = id
        self.fields = fields
    }

    /// Where `name` stands among the fields, or nil.
    public func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }
}

/// Where the parts of a row lie under one schema (`Formats/rows.md`); derived from the schema alone.
public struct RowLayout: Sendable {
    public let schema: Schema
    /// For each field its place in the fixed section of a row that carries every field, or -1 for a variable-length one.
    @usableFromInline let fixedOffsets: [Int]
    /// For each field its width in the fixed section, or 0.
    @usableFromInline let widths: [Int]
    /// For each field its place among the variable-length ones, or -1.
    @usableFromInline let variableIndexes: [Int]
    @usableFromInline let fixedBytes: Int
    @usableFromInline let variableCount: Int
    /// Bytes of a presence or null bitmap.
    @usableFromInline let bitmapBytes: Int

    public init(_ schema: Schema) {
        self.schema = schema
        var fixedOffsets: [Int] = []
        var widths: [Int] = []
        var variableIndexes: [Int] = []
        var fixed = 0
        var variable = 0
        for field in schema.fields {
            if let width = field.type.width {
                // A field of no width could not be told from one of any width.
                precondition(width > 0, "a vector has at least one element")
                fixedOffsets.append(fixed)
                widths.append(width)
                variableIndexes.append(-1)
                fixed += width
            } else {
                fixedOffsets.append(-1)
                widths.append(0)
                variableIndexes.append(variable)
                variable += 1
            }
        }
        self.fixedOffsets = fixedOffsets
        self.widths = widths
        self.variableIndexes = variableIndexes
        fixedBytes = fixed
        variableCount = variable
        bitmapBytes = (schema.fields.count + 7) / 8
    }
}
