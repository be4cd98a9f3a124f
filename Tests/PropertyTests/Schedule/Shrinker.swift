/// Makes a failing schedule smaller while it still fails: steps first, then the rows of its steps.
struct Shrinker {
    /// Runs of candidates at most.
    private var runsLeft: Int
    private let failure: (Schedule) -> String?
    private(set) var best: Schedule
    private(set) var message: String

    /// - Parameter failure: why a schedule fails, or nil where it does not.
    init(_ schedule: Schedule, _ message: String, runs: Int = 800, failure: @escaping (Schedule) -> String?) {
        best = schedule
        self.message = message
        runsLeft = runs
        self.failure = failure
    }

    mutating func shrink() {
        var isSmaller = true
        while isSmaller && runsLeft > 0 {
            isSmaller = false
            if dropChunks(best.steps.count, { schedule, range in schedule.steps.removeSubrange(range) }) { isSmaller = true }
            for step in best.steps.indices.reversed() {
                let count = best.steps[step].rowCount
                if count > 0, dropChunks(count, { schedule, range in schedule.steps[step].dropRows(range) }) { isSmaller = true }
                for row in 0..<best.steps[step].rowCount {
                    let features = best.steps[step].featureCount(row)
                    if features > 0, dropChunks(features, { schedule, range in schedule.steps[step].dropFeatures(row, range) }) {
                        isSmaller = true
                    }
                }
            }
            for simpler in best.steps.indices.flatMap({ index in best.steps[index].simpler.map { (index, $0) } }) {
                if attempt({ $0.steps[simpler.0] = simpler.1 }) { isSmaller = true }
            }
            for view in best.ttls.indices where best.ttls[view] != nil {
                if attempt({ $0.ttls[view] = nil }) { isSmaller = true }
            }
        }
    }

    /// Leaves out halves, quarters and so on of `count` things, from the end.
    private mutating func dropChunks(_ count: Int, _ drop: (inout Schedule, Range<Int>) -> Void) -> Bool {
        var isSmaller = false
        var left = count
        var size = max(1, count / 2)
        while true {
            var end = left
            while end > 0 && runsLeft > 0 {
                let range = max(0, end - size)..<end
                if attempt({ drop(&$0, range) }) {
                    left -= range.count
                    isSmaller = true
                }
                end = range.lowerBound
            }
            if size == 1 || runsLeft == 0 { return isSmaller }
            size /= 2
        }
    }

    /// The first word of what went wrong: a schedule that fails in another way is another failure.
    private static func kind(_ message: String) -> Substring {
        let what = message.firstRange(of: ": ").map { message[$0.upperBound...] } ?? message[...]
        return what.prefix { $0.isLetter }
    }

    private mutating func attempt(_ change: (inout Schedule) -> Void) -> Bool {
        guard runsLeft > 0 else { return false }
        runsLeft -= 1
        var candidate = best
        change(&candidate)
        guard let message = failure(candidate), Shrinker.kind(message) == Shrinker.kind(self.message) else { return false }
        best = candidate
        self.message = message
        return true
    }
}

extension Step {
    /// Rows of the step, of whichever kind.
    fileprivate var rowCount: Int {
        switch self {
        case .write(let rows, _, _), .backfill(_, let rows): rows.count
        case .join(let join): join.rows.count
        case .online(let online): online.rows.count
        case .entities(_, let instants, _, _, _): instants.count
        default: 0
        }
    }

    fileprivate func featureCount(_ row: Int) -> Int {
        switch self {
        case .write(let rows, _, _), .backfill(_, let rows): rows[row].features.count
        default: 0
        }
    }

    fileprivate mutating func dropRows(_ range: Range<Int>) {
        switch self {
        case .write(var rows, let split, let key):
            rows.removeSubrange(range)
            self = .write(rows, split: split, key: key)
        case .backfill(let view, var rows):
            rows.removeSubrange(range)
            self = .backfill(view: view, rows)
        case .join(var join):
            join.rows.removeSubrange(range)
            self = .join(join)
        case .online(var online):
            online.rows.removeSubrange(range)
            self = .online(online)
        case .entities(let view, var instants, let from, let pin, let served):
            instants.removeSubrange(range)
            self = .entities(view: view, instants: instants, from: from, pin, served: served)
        default: break
        }
    }

    fileprivate mutating func dropFeatures(_ row: Int, _ range: Range<Int>) {
        switch self {
        case .write(var rows, let split, let key):
            rows[row].features.removeSubrange(range)
            self = .write(rows, split: split, key: key)
        case .backfill(let view, var rows):
            rows[row].features.removeSubrange(range)
            self = .backfill(view: view, rows)
        default: break
        }
    }

    /// The same step with one thing less about it.
    fileprivate var simpler: [Step] {
        switch self {
        case .write(let rows, let split, let key):
            return (split ? [.write(rows, key: key)] : []) + (key == nil ? [] : [.write(rows, split: split)])
        case .join(let join):
            var steps: [Step] = []
            for change in [
                { $0.repeatedTo = nil }, { $0.blockRows = nil }, { $0.threads = 1 }, { $0.served = false }, { $0.pin = .now },
            ] as [(inout JoinStep) -> Void] {
                var simple = join
                change(&simple)
                steps.append(.join(simple))
            }
            return steps
        case .online(var online):
            guard online.withEventTimes else { return [] }
            online.withEventTimes = false
            return [.online(online)]
        default: return []
        }
    }
}
