import WhenceCore

/// Numbers in XGBoost's documents, which are strings in most places and numbers in some.
enum XGBoostNumber {
    static func int<Reader: DocumentReader & ~Copyable>(_ reader: inout Reader, in range: ClosedRange<Int>) throws(WhenceError) -> Int {
        guard try reader.kind() == .string else { return try reader.int(in: range) }
        let text = try reader.string(bytesMax: 64)
        guard let value = Int(text) else { throw reader.fault("'\(text.prefix(40))' is not a number that can stand here") }
        guard range.contains(value) else {
            throw reader.fault("\(value) is out of range: \(range.lowerBound) to \(range.upperBound) can stand here")
        }
        return value
    }

    /// One float, or several in brackets, as a string: `5E-1` and `[1.2E0,3E-1]`.
    static func floats<Reader: DocumentReader & ~Copyable>(_ reader: inout Reader) throws(WhenceError) -> [Float] {
        if try reader.kind() == .number { return [try reader.float()] }
        let text = try reader.string()
        var body = text[...]
        if body.hasPrefix("["), body.hasSuffix("]") { body = body.dropFirst().dropLast() }
        var values: [Float] = []
        for part in body.split(separator: ",") {
            guard let value = Float(part), value.isFinite else {
                throw reader.fault("'\(part.prefix(40))' is not a number that can stand here")
            }
            values.append(value)
        }
        guard !values.isEmpty else { throw reader.fault("a number should stand here") }
        return values
    }
}
