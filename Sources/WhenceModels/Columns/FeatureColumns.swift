import WhenceCore

/// Finds a model's features among the columns of a table, and makes rows of features of batches.
///
/// Columns are found by name. Numbers and booleans become numbers (whole numbers beyond 2^53 the nearest double), texts the
/// numbers that the model has for them; a null is NaN, the missing value. A whole number where the model wants a text is that
/// number's text, as CatBoost has it.
public struct FeatureColumns: Sendable {
    private let model: Model
    /// For each feature its column, or nil.
    private let places: [Int?]
    /// For each feature the numbers of its categories' texts.
    private let categories: [[String: Int]]
    /// Features that no column has, in the model's order.
    public let missing: [String]
    /// Columns that the model has no use for.
    public let surplus: [String]

    /// - Parameters:
    ///   - columns: the table's columns.
    ///   - byPosition: takes the columns in order instead of by name, as many as the model has features.
    /// - Throws: `invalidArgument` where two columns or two features have one name.
    public init(_ model: Model, columns: [String], byPosition: Bool = false) throws(WhenceError) {
        self.model = model
        var index: [String: Int] = [:]
        for (place, name) in columns.enumerated() {
            guard index.updateValue(place, forKey: name) == nil || byPosition else {
                throw WhenceError(.invalidArgument, "two columns are named '\(name)'", hint: "rename one of them")
            }
        }
        var used: Set<Int> = []
        var places: [Int?] = []
        var missing: [String] = []
        var names: Set<String> = []
        for (number, feature) in model.features.enumerated() {
            guard names.insert(feature.name).inserted || byPosition else {
                throw WhenceError(
                    .invalidArgument, "two features of the model are named '\(feature.name)', so columns cannot be told by name",
                    hint: "take the columns in order (--by-position), or export the model with a name for each feature")
            }
            let place = byPosition ? (number < columns.count ? number : nil) : index[feature.name]
            places.append(place)
            if let place { used.insert(place) } else { missing.append(feature.name) }
        }
        self.places = places
        self.missing = missing
        surplus = columns.indices.filter { !used.contains($0) }.map { columns[$0] }
        categories = model.features.map { feature in
            Dictionary(feature.categories.enumerated().map { ($1, $0) }) { first, _ in first }
        }
    }

    /// Whether feature `index` has a column.
    public func hasColumn(_ index: Int) -> Bool { places[index] != nil }

    /// The features of `rows` of a batch, whose columns are those that were given to `init`, one row behind the other.
    public func fill(_ batch: ColumnBatch, rows: Range<Int>, into features: inout [Double]) throws(WhenceError) {
        let width = model.featureCount
        let count = rows.count * width
        if features.count != count { features = Array(repeating: .nan, count: count) }
        for feature in 0..<width {
            // What no rule looks at may be anything.
            guard let place = places[feature], model.features[feature].isUsed else {
                for row in 0..<rows.count { features[row * width + feature] = .nan }
                continue
            }
            do throws(WhenceError) {
                try fill(batch.columns[place], feature, rows, into: &features)
            } catch {
                throw error.at("column \(batch.names[place])")
            }
        }
    }

    private func fill(_ column: Column, _ feature: Int, _ rows: Range<Int>, into features: inout [Double]) throws(WhenceError) {
        let kind = model.features[feature].kind
        let width = model.featureCount
        let isText = kind == .text
        let hasTexts = isText || !categories[feature].isEmpty
        for (index, row) in rows.enumerated() {
            let place = index * width + feature
            guard column.isValid(row) else {
                features[place] = .nan
                continue
            }
            switch column.type {
            case .scalar(.float64) where !isText: features[place] = column.load(row, as: Double.self)
            case .scalar(.float32) where !isText: features[place] = Double(column.load(row, as: Float.self))
            case .scalar(.int64):
                let value = column.load(row, as: Int64.self)
                features[place] = isText ? code(Array(String(value).utf8), feature) : Double(value)
            case .scalar(.int32):
                let value = column.load(row, as: Int32.self)
                features[place] = isText ? code(Array(String(value).utf8), feature) : Double(value)
            case .scalar(.bool):
                let value = column.values.span[row >> 3] >> UInt8(row & 7) & 1
                features[place] = isText ? code(Array((value == 1 ? "True" : "False").utf8), feature) : Double(value)
            case .scalar(.string) where hasTexts:
                let text = column.values.span.extracting(column.byteRange(row))
                if isText {
                    features[place] = model.code(of: text, feature: feature)
                } else {
                    features[place] = categories[feature][UTF8Text.string(text)].map { Double($0) } ?? .nan
                }
            default:
                throw WhenceError(
                    .invalidValue, "a column of \(column.type.name) cannot stand for \(isText ? "a text" : "a number")",
                    hint: isText ? "give the categories as text" : "give the feature as a number")
            }
        }
    }

    private func code(_ text: [UInt8], _ feature: Int) -> Double { unsafe model.code(of: text.span.bytes, feature: feature) }
}
