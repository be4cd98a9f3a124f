import NIOCore
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// What an online read needs beyond its entities, kept from request to request: a request whose entities are in the cache of latest rows
/// is read and answered without allocation. One event loop, or one thread, at a time.
final class PreparedReader {
    let question: PreparedQuestion
    let views: [String]
    /// The state of the definitions that the service was resolved by.
    let generation: Int
    var lastUsed = NIODeadline.now()
    private let core: ServerCore
    private let reader: ServingReader
    /// The schema of answers, and the layout of columns that it was made for.
    private var schema: IdentifiedSchema?
    private var schemaLayout = -1
    /// The request that is being answered.
    private var request = PlacedOnlineRead()
    /// The grants that were last found to allow reading all views.
    private var grants: [Grant] = []

    init(_ core: ServerCore, _ question: PreparedQuestion) throws(WhenceError) {
        self.core = core
        self.question = question
        // The generation first: definitions that are applied in between make this reader old, and not wrong.
        generation = core.store.definitionsGeneration
        let service = try core.store.catalog.resolve(question.question.selection)
        views = service.selections.map { $0.view.definition.name }
        let keys = question.question.keys
        reader = try core.store.servingReader(
            service, keys: zip(keys.names, keys.types).map { ($0, $1) },
            withEventTimes: question.question.eventTimes || question.question.ages)
    }

    /// Whether the definitions have changed since.
    var isOld: Bool { generation != core.store.definitionsGeneration }

    /// Throws `notAllowed` where `principal` may not read one of the views.
    func check(_ principal: Principal) throws(WhenceError) {
        let current = principal.grants
        // Nearly always the same array, which is seen at once.
        if !current.isEmpty, current == grants { return }
        for view in views { try principal.check(.read, view: view) }
        grants = current
    }

    /// Reads a request, which asks this reader's question. Returns how many entities it has.
    func take(_ frame: Frame) throws(WhenceError) -> Int {
        try request.read(frame, asking: question)
        return request.entities.count
    }

    /// Answers the request that `take` has read, which was `frame`. False, and nothing written, where more than `mostStoreReads` rows would have
    /// to be read from the store because they are not in the cache of latest rows.
    func answer(_ frame: Frame, into writer: inout FrameWriter, mostStoreReads: Int = .max) throws(WhenceError) -> Bool {
        let now = core.store.now
        let (eventTimes, ages) = (question.question.eventTimes, question.question.ages)
        let isRead = try reader.read(request.entities, in: frame.payload.readableBytesSpan, at: now, mostStoreReads: mostStoreReads)
        if reader.storeReads.count > 0 { core.storeReadCost.record(reader.storeReads.time, reads: reader.storeReads.count) }
        guard isRead else { return false }
        let answers = reader.answers
        for part in answers { try part.measure(eventTimes: eventTimes, agesAt: ages ? now : nil) }
        let schema = try currentSchema()
        try writer.writeOnlineAnswer(
            time: now, schema: schema, sendsSchema: schema.id != request.knownSchema, answers, rows: request.entities.count,
            requestID: frame.requestID)
        reader.trim()
        return true
    }

    private func currentSchema() throws(WhenceError) -> IdentifiedSchema {
        // The names are always the same; a type changes when a feature is widened.
        if let schema, schemaLayout == reader.layoutChanges { return schema }
        let columns = reader.columns(eventTimes: question.question.eventTimes, ages: question.question.ages)
        let made = try IdentifiedSchema(BatchSchema(names: columns.map(\.name), types: columns.map(\.type)))
        schema = made
        schemaLayout = reader.layoutChanges
        return made
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
        let made = try PreparedReader(core, question)
        if readers.count >= ReaderCache.capacity, let oldest = readers.min(by: { $0.value.lastUsed < $1.value.lastUsed }) {
            readers[oldest.key] = nil
        }
        readers[question.bytes] = made
        return made
    }

    /// How long a reader is kept that is not used.
    static var keptTime: TimeAmount { .seconds(30) }

    mutating func removeUnused(_ now: NIODeadline) {
        for (key, reader) in readers where now - reader.lastUsed > ReaderCache.keptTime { readers[key] = nil }
    }

    mutating func removeAll() { readers.removeAll() }
}
