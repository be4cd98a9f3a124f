import CForest
import WhenceCore

extension Forest {
    /// Rows up to which each is walked for itself; more are taken in blocks.
    private static let singleRowsMax = 4
    /// Columns of codes of one row that fit on the stack.
    private static let stackColumns = 4096

    /// The trees of the iterations `iterations`.
    func treeRange(_ iterations: Range<Int>) -> Range<Int> {
        iterationStarts[iterations.lowerBound]..<iterationStarts[iterations.upperBound]
    }

    /// Whether sums of `iterations` have the base in them.
    func addsBase(_ iterations: Range<Int>) -> Bool {
        !settings.base.isEmpty && (iterations.lowerBound == 0 || !settings.baseIsOfFirstIteration)
    }

    /// The raw sums of `rows` rows, `settings.outputs` each. Allocates nothing once as many threads have predicted before as do now.
    ///
    /// `path`: which instructions to use, for tests; the answers are the same to the bit.
    func predictRaw(
        _ features: Span<Double>, rows: Int, iterations: Range<Int>, into sums: inout MutableSpan<Double>, path: Int32? = nil
    ) {
        let path = path ?? self.path
        precondition(features.count >= rows * settings.featureCount && sums.count >= rows * settings.outputs)
        let scratch = spare.take() ?? ForestScratch(self)
        defer { spare.giveBack(scratch) }
        let range = treeRange(iterations)
        let outputs = settings.outputs
        unsafe features.withUnsafeBufferPointer { features in
            unsafe sums.withUnsafeMutableBufferPointer { sums in
                guard let features = unsafe features.baseAddress ?? UnsafePointer(scratch.sums), let sums = sums.baseAddress else { return }
                var start = 0
                while start < rows {
                    let isSingle = rows - start <= Forest.singleRowsMax
                    let count = isSingle ? 1 : min(Int(CF_BLOCK), rows - start)
                    unsafe predictBlock(
                        features + start * settings.featureCount, count, range, isSingle: isSingle, scratch, path,
                        into: sums + start * outputs)
                    start += count
                }
            }
        }
        if settings.scale != 1 || settings.baseIs == .last { finish(rows: rows, addsBase: addsBase(iterations), &sums) }
    }

    /// `isSingle`: one row, walked.
    private func predictBlock(
        _ features: UnsafePointer<Double>, _ rows: Int, _ range: Range<Int>, isSingle: Bool, _ scratch: ForestScratch, _ path: Int32,
        into sums: UnsafeMutablePointer<Double>
    ) {
        let outputs = settings.outputs
        for row in 0..<rows {
            for output in 0..<outputs {
                unsafe sums[row * outputs + output] = settings.baseIs == .first && !settings.base.isEmpty ? settings.base[output] : 0
            }
        }
        withExtendedLifetime(self) {
            var packed = unsafe packed
            if isSingle {
                unsafe cf_codes_one(&packed, features, scratch.codes)
                if linear.isEmpty {
                    unsafe cf_add_one(&packed, range.lowerBound, range.upperBound, scratch.codes, sums)
                } else {
                    unsafe cf_leaves_one(&packed, range.lowerBound, range.upperBound, scratch.codes, scratch.leaves)
                    for tree in range {
                        let leaf = unsafe scratch.leaves[tree - range.lowerBound]
                        unsafe addLinear(trees[tree], leaf, features, sums)
                    }
                }
                return
            }
            unsafe cf_codes(&packed, features, settings.featureCount, rows, scratch.codes, path)
            if linear.isEmpty {
                unsafe cf_add(&packed, range.lowerBound, range.upperBound, scratch.codes, rows, sums, path)
                return
            }
            for tree in range {
                let record = trees[tree]
                unsafe cf_tree_leaves(&packed, trees.start + tree, scratch.codes, rows, scratch.leaves, path)
                for row in 0..<rows {
                    unsafe addLinear(record, scratch.leaves[row], features + row * settings.featureCount, sums + row * outputs)
                }
            }
        }
    }

    /// Adds a leaf that may be a linear function.
    private func addLinear(
        _ tree: cf_tree, _ leaf: UInt32, _ features: UnsafePointer<Double>, _ sums: UnsafeMutablePointer<Double>
    ) {
        let index = Int(tree.first_leaf) + Int(leaf)
        var value = leafValues[index]
        if let linear = linear[index] {
            var sum = linear.constant
            var isMissing = false
            for term in linear.features.indices {
                let feature = unsafe features[Int(linear.features[term])]
                if feature.isNaN {
                    isMissing = true
                    break
                }
                sum += linear.coefficients[term] * feature
            }
            if !isMissing { value = sum }
        }
        unsafe sums[Int(tree.output)] += value
    }

    /// What is done to finished sums.
    private func finish(rows: Int, addsBase: Bool, _ sums: inout MutableSpan<Double>) {
        let isFloat = settings.precision == .float
        for row in 0..<rows {
            for output in 0..<settings.outputs {
                let place = row * settings.outputs + output
                if settings.scale != 1 { sums[place] *= settings.scale }
                if settings.baseIs == .last, addsBase {
                    let base = settings.base[output]
                    sums[place] = isFloat ? Double(Float(sums[place]) + Float(base)) : sums[place] + base
                }
            }
        }
    }

    /// The leaf of each row in each tree of `iterations`, as the library counts leaves: `trees` a row.
    func leafIndices(_ features: Span<Double>, rows: Int, iterations: Range<Int>, into leaves: inout MutableSpan<Int32>) {
        let range = treeRange(iterations)
        precondition(features.count >= rows * settings.featureCount && leaves.count >= rows * range.count)
        let scratch = spare.take() ?? ForestScratch(self)
        defer { spare.giveBack(scratch) }
        unsafe features.withUnsafeBufferPointer { features in
            guard let features = unsafe features.baseAddress ?? UnsafePointer(scratch.sums) else { return }
            for row in 0..<rows {
                withExtendedLifetime(self) {
                    var packed = unsafe packed
                    unsafe cf_codes_one(&packed, features + row * settings.featureCount, scratch.codes)
                    unsafe cf_leaves_one(&packed, range.lowerBound, range.upperBound, scratch.codes, scratch.leaves)
                }
                for tree in range {
                    let leaf = unsafe scratch.leaves[tree - range.lowerBound]
                    leaves[row * range.count + tree - range.lowerBound] = leafNames[Int(trees[tree].first_leaf) + Int(leaf)]
                }
            }
        }
    }
}
