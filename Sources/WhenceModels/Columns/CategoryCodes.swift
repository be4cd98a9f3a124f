import WhenceCore

/// The numbers of one feature's categories, found by their values. Values are equal where pandas has them so: 2 is 2.0, and True is 1.
struct CategoryCodes: Sendable {
    /// By their bytes: to Swift's strings an é is the same however it is composed, to the libraries it is not.
    private var texts: [[UInt8]: Double] = [:]
    private var wholes: [Int64: Double] = [:]
    private var reals: [Double: Double] = [:]
    private var hasBools = false
    /// Whether no two values are the same.
    private(set) var isUnique = true

    init(_ categories: [CategoryValue]) {
        for (code, category) in categories.enumerated() {
            let code = Double(code)
            let former: Double?
            switch category {
            case .text(let text): former = texts.updateValue(code, forKey: Array(text.utf8))
            case .whole(let number): former = wholes.updateValue(code, forKey: number)
            case .bool(let value):
                former = wholes.updateValue(code, forKey: value ? 1 : 0)
                hasBools = true
            case .real(let number):
                if let whole = Int64(exactly: number) {
                    former = wholes.updateValue(code, forKey: whole)
                } else {
                    former = reals.updateValue(code, forKey: number)
                }
            }
            if former != nil { isUnique = false }
        }
    }

    /// Whether a column of numbers, or of true and false, can hold any of the values.
    var hasNumbers: Bool { !wholes.isEmpty || !reals.isEmpty }

    /// The number of a value; NaN for what is no category.
    func code(_ value: CategoryValue) -> Double {
        switch value {
        case .text(let text): code(text)
        case .whole(let number): wholes[number] ?? .nan
        case .real(let number): (Int64(exactly: number).map { wholes[$0] } ?? reals[number]) ?? .nan
        case .bool(let value): wholes[value ? 1 : 0] ?? .nan
        }
    }

    /// A text is the text among the categories; where there is none, the number or the truth value that it spells, since in CSV every
    /// value is a text.
    private func code(_ text: String) -> Double {
        let bytes = Array(text.utf8)
        if let code = texts[bytes] { return code }
        guard hasNumbers else { return .nan }
        if case .value(let number) = unsafe DecimalText.int64(bytes.span.bytes) { return code(.whole(number)) }
        if case .value(let number) = unsafe DecimalText.float64(bytes.span.bytes) { return code(.real(number)) }
        guard hasBools else { return .nan }
        // What pandas reads as a truth value.
        switch text {
        case "True", "true", "TRUE": return code(.bool(true))
        case "False", "false", "FALSE": return code(.bool(false))
        default: return .nan
        }
    }
}
