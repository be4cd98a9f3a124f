import RandomFixtures
import WhenceCore

/// Draws schedules: few entities and few times, so that late data, corrections and collisions are the rule.
struct ScheduleGenerator {
    private var random: SeededRandom
    /// About where the clock and the commit times are.
    private var now = 20
    /// The views of which a backfill is under way.
    private var filling: Set<Int> = []
    /// The view that this schedule is mostly about.
    private let focus: Int?
    /// How many different event times most rows have.
    private let eventTimes: Int
    /// How often each kind of change is made: schedules differ in what they are made of, so that each kind of change
    /// meets each other often in some of them (swarm testing, after Groce and others 2012).
    private var weights: [Int]
    /// Deletions and retractions, each in twelve rows.
    private let removals: Int

    private enum Mood {
        /// Writes, backfills begun, filled, published and given up, flushes, compactions, retention, erasure, restarts,
        /// alterations, the clock.
        static let base = [52, 6, 14, 6, 1, 5, 3, 2, 1, 3, 3, 6]
    }

    /// Which places of each kind's pool this schedule mostly uses.
    private let favourites: [[Int]]

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let count = 1 + random.below(3)
        favourites = World.kinds.map { kind in Array(Array(0..<(kind.pool.count - 1)).shuffled(using: &random).prefix(count)) }
        focus = random.chance(1, 2) ? random.below(World.viewNames.count) : nil
        eventTimes = 2 + random.below(9)
        weights = Mood.base.map { $0 * random.pick([0, 1, 1, 2, 4]) }
        weights[0] = Mood.base[0] * (1 + random.below(3))
        // A backfill is begun, filled and published, or none of it.
        let backfills = random.pick([0, 1, 2, 4])
        for kind in 1...3 { weights[kind] = Mood.base[kind] * backfills }
        removals = random.pick([1, 1, 2, 5])
        self.random = random
    }

    mutating func schedule(steps count: Int) -> Schedule {
        let ttls = World.viewNames.indices.map { $0 == 2 || random.chance(1, 4) ? Optional(3 + random.below(20)) : nil }
        var steps: [Step] = []
        while steps.count < count {
            let change = change()
            steps.append(change)
            if case .retain = change { steps.append(joinSoonAfter()) }
            if random.chance(1, 3) { steps.append(read()) }
            if random.chance(1, 8) {
                // One row between two looks at the same entities: what the cache of latest rows has to keep up with.
                let view = view()
                let online = online()
                now += 1
                steps += [.online(online), .write([row(view)]), .online(online)]
            }
            if random.chance(1, 40) {
                // The same question before, during and after an excursion of the clock.
                let online = online()
                let excursion = [Step.clock(now + 1 + random.below(20)), .online(online), .clock(now - random.below(4)), .online(online)]
                steps += (random.chance(1, 2) ? [.online(online)] : []) + excursion
            }
        }
        // Everything that there is in the end is looked at once more.
        for _ in 0..<4 { steps.append(join()) }
        return Schedule(ttls: ttls, steps: steps)
    }

    private mutating func view() -> Int {
        if let focus, random.chance(3, 4) { return focus }
        return random.below(World.viewNames.count)
    }

    private mutating func fillingView() -> Int { random.chance(1, 8) ? view() : filling.sorted().randomElement(using: &random) ?? view() }

    private mutating func entity(_ kind: Int) -> Int {
        random.chance(1, 12) ? random.below(World.kinds[kind].pool.count - 1) : random.pick(favourites[kind])
    }

    private mutating func event() -> Int {
        switch random.below(40) {
        case 0: .min
        case 1: .max
        case 2...6: now + 1 + random.below(8)
        case 7...12: now - random.below(4)
        default: random.below(eventTimes) * 3
        }
    }

    private mutating func instant() -> Int {
        switch random.below(30) {
        case 0: .min
        case 1: .max
        case 2...12: random.below(12) * 3
        case 13...18: now - random.below(5)
        default: random.below(now + 14) - 2
        }
    }

    // MARK: Changes

    private mutating func change() -> Step {
        var draw = random.below(weights.reduce(0, +))
        var kind = 0
        while draw >= weights[kind] {
            draw -= weights[kind]
            kind += 1
        }
        switch kind {
        case 0:
            now += 1
            let rows = (0..<(1 + random.below(8))).map { _ in row(view()) }
            return .write(rows, split: random.chance(1, 8), key: random.chance(1, 8) ? random.below(3) : nil)
        case 1:
            let view = view()
            filling.insert(view)
            return .beginBackfill(view: view)
        case 2:
            let view = fillingView()
            var rows = (0..<(1 + random.below(10))).map { _ in row(view) }
            if view == 1 && random.chance(1, 2) {
                for _ in 0..<3 { rows.insert(largeRow(), at: random.below(rows.count)) }
            }
            return .backfill(view: view, rows)
        case 3:
            now += 1
            let view = fillingView()
            filling.remove(view)
            return .publish(view: view)
        case 4:
            let view = fillingView()
            filling.remove(view)
            return .abandon(view: view)
        case 5: return .flush(view: view())
        case 6: return .compact(view: view())
        case 7: return .retain(view: view(), before: random.chance(1, 2) ? random.below(now) : now - random.below(8))
        case 8:
            let kind = random.below(World.kinds.count)
            return .erase(kind: kind, entity: entity(kind))
        case 9:
            filling = []
            return .restart(latestCacheBytes: random.pick([0, 16_384, 65_536, 1 << 20]), threads: 1 + random.below(4))
        case 10: return .alter(alteration())
        default: return clock()
        }
    }

    /// It goes on, stands still, or steps back: behind the commits, or only behind what readers have seen of it.
    private mutating func clock() -> Step {
        if random.chance(2, 5) {
            now += 1
            return .clock(now - random.below(24))
        }
        if random.chance(1, 2) { return .clock(now + random.below(30)) }
        now += random.below(6)
        return .clock(now)
    }

    private mutating func row(_ view: Int) -> RowStep {
        var row = RowStep(view: view, entity: entity(World.viewKinds[view]), event: event())
        switch random.below(10) {
        case 0: row.available = now - random.below(10)
        case 1: row.available = now + random.below(10)
        case 2: row.available = row.event
        default: break
        }
        switch random.below(12) {
        case 0..<removals: row.kind = random.chance(1, 2) ? .deletion : .retraction
        default:
            let isSparse = random.chance(1, 2)
            for name in names(view) where !isSparse || random.chance(1, 3) {
                row.features.append(.init(name: name, seed: random.chance(1, 6) ? 0 : 1 + random.next() % 9_999))
            }
            if row.features.isEmpty && !random.chance(1, 8) {
                row.features.append(.init(name: World.viewFeatures[view][0].0, seed: 1 + random.next() % 9_999))
            }
        }
        return row
    }

    private mutating func largeRow() -> RowStep {
        RowStep(
            view: 1, entity: World.kinds[1].pool.count - 1, event: random.below(4),
            features: [.init(name: "raw", seed: 1 + random.next() % 99, isLarge: true)])
    }

    /// The features that a view may ever have.
    private func names(_ view: Int) -> [String] { World.viewFeatures[view].map { $0.0 } + ["extra", "more"] }

    private mutating func alteration() -> Alteration {
        let view = view()
        switch random.below(8) {
        case 0, 1:
            let type = random.pick([FeatureType.int32, .float32, .string, .bool, .list(.float64), .vector(dimension: 2)])
            return .add(view: view, random.pick(names(view)), type)
        case 2, 3, 4: return .widen(view: view, random.pick(["small", "ratio", "n", "extra", "more"]), random.pick([.int64, .float64]))
        case 5: return .retire(view: view, random.pick(names(view)))
        case 6: return .ttl(view: view, random.chance(1, 3) ? nil : 1 + random.below(20))
        default: return .reverse(view: view)
        }
    }

    // MARK: Reads

    private mutating func read() -> Step {
        switch random.below(10) {
        case 0..<5: join()
        case 5, 6, 7: .online(online())
        case 8: random.chance(1, 2) ? .history(view: view(), entity: random.below(6), pin()) : scan()
        default:
            .entities(
                view: view(), instants: (0..<(1 + random.below(4))).map { _ in instant() },
                from: random.chance(1, 3) ? random.below(20) : nil, pin(), served: random.chance(1, 2))
        }
    }

    private mutating func scan() -> Step {
        .scan(view: view(), from: random.chance(1, 2) ? random.below(20) : nil, to: random.chance(1, 2) ? random.below(40) : nil, pin())
    }

    private mutating func pin() -> Pin {
        switch random.below(10) {
        case 0..<4: .now
        case 4, 5: .commit(random.below(1000))
        case 6: .before(random.below(1000))
        case 7: random.chance(1, 3) ? .beforeAll : .commit(random.below(1000))
        case 8: .future
        default: .tick(random.below(now + 4))
        }
    }

    private mutating func spineRow() -> SpineRow {
        func key(_ kind: Int, _ random: inout SeededRandom, _ favourites: [[Int]]) -> Int? {
            switch random.below(24) {
            case 0: nil
            case 1: -1
            case 2: random.below(World.kinds[kind].pool.count)
            default: random.pick(favourites[kind])
            }
        }
        return SpineRow(
            tick: instant(), user: key(0, &random, favourites), other: key(0, &random, favourites), place: key(1, &random, favourites),
            thing: key(2, &random, favourites))
    }

    private mutating func join() -> Step {
        var rows = (0..<(10 + random.below(40))).map { _ in spineRow() }
        if random.chance(1, 3) { rows += rows.prefix(5) }
        return .join(
            JoinStep(
                rows: rows, repeatedTo: random.chance(1, 60) ? 4100 + random.below(900) : nil,
                blockRows: random.chance(1, 2) ? 1 + random.below(20) : nil, pin: pin(), served: random.chance(1, 2),
                threads: 1 + random.below(4), features: random.chance(1, 3) ? random.next() : nil,
                isWithinHorizon: !random.chance(1, 10), spills: !random.chance(1, 3)))
    }

    /// A join at instants around the present, as served: where what is removed too early is missed.
    private mutating func joinSoonAfter() -> Step {
        var rows = (0..<40).map { _ in spineRow() }
        for index in rows.indices { rows[index].tick = now - 6 + random.below(20) }
        return .join(
            JoinStep(
                rows: rows, repeatedTo: nil, blockRows: nil, pin: .now, served: true, threads: 1, features: nil, isWithinHorizon: true))
    }

    private mutating func online() -> OnlineStep {
        OnlineStep(
            rows: (0..<(3 + random.below(10))).map { _ in spineRow() }, kept: random.chance(1, 2), withEventTimes: random.chance(1, 3))
    }
}
