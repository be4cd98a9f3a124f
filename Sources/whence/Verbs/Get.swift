import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine

struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read features of some entities, now or as of a time.",
        discussion: """
            Without --as-of, --known-at and --as-served this is the online read, what a model is served. For each view that it reads \
            it also says the event time and the age of the newest version that gave a value; where rows are sparse other values \
            may be of older versions, which 'whence history' shows.

            Examples:
              whence get departure_delay --entity origin=JFK,dest=ORD --data store
              whence get --features 'weather.*' --entity airport=JFK --data store \\
                --as-of 2013-01-31T05:00:00Z
            """)

    @Argument(help: "The service to read: NAME or NAME@VERSION.")
    var service: String?

    @Option(help: ArgumentHelp("Features to read instead: VIEW.FEATURE or VIEW.*, separated by commas.", valueName: "list"))
    var features: [String] = []

    @Option(help: ArgumentHelp("The join keys of one entity; may be repeated.", valueName: "key=value,…"))
    var entity: [String]

    @Option(help: ArgumentHelp("Read as of this time (default: now).", valueName: "time"))
    var asOf: String?

    @Option(help: ArgumentHelp("Only what was known at this time (default: now).", valueName: "time"))
    var knownAt: String?

    @Flag(help: "Leave out what serving could not have seen yet.")
    var asServed = false

    @OptionGroup var store: StoreArguments

    func validate() throws {
        if entity.isEmpty { throw ValidationError("no entity is named; write --entity KEY=VALUE") }
    }

    func run() throws {
        let T: Timestamp? = try OptionText.time(asOf, "--as-of")
        let pin: Timestamp? = try OptionText.time(knownAt, "--known-at")
        let texts = try entity.map { try EntityText($0) }
        let selection = try OptionText.selection(service, features: features)
        let place = try store.place(.read)
        let service = try place.catalog.resolve(selection)
        let keys = service.joinColumns
        let entities = try texts.map { text throws(WhenceError) in try text.values(of: keys) }
        let columns = try EntityText.columns(keys, entities)
        let answer: FeatureAnswer
        if T == nil, pin == nil, !asServed {
            let request = ColumnBatch(names: keys.map(\.name), columns: columns, count: entities.count)
            switch place {
            case .here(let store):
                let reader = try store.onlineReader(service, capacity: entities.count, withEventTimes: true)
                answer = FeatureAnswer(service: service, keys: keys, entities: entities, online: try reader.read(request), now: store.now)
            case .server(let store):
                let read = try store.get(selection, request)
                answer = FeatureAnswer(service: service, keys: keys, entities: entities, online: read.features, now: read.now)
            }
        } else {
            let point = T ?? Timestamp.wallClock()
            // No service has an output or a join key of this name.
            let timeColumn = "as of"
            let times = ColumnBuilder(.timestamp)
            for _ in entities { times.append(fixed: point.microseconds) }
            let spine = RowsSpine([
                ColumnBatch(names: keys.map(\.name) + [timeColumn], columns: columns + [try times.finish()], count: entities.count)
            ])
            let read: ColumnBatch?
            let knownAt: Timestamp
            switch place {
            case .here(let store):
                var join = try store.join(
                    JoinRequest(service: service, eventTimeColumn: timeColumn, knownAt: pin, asServed: asServed), spine: spine)
                read = try join.next()
                knownAt = join.knownAt
            case .server(let store):
                let rows = try store.join(selection, spine, eventTime: timeColumn, knownAt: pin, asServed: asServed, memoryBytes: 0)
                read = try rows.next()
                knownAt = rows.knownAt ?? .distantFuture
            }
            guard let read else { return }
            answer = FeatureAnswer(
                service: service, keys: keys, entities: entities, joined: read, asOf: point, knownAt: knownAt, asServed: asServed)
        }
        try Console.print(store.json ? answer.jsonLines : answer.text)
    }
}
