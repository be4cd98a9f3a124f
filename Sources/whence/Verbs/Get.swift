import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine

struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read features of some entities, now or as of a time.",
        discussion: """
            Without --as-of, --known-at and --as-served this is the online read, what a model is served: with each value's event \
            time and age.

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
        let open = try store.open(.read)
        let service = try OptionText.service(service, features: features, in: open.catalog)
        let keys = service.joinColumns
        let entities = try texts.map { text throws(WhenceError) in try text.values(of: keys) }
        let columns = try request(keys, entities)
        let answer: FeatureAnswer
        if T == nil, pin == nil, !asServed {
            let reader = try open.onlineReader(service, capacity: entities.count, withEventTimes: true)
            let read = try reader.read(ColumnBatch(names: keys.map(\.name), columns: columns, count: entities.count))
            answer = FeatureAnswer(service: service, keys: keys, entities: entities, online: read, now: open.now)
        } else {
            let point = T ?? open.now
            // No service has an output or a join key of this name.
            let timeColumn = "as of"
            let times = ColumnBuilder(.timestamp)
            for _ in entities { times.append(fixed: point.microseconds) }
            let spine = ColumnBatch(
                names: keys.map(\.name) + [timeColumn], columns: columns + [try times.finish()], count: entities.count)
            var join = try open.join(
                JoinRequest(service: service, eventTimeColumn: timeColumn, knownAt: pin, asServed: asServed), spine: RowsSpine([spine]))
            guard let read = try join.next() else { return }
            answer = FeatureAnswer(
                service: service, keys: keys, entities: entities, joined: read, asOf: point, knownAt: join.knownAt, asServed: asServed)
        }
        try Console.print(store.json ? answer.jsonLines : answer.text)
    }

    private func request(_ keys: [JoinKey], _ entities: [[KeyValue]]) throws(WhenceError) -> [Column] {
        var columns: [Column] = []
        for (index, key) in keys.enumerated() {
            let builder = ColumnBuilder(key.type.columnType)
            for entity in entities { try builder.append(entity[index].value) }
            columns.append(try builder.finish())
        }
        return columns
    }
}
