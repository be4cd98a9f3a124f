import CForest
import Synchronization
import WhenceCore

extension Forest {
    /// The plan, made by the first who needs it.
    private func contributionPlan() -> ContributionPlan {
        plan.withLock { plan in
            if let plan { return plan }
            let made = ContributionPlan(self)
            plan = made
            return made
        }
    }

    /// Adds, for each row and output, what each feature contributed to the raw sum, and behind it what is expected of any row:
    /// `outputs * (features + 1)` numbers a row, whose sum over each output is the raw sum. The forest must have covers and plain leaves. A
    /// tree whose leaves have several values is walked once for each of them.
    func contributions(_ features: Span<Double>, rows: Int, iterations: Range<Int>, into answers: inout MutableSpan<Double>) {
        let width = settings.featureCount + 1
        let plan = contributionPlan()
        precondition(hasCovers && linear.isEmpty)
        precondition(features.count >= rows * settings.featureCount && answers.count >= rows * settings.outputs * width)
        let range = treeRange(iterations)
        let hasBase = addsBase(iterations)
        let scratch = spare.take() ?? ForestScratch(self)
        defer { spare.giveBack(scratch) }
        let lanes = plan.spare.take() ?? ContributionScratch(steps: plan.stepsMax)
        defer { plan.spare.giveBack(lanes) }
        let work = unsafe lanes.start
        unsafe features.withUnsafeBufferPointer { features in
            unsafe answers.withUnsafeMutableBufferPointer { answers in
                guard let answers = answers.baseAddress else { return }
                let features = unsafe features.baseAddress ?? UnsafePointer(scratch.sums)
                unsafe answers.update(repeating: 0, count: rows * settings.outputs * width)
                withExtendedLifetime(self) {
                    var packed = unsafe packed
                    for row in 0..<rows {
                        let start = unsafe answers + row * settings.outputs * width
                        unsafe cf_codes_one(&packed, features + row * settings.featureCount, scratch.codes)
                        if settings.scale == 1, hasBase { unsafe addBase(start, width) }
                        for tree in range {
                            let record = trees[tree]
                            let quadrature = plan.quadratures[plan.quadratureOf[tree]]
                            for index in 0..<leafWidth {
                                let output = leafWidth == 1 ? Int(record.output) : index
                                let target = unsafe start + output * width
                                unsafe target[width - 1] += plan.expected[tree * leafWidth + index]
                                unsafe cf_contributions(
                                    plan.steps.start + Int(record.first_node), record.leaves + record.splits,
                                    plan.leaves.start + index * leafCount + Int(record.first_leaf), scratch.codes,
                                    quadrature.points.start, quadrature.weights.start, UInt32(quadrature.groups), work, target, path)
                            }
                        }
                        if settings.scale != 1 {
                            for index in 0..<(settings.outputs * width) { unsafe start[index] *= settings.scale }
                            if hasBase { unsafe addBase(start, width) }
                        }
                    }
                }
            }
        }
    }

    /// Adds the base, which no feature contributed and no scale multiplies, to what is expected of any row.
    private func addBase(_ answers: UnsafeMutablePointer<Double>, _ width: Int) {
        for output in settings.base.indices { unsafe answers[output * width + width - 1] += settings.base[output] }
    }
}
