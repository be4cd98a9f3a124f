import WhenceCore

/// The columns met so far, found by name without making a string.
struct ColumnNames {
    private(set) var names: [String] = []
    private var utf8: [[UInt8]] = []
    /// Open addressing: the index of a column plus one, or 0. A power of two, at most half full.
    private var table: [Int32] = Array(repeating: 0, count: 64)

    /// Where the column named `name` is, or nil. `guess` is looked at first: keys mostly keep their order.
    func index(of name: RawSpan, guess: Int) -> Int? {
        if guess < utf8.count, UTF8Text.isEqual(name, utf8[guess]) { return guess }
        var at = Int(truncatingIfNeeded: EntityKey.hash(name)) & (table.count - 1)
        while table[at] != 0 {
            let index = Int(table[at]) - 1
            if UTF8Text.isEqual(name, utf8[index]) { return index }
            at = (at + 1) & (table.count - 1)
        }
        return nil
    }

    /// Adds a column that is not there yet, and returns its index.
    mutating func append(_ name: RawSpan) -> Int {
        names.append(UTF8Text.string(name))
        utf8.append(Array(names[names.count - 1].utf8))
        if names.count * 2 > table.count {
            table = Array(repeating: 0, count: table.count * 2)
            for index in utf8.indices { insert(index) }
        } else {
            insert(names.count - 1)
        }
        return names.count - 1
    }

    private mutating func insert(_ index: Int) {
        let name = utf8[index]
        var at = Int(truncatingIfNeeded: unsafe EntityKey.hash(name.span.bytes)) & (table.count - 1)
        while table[at] != 0 { at = (at + 1) & (table.count - 1) }
        table[at] = Int32(index + 1)
    }
}
