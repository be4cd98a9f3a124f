import WhenceCore

/// Finds a model's features among the columns of a table, and makes rows of features of batches.
///
/// Columns are found by name. Numbers and booleans become numbers (whole numbers beyond 2^53 the nearest double), texts the
/// numbers that the model has for them; a null is NaN, the missing value. A whole number where the model wants a text is that
/// number's text, as CatBoost has it. Where the model knows the values of a feature's categories, a column holds those values,
/// never their numbers, whatever its type. Columns of features that no rule looks at are not looked at, either.
public struct FeatureColumns: Sendable {
    private let model: Model
    /// For each feature its column, or nil.
    private let places: [Int?]
    /// For each feature the numbers of its categories, where the model knows their values.
    private let categories: [CategoryCodes?]
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
        categories = model.features.map { $0.values.isEmpty ? nil : CategoryCodes($0.values) }
    }

    /// Whether feature `index` has a column.
    public func hasColumn(_ index: Int) -> Bool { places[index] != nil }

    /// Which of `columns` feature `index`, which has none, is likely to mean: LightGBM writes `my_col` for a column `my col`.
    public func nearColumn(_ index: Int, among columns: [String]) -> String? {
        let name = model.features[index].name
        return columns.first { $0 != name && $0.replacing(" ", with: "_") == name }
    }

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
        if let codes = categories[feature] { return try fill(column, codes, feature, rows, into: &features) }
        let isText = model.features[feature].kind == .text
        let width = model.featureCount
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
                features[place] = isText ? code(String(value), feature) : Double(value)
            case .scalar(.int32):
                let value = column.load(row, as: Int32.self)
                features[place] = isText ? code(String(value), feature) : Double(value)
            case .scalar(.bool):
                let value = column.bool(row)
                features[place] = isText ? code(model.text(of: value), feature) : value ? 1 : 0
            case .scalar(.string) where isText:
                features[place] = model.code(of: column.values.span.extracting(column.byteRange(row)), feature: feature)
            default: throw mismatch(column, feature)
            }
        }
    }

    /// Of a feature whose categories are known by their values.
    private func fill(
        _ column: Column, _ codes: CategoryCodes, _ feature: Int, _ rows: Range<Int>, into features: inout [Double]
    ) throws(WhenceError) {
        let width = model.featureCount
        let hasNumbers = codes.hasNumbers
        // LightGBM takes a category that it does not know as missing; XGBoost predicts nothing of such a table.
        let refusesUnknown = model.format == .xgboostJSON || model.format == .xgboostUBJSON
        for (index, row) in rows.enumerated() {
            let place = index * width + feature
            guard column.isValid(row) else {
                features[place] = .nan
                continue
            }
            let value: CategoryValue
            switch column.type {
            case .scalar(.string): value = .text(UTF8Text.string(column.values.span.extracting(column.byteRange(row))))
            case .scalar(.float64) where hasNumbers: value = .real(column.load(row, as: Double.self))
            case .scalar(.float32) where hasNumbers: value = .real(Double(column.load(row, as: Float.self)))
            case .scalar(.int64) where hasNumbers: value = .whole(column.load(row, as: Int64.self))
            case .scalar(.int32) where hasNumbers: value = .whole(Int64(column.load(row, as: Int32.self)))
            case .scalar(.bool) where hasNumbers: value = .bool(column.bool(row))
            default: throw mismatch(column, feature)
            }
            let code = codes.code(value)
            if code.isNaN, refusesUnknown, !value.isNaN {
                throw WhenceError(
                    .invalidValue, "'\(value.text.prefix(80))' is none of the categories that the model was trained on",
                    hint: "XGBoost predicts nothing of it, either; leave it empty if it is to count as missing")
            }
            features[place] = code
        }
    }

    private func mismatch(_ column: Column, _ feature: Int) -> WhenceError {
        let entry = model.features[feature]
        let (wanted, hint) =
            switch entry.kind {
            case .text: ("a text", "give the categories as text")
            case .category where !entry.values.isEmpty:
                ("one of the model's categories", "give the values that the model was trained on, such as '\(entry.values[0].text)'")
            case .category: ("the number of a category", "give the numbers of the categories, as .cat.codes of pandas has them")
            case .number: ("a number", "give the feature as a number")
            }
        return WhenceError(.invalidValue, "a column of \(column.type.name) cannot stand for \(wanted)", hint: hint)
    }

    private func code(_ text: String, _ feature: Int) -> Double { unsafe model.code(of: Array(text.utf8).span.bytes, feature: feature) }
}

extension Column {
    fileprivate func bool(_ row: Int) -> Bool { values.span[row >> 3] >> UInt8(row & 7) & 1 == 1 }
}
