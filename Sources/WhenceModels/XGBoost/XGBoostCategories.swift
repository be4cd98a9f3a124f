import WhenceCore

/// The values of one feature's categories, as XGBoost from 3.1 on keeps them in `cats.enc`, so that tables of pandas need no codes.
struct XGBoostCategories {
    /// The values by their numbers; empty for a feature that is no category, or whose values are not exact.
    private(set) var values: [CategoryValue] = []
    /// Whether the values are spoiled: XGBoost takes characters for bytes when it cuts the texts of pandas apart.
    private(set) var isSpoiled = false

    init<Reader: DocumentReader & ~Copyable>(_ reader: inout Reader, _ limits: ModelLimits) throws(WhenceError) {
        var offsets: [Int]?
        var numbers: [Int] = []
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "offsets": offsets = try XGBoostCategories.numbers(&reader, max: limits.category + 1)
            case "values": numbers = try XGBoostCategories.numbers(&reader, max: limits.elements(limits.categoryBytes, of: 8))
            default: try reader.skip()
            }
        }
        guard let offsets else {
            values = numbers.map { .whole(Int64($0)) }
            guard CategoryCodes(values).isUnique else { throw reader.fault("two categories of a feature have the same value") }
            return
        }
        isSpoiled = numbers.contains { !(0..<128 ~= $0) }
        guard !offsets.isEmpty, !isSpoiled else { return }
        for (start, end) in zip(offsets, offsets.dropFirst()) {
            guard 0 <= start, start <= end, end <= numbers.count else {
                throw reader.fault("the offsets of categories are out of order, or of range")
            }
            values.append(.text(String(decoding: numbers[start..<end].map { UInt8($0) }, as: UTF8.self)))
        }
        guard CategoryCodes(values).isUnique else { throw reader.fault("two categories of a feature have the same value") }
    }

    private static func numbers<Reader: DocumentReader & ~Copyable>(_ reader: inout Reader, max: Int) throws(WhenceError) -> [Int] {
        var numbers: [Int] = []
        try reader.beginArray()
        while try reader.nextElement() {
            guard numbers.count < max else { throw reader.tooMany(max) }
            numbers.append(try reader.int())
        }
        return numbers
    }
}
