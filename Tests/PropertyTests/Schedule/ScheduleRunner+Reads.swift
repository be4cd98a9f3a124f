import RandomFixtures
import WhenceCatalog
import WhenceCore
import WhenceEngine

extension ScheduleRunner {
    /// A spine as columns, and what its rows ask for.
    struct BuiltSpine {
        let rows: [SpineRow]
        let batch: ColumnBatch
    }

    /// One output column and where its answer comes from.
    struct Output {
        let name: String
        let view: Int
        var feature: NaiveModel.Feature
        let isOther: Bool
    }

    /// A read of one row of one view.
    struct Point: Hashable {
        let view: Int
        let entity: Int
        let T: Timestamp
    }

    // MARK: Spines

    /// The columns of a spine. The rows' own numbers are a column, too, so that their order can be checked.
    func spine(_ rows: [SpineRow], with times: [Timestamp]) throws -> BuiltSpine {
        let numbers = ColumnBuilder(.int64)
        let at = ColumnBuilder(.timestamp)
        let (uid, other) = (ColumnBuilder(.int64), ColumnBuilder(.int64))
        let (town, number) = (ColumnBuilder(.string), ColumnBuilder(.int64))
        let (code, side) = (ColumnBuilder(.bytes), ColumnBuilder(.bool))
        func append(_ kind: Int, _ entity: Int?, _ builders: [ColumnBuilder]) throws {
            for (index, builder) in builders.enumerated() {
                guard let entity, entity >= 0 || index < builders.count - 1 else {
                    builder.appendNull()
                    continue
                }
                switch World.kinds[kind].pool[max(0, entity)][index] {
                case .int64(let value): try builder.append(.int64(value))
                case .string(let value): try builder.append(.string(value))
                case .bytes(let value): try builder.append(.bytes(value))
                case .bool(let value): try builder.append(.bool(value))
                }
            }
        }
        for (index, row) in rows.enumerated() {
            numbers.append(fixed: Int64(index))
            at.append(fixed: (index < times.count ? times[index] : World.time(row.tick)).microseconds)
            try append(0, row.user, [uid])
            try append(0, row.other, [other])
            try append(1, row.place, [town, number])
            try append(2, row.thing, [code, side])
        }
        let names = ["row_number", "at", "uid", "other", "town", "number", "code", "side"]
        let columns = try [numbers, at, uid, other, town, number, code, side].map { try $0.finish() }
        return BuiltSpine(rows: rows, batch: ColumnBatch(names: names, columns: columns, count: rows.count))
    }

    /// The entity that a row of a spine asks for in a view, or nil where it has none.
    private func entity(_ row: SpineRow, _ view: Int, isOther: Bool) -> Int? {
        let entity =
            switch model.views[view].kind {
            case 0: isOther ? row.other : row.user
            case 1: row.place
            default: row.thing
            }
        guard let entity, entity >= 0 else { return nil }
        return entity
    }

    // MARK: What is read

    /// The service, or a few features, as the catalog resolves them, with the outputs that are expected of it.
    private func service(_ seed: UInt64?) throws -> (ResolvedService, [Output]) {
        let catalog = try store.catalog
        func outputs(_ view: Int, prefix: String, isOther: Bool = false) -> [Output] {
            model.views[view].features.map { Output(name: prefix + $0.name, view: view, feature: $0, isOther: isOther) }
        }
        let all = World.viewNames.enumerated().flatMap { outputs($0.offset, prefix: $0.element + ".") }
        guard let seed else {
            return (try catalog.resolve(service: "all"), all + outputs(2, prefix: "other_", isOther: true))
        }
        var random = SeededRandom(seed: seed)
        let chosen = Array(all.shuffled(using: &random).prefix(1 + random.below(5)))
        return (try catalog.resolve(features: chosen.map(\.name)), chosen)
    }

    func time(_ pin: Pin) throws -> Timestamp? {
        func commit(_ index: Int) -> Timestamp { commits.isEmpty ? World.time(0) : commits[index % commits.count] }
        switch pin {
        case .now: return nil
        case .commit(let index): return commit(index)
        case .before(let index): return Timestamp(microseconds: commit(index).microseconds - 1)
        case .beforeAll: return .distantPast
        case .future: return .distantFuture
        case .tick(let tick): return World.time(tick)
        }
    }

    /// T, or where that may not be read in all of `views` an instant at or soon after their horizons.
    private func lifted(_ T: Timestamp, _ views: Set<Int>) -> Timestamp {
        let horizon = views.map { model.views[$0].horizon ?? .distantPast }.max() ?? .distantPast
        return T >= horizon ? T : Timestamp(microseconds: horizon.microseconds + Int64(T.microseconds.magnitude % 5))
    }

    private func isBeyondRetention(_ T: Timestamp, _ view: Int) -> Bool { T < model.views[view].horizon ?? .distantPast }

    // MARK: Comparing

    /// What the model says for all features of a view at a point.
    private func expect(
        _ point: Point, _ K: Timestamp, _ served: Bool, _ features: [NaiveModel.Feature]? = nil
    ) -> [Int: NaiveModel.Answer] {
        let candidates = model.candidates(point.view, point.entity, at: point.T, knownAt: K, served: served)
        var answers: [Int: NaiveModel.Answer] = [:]
        for feature in features ?? model.views[point.view].features {
            answers[feature.id] = model.answer(feature, of: point.view, in: candidates, at: point.T)
        }
        return answers
    }

    /// Compares one column of a result, and counts.
    private func compare(
        _ found: Value, _ output: Output, _ entity: Int?, _ T: Timestamp, _ expected: Value, _ what: @autoclosure () -> String
    ) throws {
        try require(
            found.isIdentical(to: expected),
            "\(what()): \(output.name) of entity \(entity.map(String.init) ?? "none") at \(World.tick(T)) "
                + "is \(found.short), and not \(expected.short)")
    }

    func throwsBeyondRetention(_ what: String, _ body: () throws -> Void) throws {
        var code: WhenceError.Code?
        do {
            try body()
        } catch {
            code = (error as? WhenceError)?.code
            if code == nil { throw error }
        }
        try require(code == .beyondRetention, "\(what) before the horizon was not refused: \(code.map { "\($0)" } ?? "no error")")
        cover("refused beyond retention")
    }

    func check(_ join: JoinStep) throws {
        let store = try store
        let (service, outputs) = try service(join.features)
        let views = Set(outputs.map(\.view))
        var rows = join.rows
        if let count = join.repeatedTo, !rows.isEmpty {
            var random = SeededRandom(seed: UInt64(count))
            while rows.count < count {
                var row = random.pick(join.rows)
                row.user = random.pick(join.rows).user
                row.place = random.pick(join.rows).place
                rows.append(row)
            }
        }
        let times = rows.map { join.isWithinHorizon ? lifted(World.time($0.tick), views) : World.time($0.tick) }
        let isRefused = rows.indices.contains { row in
            outputs.contains { entity(rows[row], $0.view, isOther: $0.isOther) != nil && isBeyondRetention(times[row], $0.view) }
        }
        let pin = try time(join.pin)
        let isPinRefused = views.contains { isBeyondRetention(pin ?? .distantFuture, $0) }
        let blockRows = max(1, join.blockRows ?? rows.count)
        let blocks = stride(from: 0, to: rows.count, by: blockRows).map { $0..<min($0 + blockRows, rows.count) }
        let spines = try blocks.map { try spine(Array(rows[$0]), with: Array(times[$0])) }
        let columns = try spine([], with: []).batch
        let request = JoinRequest(
            service: service, eventTimeColumn: "at", knownAt: pin, asServed: join.served, memoryBytes: 1,
            spill: join.spills ? .inStore : .never,
            threads: join.threads)
        let rowsSpine = RowsSpine(
            spines.map(\.batch), columns: zip(columns.names, columns.columns).map { SpineColumn(name: $0, type: $1.type) })
        if isPinRefused {
            return try throwsBeyondRetention("a pin") {
                var run = try store.join(request, spine: rowsSpine)
                while try run.next() != nil {}
            }
        }
        var run = try store.join(request, spine: rowsSpine)
        // A pin in the future is one at the last commit: so it can be stated again.
        let isPinned = run.knownAt == min(pin ?? .distantFuture, store.lastCommit)
        try require(isPinned, "a join says that it knows up to \(run.knownAt)")
        try require(
            run.columns.map(\.name) == columns.names + outputs.map(\.name)
                && run.columns.suffix(outputs.count).map(\.type) == outputs.map(\.feature.type),
            "a join has columns \(run.columns.map(\.name))")
        if isRefused {
            return try throwsBeyondRetention("a join") { while try run.next() != nil {} }
        }
        let what = "join knowing \(World.tick(run.knownAt))\(join.served ? ", as served" : "")"
        var expected: [Point: [Int: NaiveModel.Answer]] = [:]
        var at = 0
        while let batch = try run.next() {
            try require(at + batch.count <= rows.count, "\(what): there are more rows than the spine has")
            for row in 0..<batch.count {
                let (index, place) = (at / blockRows, at % blockRows)
                let T = times[at]
                at += 1
                for (column, given) in spines[index].batch.columns.enumerated() {
                    try require(
                        batch.columns[column].value(row).isIdentical(to: given.value(place)),
                        "\(what): row \(place) of block \(index + 1) of the spine has changed")
                }
                for (column, output) in outputs.enumerated() {
                    let entity = entity(spines[index].rows[place], output.view, isOther: output.isOther)
                    var value = Value.null
                    if let entity {
                        let point = Point(view: output.view, entity: entity, T: T)
                        let answers: [Int: NaiveModel.Answer]
                        if let known = expected[point] {
                            answers = known
                        } else {
                            answers = expect(point, run.knownAt, join.served)
                            expected[point] = answers
                            reads += outputs.count { $0.view == output.view && $0.isOther == output.isOther }
                        }
                        value = answers[output.feature.id]?.value ?? .null
                    }
                    try compare(batch.columns[columns.names.count + column].value(row), output, entity, T, value, what)
                }
            }
        }
        try require(at == rows.count, "\(what): \(at) rows, not \(rows.count)")
        if store.statistics().historyCacheUsedBytes > 0 { cover("join of images") }
        cover(run.spilledBytes > 0 ? "join that spills" : join.repeatedTo == nil ? "join" : "large join")
    }

    func check(_ online: OnlineStep) throws {
        let store = try store
        var (service, outputs) = try service(nil)
        let built = try spine(online.rows, with: [])
        let now = store.now
        let reader: OnlineReader
        var withEventTimes = online.withEventTimes
        if online.kept {
            let kept = try self.kept ?? (store.onlineReader(service, capacity: 50), outputs)
            self.kept = kept
            reader = kept.reader
            // It reads what it always did, in the types of now.
            outputs = kept.outputs.map { output in
                var output = output
                output.feature.type = model.types[output.feature.id] ?? output.feature.type
                return output
            }
            withEventTimes = false
        } else {
            reader = try store.onlineReader(service, capacity: 50, withEventTimes: withEventTimes)
        }
        if outputs.contains(where: { isBeyondRetention(now, $0.view) }) {
            return try throwsBeyondRetention("an online read") { _ = try reader.read(built.batch) }
        }
        for round in ["first", "second"] {
            let batch = try reader.read(built.batch)
            let what = "\(round) \(online.kept ? "kept " : "")online read at \(World.tick(now))"
            var column = 0
            // Each selection's outputs lie together, followed by its event time.
            let selections =
                World.viewNames.indices.map { view in outputs.filter { $0.view == view && !$0.isOther } } + [outputs.filter(\.isOther)]
            for selection in selections {
                guard let first = selection.first else { continue }
                for row in 0..<batch.count {
                    let entity = entity(online.rows[row], first.view, isOther: first.isOther)
                    let answers =
                        entity.map { expect(Point(view: first.view, entity: $0, T: now), now, true, selection.map(\.feature)) } ?? [:]
                    for (place, output) in selection.enumerated() {
                        // To a reader that is kept a feature that was retired since is nothing.
                        let isThere = model.views[output.view].features.contains(output.feature)
                        let value = isThere ? answers[output.feature.id]?.value ?? .null : .null
                        try compare(batch.columns[column + place].value(row), output, entity, now, value, what)
                        reads += 1
                    }
                    if withEventTimes {
                        let newest = answers.values.map(\.eventTime).max()
                        let found = batch.columns[column + selection.count].value(row)
                        try require(
                            found == (newest.map { .timestamp($0) } ?? .null),
                            "\(what): the event time of \(World.viewNames[first.view]) of entity \(entity ?? -1) is \(found.short), "
                                + "not \(newest.map(World.tick) ?? "null")")
                    }
                }
                column += selection.count + (withEventTimes ? 1 : 0)
            }
            try require(batch.columns.count == column, "\(what): there are \(batch.columns.count) columns, not \(column)")
        }
        cover(online.kept ? "online with a kept reader" : "online")
    }

    func checkHistory(_ view: Int, _ entity: Int, _ pin: Pin) throws {
        let K = try time(pin)
        var found = try store.history(World.viewNames[view], EntityKey(World.kinds[World.viewKinds[view]].pool[entity]), knownAt: K)
        var expected = model.history(view, entity, knownAt: K ?? .distantFuture)
        if let horizon = model.views[view].horizon {
            found.removeAll { $0.eventTime <= horizon }
            expected.removeAll { $0.eventTime <= horizon }
        }
        let what = "history of \(World.viewNames[view]), entity \(entity)"
        try require(found.count == expected.count, "\(what): \(found.count) versions, not \(expected.count)")
        for (found, expected) in zip(found, expected) {
            try require(
                found.kind == expected.kind && found.eventTime == expected.eventTime && found.commitTime == expected.knownFrom
                    && found.availabilityTime == expected.availability,
                "\(what): \(found.kind) at \(World.tick(found.eventTime)), committed \(World.tick(found.commitTime)), "
                    + "available \(World.tick(found.availabilityTime)), and not \(expected)")
            try require(found.values.count == expected.values.count, "\(what): \(found.values.count) values, not \(expected.values.count)")
            for (id, value) in expected.values {
                let one = found.values.first { $0.name == expected.names[id] }
                try require(
                    one?.value.isIdentical(to: value) ?? false,
                    "\(what): \(expected.names[id] ?? "") is \(one.map { $0.value.short } ?? "nothing")")
                reads += 1
            }
        }
        cover("history")
    }

    func checkScan(_ view: Int, from: Int?, to: Int?, _ pin: Pin) throws {
        let store = try store
        let name = World.viewNames[view]
        var request = ScanRequest(view: name, knownAt: try time(pin), eventTimeColumn: "at")
        if let from { request.from = World.time(from) }
        if let to { request.to = World.time(to) }
        // Before the horizon a scan shows what happens to be left.
        if let horizon = model.views[view].horizon { request.from = max(request.from, Timestamp(microseconds: horizon.microseconds + 1)) }
        if let pin = request.knownAt, isBeyondRetention(pin, view) {
            return try throwsBeyondRetention("a scan") { _ = try store.scan(request) }
        }
        var scan = try store.scan(request)
        let expected = model.scan(view, knownAt: scan.knownAt, from: request.from, to: request.to)
        let kind = World.kinds[World.viewKinds[view]]
        let features = model.views[view].features
        let what = "scan of \(name) knowing \(World.tick(scan.knownAt))"
        var at = 0
        while let batch = try scan.next(maxRows: 7) {
            for row in 0..<batch.count {
                guard at < expected.count else { throw Mismatch("\(what): more than \(expected.count) rows") }
                let version = expected[at]
                at += 1
                try checkKey(batch, row, kind, version.entity, what)
                try require(
                    batch.columns[kind.joinKeys.count].value(row) == .timestamp(version.eventTime),
                    "\(what): row \(at) has another event time")
                for (place, feature) in features.enumerated() {
                    let value = version.values[feature.id].map { NaiveModel.widened($0, to: feature.type) } ?? .null
                    let output = Output(name: "\(name).\(feature.name)", view: view, feature: feature, isOther: false)
                    try compare(
                        batch.columns[kind.joinKeys.count + 1 + place].value(row), output, version.entity, version.eventTime, value, what)
                    reads += 1
                }
            }
        }
        try require(at == expected.count, "\(what): \(at) rows, not \(expected.count)")
        try joinToSpine(view, try store.scan(request), expected.map { ($0.entity, $0.eventTime) }, what)
        cover("scan")
    }

    func checkEntities(_ view: Int, instants: [Int], from: Int?, _ pin: Pin, served: Bool) throws {
        let store = try store
        let name = World.viewNames[view]
        let times = instants.map(World.time)
        let K = try time(pin)
        let start = from.map(World.time) ?? .distantPast
        func make() throws -> EntitiesSpine {
            try store.entities(of: name, at: times, from: start, knownAt: K, asServed: served, eventTimeColumn: "at")
        }
        if let K, isBeyondRetention(K, view) {
            return try throwsBeyondRetention("a pin") {
                var spine = try make()
                while try spine.next(maxRows: 3) != nil {}
            }
        }
        var spine = try make()
        let isRefused = times.contains { isBeyondRetention($0, view) }
        if isRefused {
            // Nothing need be refused where there is nothing to read.
            guard model.views[view].versions.contains(where: { $0.knownFrom != nil }) else { return }
            return try throwsBeyondRetention("a spine of entities") { while try spine.next(maxRows: 3) != nil {} }
        }
        let known = K ?? store.lastCommit
        var expected: [(Int, Timestamp)] = []
        for entity in model.entities(of: view) {
            for T in Set(times).sorted(by: >) {
                let answers = expect(Point(view: view, entity: entity, T: T), known, served)
                reads += 1
                if let newest = answers.values.map(\.eventTime).max(), newest >= start { expected.append((entity, T)) }
            }
        }
        let kind = World.kinds[World.viewKinds[view]]
        let what = "entities of \(name) knowing \(World.tick(known))\(served ? ", as served" : "")"
        var at = 0
        while let batch = try spine.next(maxRows: 3) {
            for row in 0..<batch.count {
                guard at < expected.count else {
                    throw Mismatch("\(what): more than \(expected.count) rows; the next is \(batch.columns.map { $0.value(row).short })")
                }
                try checkKey(batch, row, kind, expected[at].0, what)
                try require(
                    batch.columns[kind.joinKeys.count].value(row) == .timestamp(expected[at].1), "\(what): row \(at) has another instant")
                at += 1
            }
        }
        try require(
            at == expected.count, "\(what): \(at) rows, not \(expected.count); the next is \(at < expected.count ? "\(expected[at])" : "")")
        try joinToSpine(view, try make(), expected, what)
        cover("entities")
    }

    private func checkKey(_ batch: ColumnBatch, _ row: Int, _ kind: World.Kind, _ entity: Int, _ what: String) throws {
        for (index, key) in kind.pool[entity].enumerated() {
            let expected: Value =
                switch key {
                case .int64(let value): .int64(value)
                case .string(let value): .string(value)
                case .bytes(let value): .bytes(value)
                case .bool(let value): .bool(value)
                }
            let found = batch.columns[index].value(row)
            try require(found.isIdentical(to: expected), "\(what): a row of \(found.short) where \(expected.short) should be")
        }
    }

    /// Joins a view to a spine that is itself read from the store.
    private func joinToSpine<Source: Spine>(_ view: Int, _ source: Source, _ rows: [(Int, Timestamp)], _ what: String) throws {
        let store = try store
        let service = try store.catalog.resolve(features: ["\(World.viewNames[view]).*"])
        var run = try store.join(JoinRequest(service: service, eventTimeColumn: "at", memoryBytes: 1, threads: 2), spine: source)
        let features = model.views[view].features
        var at = 0
        while let batch = try run.next() {
            for row in 0..<batch.count {
                guard at < rows.count else { throw Mismatch("\(what), joined: more than \(rows.count) rows") }
                let (entity, T) = rows[at]
                at += 1
                let answers = expect(Point(view: view, entity: entity, T: T), run.knownAt, false)
                for (place, feature) in features.enumerated() {
                    let output = Output(name: feature.name, view: view, feature: feature, isOther: false)
                    let column = batch.columns.count - features.count + place
                    try compare(batch.columns[column].value(row), output, entity, T, answers[feature.id]?.value ?? .null, what + ", joined")
                    reads += 1
                }
            }
        }
        try require(at == rows.count, "\(what), joined: \(at) rows, not \(rows.count)")
    }
}

extension Value {
    /// The value as a message can show it.
    fileprivate var short: String {
        let text = "\(self)"
        return text.count > 120 ? "\(text.prefix(120))…" : text
    }
}
