import NIOCore
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// What an online read needs beyond its entities, kept from request to request. One event loop, or one thread, at a time.
final class PreparedReader {
    let question: PreparedQuestion
    let views: [String]
    /// The state of the definitions that `service` was resolved by.
    let generation: Int
    var lastUsed = NIODeadline.now()
    private let core: ServerCore
    private let service: ResolvedService
    private let reader: OnlineReader
    /// The schema of the last answer.
    private var schema: IdentifiedSchema?

    /// - Parameter capacity: the most entities of one read.
    init(_ core: ServerCore, _ question: PreparedQuestion, capacity: Int) throws(WhenceError) {
        self.core = core
        self.question = question
        // The generation first: definitions that are applied in between make this reader old, and not wrong.
        generation = core.store.definitionsGeneration
        service = try core.store.catalog.resolve(question.question.selection)
        views = service.selections.map { $0.view.definition.name }
        let known = service.joinColumns.map(\.name)
        for name in question.question.keys.names where !known.contains(name) {
            throw WhenceError(
                .invalidArgument, "there is no join key '\(name)'", hint: "the service needs \(known.joined(separator: ", "))")
        }
        reader = try core.store.onlineReader(
            service, capacity: capacity, withEventTimes: question.question.eventTimes || question.question.ages)
    }

    /// Whether the definitions have changed since.
    var isOld: Bool { generation != core.store.definitionsGeneration }

    /// Throws `notAllowed` where `principal` may not read one of the views.
    func check(_ principal: Principal) throws(WhenceError) {
        for view in views { try principal.check(.read, view: view) }
    }

    /// Reads the entities of `message`.
    func answer(_ message: OnlineRead) throws(WhenceError) -> OnlineAnswer {
        let now = core.store.now
        var features = try reader.read(message.entities, at: now)
        if question.question.ages { features = try withAges(features, now) }
        let schema = try schema(of: features)
        return OnlineAnswer(time: now, schema: schema, sendsSchema: schema.id != message.knownSchema, features: features)
    }

    private func schema(of batch: ColumnBatch) throws(WhenceError) -> IdentifiedSchema {
        // The names are always the same; a type changes when a feature is widened.
        if let schema, zip(schema.schema.types, batch.columns).allSatisfy({ $0 == $1.type }) { return schema }
        let made = try IdentifiedSchema(BatchSchema(of: batch))
        schema = made
        return made
    }

    /// Puts ages beside event times, or in their place where those were not asked for.
    private func withAges(_ batch: ColumnBatch, _ now: Timestamp) throws(WhenceError) -> ColumnBatch {
        var names: [String] = []
        var columns: [Column] = []
        var at = 0
        for (selection, view) in zip(service.selections, views) {
            let end = at + selection.features.count
            names += batch.names[at..<end]
            columns += batch.columns[at..<end]
            let times = batch.columns[end]
            if question.question.eventTimes {
                names.append(batch.names[end])
                columns.append(times)
            }
            let ages = ColumnBuilder(.int64)
            for row in 0..<batch.count {
                if times.isValid(row) {
                    ages.append(fixed: now.microseconds - times.load(row, as: Int64.self))
                } else {
                    ages.appendNull()
                }
            }
            names.append("\(view).age")
            columns.append(try ages.finish())
            at = end + 1
        }
        return ColumnBatch(names: names, columns: columns, count: batch.count)
    }
}

/// The readers that an event loop keeps, by the bytes of their questions. A reader holds on to files of the store, so those that
/// are not used are let go.
struct ReaderCache {
    /// Questions that are asked in turn on one event loop; one more pushes out the one that was used longest ago.
    private static let capacity = 256
    private var readers: [ByteBuffer: PreparedReader] = [:]

    /// The reader for `question`, made where there is none yet, or none that knows the definitions of now.
    mutating func reader(_ core: ServerCore, _ question: PreparedQuestion) throws(WhenceError) -> PreparedReader {
        if let found = readers[question.bytes], !found.isOld { return found }
        let made = try PreparedReader(core, question, capacity: core.limits.inlineEntities)
        if readers.count >= ReaderCache.capacity, let oldest = readers.min(by: { $0.value.lastUsed < $1.value.lastUsed }) {
            readers[oldest.key] = nil
        }
        readers[question.bytes] = made
        return made
    }

    mutating func removeUnused(since time: NIODeadline) {
        for (key, reader) in readers where reader.lastUsed < time { readers[key] = nil }
    }

    mutating func removeAll() { readers.removeAll() }
}
