import CForest

/// Which columns of codes a forest needs: see `CForest.h`.
///
/// A *use* is what a split says of its column before all thresholds are known: a table of thresholds and a way to treat missing
/// values, or a predicate; and the number of its threshold in that table. Once all splits are there, `plan` sorts the thresholds and
/// numbers the columns.
struct ColumnPlan {
    private struct PredicateKey: Hashable {
        var feature: Int32
        var kind: UInt8
        var missing: UInt8
        var defaultLeft: Bool
        var bits: UInt64
    }

    private static let predicateMark: UInt32 = 1 << 31
    /// Thresholds that one column ranks.
    private static let codesPerColumn = 255

    /// Bitsets of categories, as ranges of `words`.
    private(set) var sets: [Range<Int>] = []
    private(set) var words: [UInt32] = []
    private(set) var tables: [cf_table] = []
    private(set) var columns: [cf_column] = []
    private(set) var predicates: [cf_predicate] = []
    /// Sorted, padded: those of each table one behind the other.
    private(set) var thresholds: [Double] = []
    private(set) var columnCount = 0

    /// The column of each predicate, as uses number them.
    private var predicateColumns: [UInt32] = []
    private var setIndex: [[UInt32]: Int] = [:]
    private var predicateIndex: [PredicateKey: UInt32] = [:]
    /// For each feature and strictness its table, or -1; as far as one was met.
    private var tableIndex: [Int32] = []
    /// For each table, the ways of treating missing values that are in use, as bits.
    private var variants: [UInt8] = []
    /// For each table its thresholds; after `plan` their ranks, by their numbers.
    private var thresholdSets: [ThresholdSet] = []
    private var ranks: [[UInt32]] = []

    mutating func addSet(_ set: [UInt32]) -> Int {
        // Small sets are padded, so that all of one is loaded at once.
        var set = set
        while set.count < Int(CF_SMALL_SET_WORDS) { set.append(0) }
        if let index = setIndex[set] { return index }
        setIndex[set] = sets.count
        sets.append(words.count..<(words.count + set.count))
        words.append(contentsOf: set)
        return sets.count - 1
    }

    /// Notes what `split` needs, and returns it as a use, and the number of its threshold.
    mutating func use(_ split: TreeForm.Split) -> (use: UInt32, threshold: UInt32) {
        switch split.rule {
        case .lessOrEqual, .less:
            let slot = Int(split.feature) * 2 + (split.rule == .less ? 1 : 0)
            while tableIndex.count <= slot { tableIndex.append(-1) }
            if tableIndex[slot] < 0 {
                tableIndex[slot] = Int32(tables.count)
                tables.append(
                    cf_table(
                        feature: UInt32(split.feature), first_threshold: 0, count: 0, padded: 0, first_column: 0, columns: 0,
                        counts_equal: split.rule == .less ? 1 : 0))
                variants.append(0)
                thresholdSets.append(ThresholdSet())
            }
            let table = tableIndex[slot]
            // What is not missing by any rule goes the same way, whatever the default.
            let variant = UInt32(split.missing.rawValue) * 2 + (split.missing != .none && split.defaultLeft ? 1 : 0)
            variants[Int(table)] |= 1 << UInt8(variant)
            return (UInt32(table) << 3 | variant, thresholdSets[Int(table)].number(of: split.threshold))
        case .equal, .isIn, .isInTruncated:
            let isSet = split.rule != .equal
            let key = PredicateKey(
                feature: split.feature, kind: split.rule.rawValue, missing: split.missing.rawValue, defaultLeft: split.defaultLeft,
                bits: split.threshold.bitPattern)
            if let index = predicateIndex[key] { return (index | ColumnPlan.predicateMark, 0) }
            let index = UInt32(predicates.count)
            predicateIndex[key] = index
            let range = isSet ? sets[Int(split.threshold)] : 0..<0
            let kind = split.rule == .equal ? CF_EQUAL : split.rule == .isIn ? CF_IS_IN : CF_IS_IN_TRUNCATED
            predicates.append(
                cf_predicate(
                    value: isSet ? 0 : split.threshold, feature: UInt32(split.feature), column: 0, first_word: UInt32(range.lowerBound),
                    words: UInt32(range.count), kind: UInt8(kind), missing: split.missing.rawValue, default_left: split.defaultLeft ? 1 : 0,
                    unused: 0))
            return (index | ColumnPlan.predicateMark, 0)
        }
    }

    /// The feature that a use looks at, before `plan`.
    func feature(of use: UInt32) -> Int {
        use & ColumnPlan.predicateMark == 0
            ? Int(tables[Int(use >> 3)].feature) : Int(predicates[Int(use & ~ColumnPlan.predicateMark)].feature)
    }

    /// Sorts the thresholds of all splits and numbers the columns.
    mutating func plan() {
        columnCount = 0
        for table in tables.indices {
            let (sorted, ranks) = thresholdSets[table].ranked()
            thresholdSets[table] = ThresholdSet()
            self.ranks.append(ranks)
            let first = thresholds.count
            thresholds.append(contentsOf: sorted)
            let count = thresholds.count - first
            var padded = 1
            while padded <= count { padded *= 2 }
            while thresholds.count < first + padded - 1 { thresholds.append(.infinity) }
            tables[table].first_threshold = UInt32(first)
            tables[table].count = UInt32(count)
            tables[table].padded = UInt32(padded - 1)
            tables[table].first_column = UInt32(columnCount)
            let chunks = (count + ColumnPlan.codesPerColumn - 1) / ColumnPlan.codesPerColumn
            for variant in 0..<8 where variants[table] & (1 << UInt8(variant)) != 0 {
                for chunk in 0..<chunks {
                    columns.append(
                        cf_column(
                            base: UInt32(chunk * ColumnPlan.codesPerColumn), missing: UInt8(variant / 2), default_left: UInt8(variant % 2),
                            unused: 0))
                }
            }
            columnCount = columns.count
            tables[table].columns = UInt32(columnCount) - tables[table].first_column
        }
        // Those that look at one feature in one way come together.
        let order = predicates.indices.sorted {
            (predicates[$0].feature, predicates[$0].kind, $0) < (predicates[$1].feature, predicates[$1].kind, $1)
        }
        predicateColumns = Array(repeating: 0, count: predicates.count)
        for (rank, index) in order.enumerated() {
            predicates[index].column = UInt32(columnCount + rank)
            predicateColumns[index] = UInt32(columnCount + rank)
        }
        predicates = order.map { predicates[$0] }
        // A leaf, which looks at column 0 for nothing, finds one.
        columnCount = max(1, columnCount + predicates.count)
        setIndex = [:]
        predicateIndex = [:]
    }

    /// The column and code of a split, as `cf_node.rule`.
    func rule(_ use: UInt32, threshold: UInt32) -> UInt32 {
        if use & ColumnPlan.predicateMark != 0 { return predicateColumns[Int(use & ~ColumnPlan.predicateMark)] << 8 }
        let index = Int(use >> 3)
        let variant = UInt8(use & 7)
        let table = tables[index]
        let rank = Int(ranks[index][Int(threshold)])
        let before = (variants[index] & ((1 << variant) - 1)).nonzeroBitCount
        let chunks = (Int(table.count) + ColumnPlan.codesPerColumn - 1) / ColumnPlan.codesPerColumn
        let column = Int(table.first_column) + before * chunks + rank / ColumnPlan.codesPerColumn
        return UInt32(column) << 8 | UInt32(rank % ColumnPlan.codesPerColumn)
    }
}
