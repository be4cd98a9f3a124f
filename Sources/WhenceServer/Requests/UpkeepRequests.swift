import Synchronization
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// Requests of those who look after the store.
extension RequestWork {
    func stats(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        _ = try StatsRequest(decoding: frame)
        try principal.check(.administer, view: nil)
        return Answer(StoreDocuments.statistics(core.store.statistics()))
    }

    func compact(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try CompactRequest(decoding: frame)
        request.subject.withLock { $0 = message.view }
        try principal.check(.administer, view: message.view)
        let (store, name) = (core.store, message.view)
        _ = try store.catalog.view(named: name)
        func bytes() -> Int { store.statistics().views.first { $0.name == name }?.fileBytes ?? 0 }
        report(done: 0, total: 1, unit: "views")
        let start = ContinuousClock.now
        try core.gate.check()
        try store.flush(name)
        let before = bytes()
        try request.checkOpen()
        try store.compact(name)
        return Answer(StoreDocuments.compacted(name, bytesBefore: before, bytesAfter: bytes(), took: ContinuousClock.now - start))
    }

    func retain(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try RetainRequest(decoding: frame)
        let catalog = core.store.catalog
        for view in message.views { _ = try catalog.view(named: view) }
        let names =
            message.views.isEmpty
            ? catalog.views.values.filter { $0.definition.retention != nil }.map(\.definition.name).sorted() : message.views
        request.subject.withLock { $0 = names.joined(separator: ", ") }
        if names.isEmpty { try principal.check(.administer, view: nil) }
        for view in names { try principal.check(.administer, view: view) }
        guard message.horizon == nil || !message.views.isEmpty else {
            throw WhenceError(.invalidArgument, "a horizon goes with the names of the views that it is for", hint: "name the views")
        }
        let estimates = Dictionary(core.store.statistics().views.map { ($0.name, $0.versions) }) { first, _ in first }
        var documents: [JSON] = []
        for name in names {
            try request.checkOpen()
            var reported = ContinuousClock.now
            func run() throws(WhenceError) -> RetentionReport {
                try core.store.retain(name, horizon: message.horizon, dryRun: message.dryRun) { seen in
                    let now = ContinuousClock.now
                    guard now - reported > .milliseconds(100) else { return }
                    reported = now
                    report(done: seen, total: max(seen, estimates[name] ?? 0), unit: "versions of \(name)")
                }
            }
            let done = try message.dryRun ? run() : core.gate.run(run)
            documents.append(StoreDocuments.retained(done, dryRun: message.dryRun))
        }
        return Answer(.array(documents))
    }

    func erase(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try EraseRequest(decoding: frame)
        request.subject.withLock { $0 = message.entity }
        try principal.check(.administer, view: nil)
        let store = core.store
        let key = try EntityKey(row: 0, of: message.keys, keys: try store.catalog.entity(named: message.entity).definition.joinKeys)
        func run() throws(WhenceError) -> [ErasureReport] {
            try store.erase(message.entity, key, dryRun: message.dryRun) { report(done: $0, total: $1, unit: "steps") }
        }
        return Answer(StoreDocuments.erased(try message.dryRun ? run() : core.gate.run(run), dryRun: message.dryRun))
    }
}

extension EntityKey {
    /// The entity that row `row` of `batch` names, whose columns are the join keys in any order.
    init(row: Int, of batch: ColumnBatch, keys: [JoinKey]) throws(WhenceError) {
        let wanted = keys.map { "\($0.name) (\($0.type.rawValue))" }.joined(separator: ", ")
        func refuse(_ message: String) -> WhenceError { WhenceError(.invalidKey, message, hint: "the join keys are \(wanted)") }
        guard batch.count > row else { throw refuse("no entity is named") }
        for name in batch.names where !keys.contains(where: { $0.name == name }) { throw refuse("there is no join key '\(name)'") }
        var values: [KeyValue] = []
        for key in keys {
            guard let column = batch.column(named: key.name) else { throw refuse("the join key '\(key.name)' is missing") }
            switch (key.type, column.value(row)) {
            case (.int64, .int64(let number)): values.append(.int64(number))
            case (.int64, .int32(let number)): values.append(.int64(Int64(number)))
            case (.string, .string(let text)): values.append(.string(text))
            case (.bytes, .bytes(let bytes)): values.append(.bytes(bytes))
            case (.bool, .bool(let flag)): values.append(.bool(flag))
            case (_, .null): throw refuse("the join key '\(key.name)' has no value")
            default: throw refuse("the join key '\(key.name)' is \(key.type.rawValue), and the column holds \(column.type.name)")
            }
        }
        try self.init(values)
    }
}
