import Foundation
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// Takes a store and the model through a schedule, and compares what they say.
final class ScheduleRunner {
    struct OpenBackfill {
        let backfill: Backfill
        let order: Timestamp
        /// The view's features when it began; its rows are of these.
        let features: [NaiveModel.Feature]
        var inputs: [NaiveModel.Input] = []
    }

    let path: String
    let clock = SettableClock(World.time(20))
    private var options = StoreOptions()
    private var openStore: Store?
    var model: NaiveModel
    /// Every commit time that was acknowledged, in order.
    var commits: [Timestamp] = []
    /// The greatest time that was ever given as the last commit: nothing may be added at or before it.
    private var seen = Timestamp.distantPast
    private var backfills: [Int: OpenBackfill] = [:]
    private var keys: [Int: Timestamp] = [:]
    /// A reader that is kept from step to step, whatever is written and applied, and what it reads.
    var kept: (reader: OnlineReader, outputs: [Output])?
    /// Single values that were compared, each point of a read counted once however often a spine repeats it.
    var reads = 0
    /// How often each kind of step did something.
    private(set) var coverage: [String: Int] = [:]

    init(_ schedule: Schedule) throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("whence-property-\(UUID().uuidString)").path
        model = NaiveModel(ttls: schedule.ttls)
        options.durability = .buffered
        options.memtableBytes = 4 << 20
        options.blockCacheBytes = 1 << 20
        options.latestCacheBytes = 65_536
        // Images of files from the first join on.
        options.historyCacheWalks = 0
        options.historyCacheBytes = 1 << 20
        options.backfillBytes = 1
        let clock = clock
        options.clock = { clock.now }
        try open()
        let store = try self.store
        try store.apply(store.plan(definitions()))
    }

    deinit {
        backfills = [:]
        kept = nil
        openStore = nil
        try? FileManager.default.removeItem(atPath: path)
    }

    var store: Store {
        get throws {
            guard let openStore else { throw Mismatch("the store is not open") }
            return openStore
        }
    }

    /// Runs a schedule in a fresh directory. Throws where the engine and the model differ, with the step.
    static func run(_ schedule: Schedule) throws -> (reads: Int, coverage: [String: Int]) {
        let runner = try ScheduleRunner(schedule)
        for (index, step) in schedule.steps.enumerated() {
            do {
                try runner.perform(step)
            } catch {
                throw Mismatch("step \(index + 1): \(error)")
            }
        }
        return (runner.reads, runner.coverage)
    }

    func cover(_ what: String) { coverage[what, default: 0] += 1 }

    // MARK: The store

    private func open() throws {
        let store = try Store(at: path, options: options)
        openStore = store
        try require(store.lastCommit >= seen, "last commit \(store.lastCommit) after opening, \(seen) before")
    }

    private func definitions() -> Definitions {
        var definitions = Definitions()
        definitions.entities = World.kinds.map { Entity(name: $0.name, joinKeys: $0.joinKeys) }
        definitions.views = model.views.enumerated().map { index, view in
            FeatureView(
                name: World.viewNames[index], entity: World.kinds[view.kind].name,
                features: view.features.map { Feature(name: $0.name, type: $0.type) },
                availabilityDelay: .microseconds(view.delay), ttl: view.ttl.map { .microseconds($0) })
        }
        definitions.services = [
            FeatureService(
                name: "all",
                selections: World.viewNames.map { FeatureSelection(view: $0) }
                    + [FeatureSelection(view: "plain", joinColumns: ["uid": "other"], prefix: "other_")])
        ]
        return definitions
    }

    /// Notes the time up to which everything is known from here on to be fixed.
    private func look() throws { seen = max(seen, try store.lastCommit) }

    private func acknowledge(_ commit: Commit) throws {
        try require(
            commit.time > seen, "the commit time \(World.tick(commit.time)) is not after \(World.tick(seen)), which was given before")
        commits.append(commit.time)
        try look()
    }

    // MARK: Steps

    func perform(_ step: Step) throws {
        switch step {
        case .write(let rows, let split, let key): try write(rows, split: split, key: key)
        case .beginBackfill(let view): try beginBackfill(view)
        case .backfill(let view, let rows): try backfill(view, rows)
        case .publish(let view): try publish(view)
        case .abandon(let view): if backfills.removeValue(forKey: view) != nil { cover("abandon") }
        case .flush(let view):
            try store.flush(World.viewNames[view])
            cover("flush")
        case .compact(let view):
            try store.compact(World.viewNames[view])
            cover("compact")
        case .retain(let view, let before): try retain(view, before: World.time(before))
        case .erase(let kind, let entity):
            let reports = try store.erase(World.kinds[kind].name, EntityKey(World.kinds[kind].pool[entity]))
            model.erase(kind: kind, entity: entity)
            if reports.contains(where: { $0.versionsRemoved > 0 }) { cover("erase") }
        case .restart(let bytes, let threads):
            try look()
            backfills = [:]
            kept = nil
            openStore = nil
            options.latestCacheBytes = bytes
            // None, some of the files, or all.
            options.historyCacheBytes = bytes
            options.threads = threads
            try open()
            cover("restart")
        case .alter(let alteration): try alter(alteration)
        case .clock(let tick): clock.now = World.time(tick)
        case .join(let join): try check(join)
        case .online(let online): try check(online)
        case .history(let view, let entity, let pin): try checkHistory(view, entity, pin)
        case .scan(let view, let from, let to, let pin): try checkScan(view, from: from, to: to, pin)
        case .entities(let view, let instants, let from, let pin, let served):
            try checkEntities(view, instants: instants, from: from, pin, served: served)
        }
        try look()
    }

    /// A row as it can be written: of the features that are there.
    private func input(_ row: RowStep, _ features: [NaiveModel.Feature]) -> NaiveModel.Input {
        var values: [Int: Value] = [:]
        var names: [Int: String] = [:]
        if row.kind == .row {
            for draw in row.features {
                guard let feature = features.first(where: { $0.name == draw.name }) else { continue }
                values[feature.id] = World.value(feature.type, seed: draw.seed, isLarge: draw.isLarge)
                names[feature.id] = feature.name
            }
        }
        return NaiveModel.Input(
            entity: row.entity, eventTime: World.time(row.event), availability: row.available.map(World.time), kind: row.kind,
            values: values,
            names: names)
    }

    private func append(_ input: NaiveModel.Input, _ kind: Int, to batch: RowBatch) throws {
        let key = try EntityKey(World.kinds[kind].pool[input.entity])
        switch input.kind {
        case .deletion: try batch.appendDeletion(key, at: input.eventTime, availableAt: input.availability)
        case .retraction: try batch.appendRetraction(key, at: input.eventTime, availableAt: input.availability)
        case .row:
            var values: [String: Value] = [:]
            for (id, value) in input.values { values[input.names[id] ?? ""] = value }
            try batch.append(key, at: input.eventTime, availableAt: input.availability, values)
        }
    }

    private func write(_ rows: [RowStep], split: Bool, key: Int?) throws {
        let store = try store
        var batches: [RowBatch] = []
        var inputs: [Int: [NaiveModel.Input]] = [:]
        for view in World.viewNames.indices {
            let own = rows.filter { $0.view == view }
            guard !own.isEmpty else { continue }
            let stored = try store.catalog.view(named: World.viewNames[view])
            let cut = split ? own.count / 2 : own.count
            for part in [own[..<cut], own[cut...]] where !part.isEmpty {
                let batch = RowBatch(stored)
                for row in part {
                    let input = input(row, model.views[view].features)
                    try append(input, World.viewKinds[view], to: batch)
                    inputs[view, default: []].append(input)
                }
                batches.append(batch)
            }
        }
        let name = key.map { "key \($0)" }
        // A write that is repeated is answered as it was the first time, whatever has been retained since.
        let isRepeated = key.map { keys[$0] != nil } ?? false
        if !isRepeated && inputs.contains(where: { view, inputs in inputs.contains { isRetractionBeyond($0, view) } }) {
            // What it retracts may have been the reason to remove what a read would now fall through to.
            return try throwsBeyondRetention("a retraction") { try store.write(batches, idempotencyKey: name) }
        }
        let commit = try store.write(batches, idempotencyKey: name)
        if let key, let earlier = keys[key] {
            try require(
                commit == Commit(time: earlier, wasRepeated: true), "a repeated write was answered with \(commit), not with \(earlier)")
            return cover("repeated write")
        }
        try require(!commit.wasRepeated, "a first write was answered as a repeated one")
        try acknowledge(commit)
        if let key { keys[key] = commit.time }
        for (view, inputs) in inputs { model.commit(inputs, to: view, order: commit.time, knownFrom: commit.time, isBackfill: false) }
        cover(split ? "split write" : "write")
    }

    private func isRetractionBeyond(_ input: NaiveModel.Input, _ view: Int) -> Bool {
        guard let horizon = model.views[view].horizon else { return false }
        return input.kind == .retraction && input.eventTime <= horizon
    }

    private func beginBackfill(_ view: Int) throws {
        guard backfills[view] == nil else { return }
        try look()
        let backfill = try store.backfill(World.viewNames[view])
        let order = try store.lastCommit
        try require(order > seen, "a backfill began at \(order), which is not after \(seen)")
        backfills[view] = OpenBackfill(backfill: backfill, order: order, features: model.views[view].features)
    }

    private func backfill(_ view: Int, _ rows: [RowStep]) throws {
        guard var open = backfills[view] else { return }
        for row in rows {
            let input = input(row, open.features)
            let last = Timestamp.latest.microseconds - model.views[view].delay
            let isPastTheEnd = input.availability == nil && input.eventTime.microseconds > last
            do {
                try append(input, World.viewKinds[view], to: open.backfill.rows())
                try require(!isPastTheEnd, "a row was taken that would have been available past the end of time")
            } catch let error as WhenceError {
                if isPastTheEnd && error.code == .invalidTime {
                    cover("refused past the end of time")
                    continue
                }
                // A run that is written out holds a retraction that reaches behind retention: the backfill is over.
                guard error.code == .beyondRetention, open.inputs.contains(where: { isRetractionBeyond($0, view) }) else { throw error }
                backfills[view] = nil
                return cover("refused beyond retention")
            }
            open.inputs.append(input)
        }
        backfills[view] = open
    }

    private func publish(_ view: Int) throws {
        guard let open = backfills.removeValue(forKey: view) else { return }
        if open.inputs.contains(where: { isRetractionBeyond($0, view) }) {
            return try throwsBeyondRetention("a backfilled retraction") { _ = try open.backfill.publish() }
        }
        let commit = try open.backfill.publish()
        guard !open.inputs.isEmpty else { return }
        try acknowledge(commit)
        model.commit(open.inputs, to: view, order: open.order, knownFrom: commit.time, isBackfill: true)
        cover(open.inputs.contains { $0.values.contains { $0.value.isLarge } } ? "publish of runs" : "publish")
    }

    private func retain(_ view: Int, before: Timestamp) throws {
        let store = try store
        let horizon = max(min(before, store.now), model.views[view].horizon ?? .distantPast)
        guard horizon <= store.now else { return }
        let dry = try store.retain(World.viewNames[view], horizon: horizon, dryRun: true)
        let report = try store.retain(World.viewNames[view], horizon: horizon)
        try require(
            dry.versionsRemoved == report.versionsRemoved && report.horizon == horizon,
            "a dry run of retention counts \(dry.versionsRemoved), the run removes \(report.versionsRemoved)")
        model.views[view].horizon = horizon
        cover(report.versionsRemoved > 0 ? "retain that removes" : "retain")
    }

    private func alter(_ alteration: Alteration) throws {
        let before = model.views
        switch alteration {
        case .add(let view, let name, let type):
            guard !model.views[view].features.contains(where: { $0.name == name }) else { return }
            model.addFeature(name, type, to: view)
        case .widen(let view, let name, let type):
            guard let index = model.views[view].features.firstIndex(where: { $0.name == name }) else { return }
            switch (model.views[view].features[index].type, type) {
            case (.scalar(.int32), .scalar(.int64)), (.scalar(.int32), .scalar(.float64)), (.scalar(.float32), .scalar(.float64)):
                model.widen(index, of: view, to: type)
            default: return
            }
        case .retire(let view, let name):
            guard model.views[view].features.count > 1 else { return }
            model.views[view].features.removeAll { $0.name == name }
        case .ttl(let view, let ttl): model.views[view].ttl = ttl.map { Int64($0) }
        case .reverse(let view): model.views[view].features.reverse()
        }
        let store = try store
        let plan = try store.plan(definitions())
        try require(!plan.hasRefusals, "a plan was refused: \(plan.text())")
        try store.apply(plan)
        if !zip(before, model.views).allSatisfy({ $0.features == $1.features && $0.ttl == $1.ttl }) { cover("alter") }
    }
}

extension Value {
    fileprivate var isLarge: Bool {
        if case .bytes(let bytes) = self { bytes.count > 1000 } else { false }
    }
}
