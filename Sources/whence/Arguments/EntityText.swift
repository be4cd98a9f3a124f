import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceTabular

/// An entity as it is named on the command line: `airport=JFK`, or `carrier=UA,flight=1545`. A comma, an equals sign or a
/// backslash within a value has a backslash in front.
struct EntityText {
    let text: String
    /// The option that it was given with.
    let option: String
    let parts: [(name: String, value: String)]

    init(_ text: String, option: String = "--entity") throws {
        self.text = text
        self.option = option
        var parts: [(name: String, value: String)] = []
        var name: String?
        var current = ""
        var isEscaped = false
        func close() throws {
            guard let key = name, !key.isEmpty else {
                throw UsageError("\(option) \(text)", "'\(current)' is not of the form NAME=VALUE", hint: "write \(option) airport=JFK")
            }
            parts.append((key, current))
            name = nil
            current = ""
        }
        for character in text {
            if isEscaped {
                current.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == ",", name != nil {
                try close()
            } else if character == "=", name == nil {
                name = current
                current = ""
            } else {
                current.append(character)
            }
        }
        try close()
        self.parts = parts
    }

    /// The values of `keys`, in their order. Throws where one is missing, too many, named twice, or of the wrong type.
    func values(of keys: [JoinKey]) throws(WhenceError) -> [KeyValue] {
        let place = "\(option) \(text)"
        let known =
            "the join keys are " + keys.map { "\($0.name) (\($0.type.rawValue))" }.joined(separator: ", ")
            + ": write \(option) " + keys.map { "\($0.name)=…" }.joined(separator: ",")
        for (index, part) in parts.enumerated() {
            guard keys.contains(where: { $0.name == part.name }) else {
                throw WhenceError(.invalidKey, "there is no join key '\(part.name)' here", place: place, hint: known)
            }
            if parts[..<index].contains(where: { $0.name == part.name }) {
                throw WhenceError(.invalidKey, "the join key '\(part.name)' is given twice", place: place, hint: known)
            }
        }
        var values: [KeyValue] = []
        for key in keys {
            guard let part = parts.first(where: { $0.name == key.name }) else {
                throw WhenceError(.invalidKey, "the join key '\(key.name)' is missing", place: place, hint: known)
            }
            do {
                values.append(try TextValue.key(part.value, as: key.type))
            } catch {
                throw error.at("\(place), join key \(key.name)")
            }
        }
        return values
    }

    /// A column for each of `keys`, a row for each of `entities`.
    static func columns(_ keys: [JoinKey], _ entities: [[KeyValue]]) throws(WhenceError) -> [Column] {
        var columns: [Column] = []
        for (index, key) in keys.enumerated() {
            let builder = ColumnBuilder(key.type.columnType)
            for entity in entities { try builder.append(entity[index].value) }
            columns.append(try builder.finish())
        }
        return columns
    }

    /// The join keys that are named, of which there may be fewer than all: the first ones.
    private func firstKeys(_ keys: [JoinKey]) -> [JoinKey] { Array(keys.prefix(parts.count)) }

    func firstValues(of keys: [JoinKey]) throws(WhenceError) -> [KeyValue] { try values(of: firstKeys(keys)) }

    func firstRow(of keys: [JoinKey]) throws(WhenceError) -> ColumnBatch { try row(of: firstKeys(keys)) }

    /// The entity as a batch of one row.
    func row(of keys: [JoinKey]) throws(WhenceError) -> ColumnBatch {
        ColumnBatch(names: keys.map(\.name), columns: try EntityText.columns(keys, [try values(of: keys)]), count: 1)
    }
}

extension KeyValue {
    /// The same value, as one of a column.
    var value: Value {
        switch self {
        case .int64(let number): .int64(number)
        case .string(let text): .string(text)
        case .bytes(let bytes): .bytes(bytes)
        case .bool(let flag): .bool(flag)
        }
    }
}
