import WhenceCore

/// The fields of a column whose type is not known yet.
struct PendingColumn {
    private(set) var states: [RecordField.State]
    private var bytes: [UInt8] = []
    /// Where the bytes of each field end.
    private var ends: [Int]

    init(nulls: Int = 0) {
        states = Array(repeating: .absent, count: nulls)
        ends = Array(repeating: 0, count: nulls)
    }

    mutating func append(_ field: RecordField) {
        states.append(field.state)
        unsafe field.bytes.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        ends.append(bytes.count)
    }

    private func range(_ row: Int) -> Range<Int> { (row == 0 ? 0 : ends[row - 1])..<ends[row] }

    /// Whether the number in `row` is written as an integer that int64 holds.
    func isWholeNumber(_ row: Int) -> Bool {
        let text = unsafe bytes.span.bytes.extracting(range(row))
        guard case .value = DecimalText.int64(text) else { return false }
        for index in 0..<text.byteCount where text[index] == 0x2E { return false }
        return true
    }

    func append(_ row: Int, to builder: ColumnBuilder, _ times: TimeParser) throws(WhenceError) {
        let bytes = bytes
        let text = unsafe bytes.span.bytes.extracting(range(row))
        try TextValue.append(RecordField(state: states[row], bytes: text), times: times, to: builder)
    }
}
