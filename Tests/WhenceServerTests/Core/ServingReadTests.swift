import Logging
import NIOCore
import RandomFixtures
import StoreFixtures
import Testing
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

/// The way of an online read through a server (keys where they lie in the request, columns that are kept, an answer written from them)
/// against the general one, on random stores: to the byte against `OnlineReader`, value by value against a join at the present, and event
/// times against the history.
@Suite("Online reads, as a server answers them") struct ServingReadTests {
    @Test("are those of the general reader, of a join, and of the history") func sameAnswers() throws {
        var random = SeededRandom.printed("ServingReadTests/sameAnswers")
        var seen = Seen()
        for _ in 0..<12 {
            let world = try RandomWorld(&random)
            for _ in 0..<5 {
                try world.change(&random)
                for _ in 0..<4 { try world.compare(&random, &seen) }
            }
        }
        // Thousands of values of every kind, or the test has not said much.
        #expect(seen.values > 5_000 && seen.nulls > 5_000 && seen.eventTimes > 2_000 && seen.ages > 2_000)
        #expect(seen.largestRequest > 1_000 && seen.nullKeys > 100 && seen.fromCache > 10 && seen.refused > 10)
        #expect(seen.types.count >= 12, "\(seen.types)")
    }

    @Test("a request with any bytes is answered as the general reader answers it, or refused as that refuses it")
    func damagedRequests() throws {
        var random = SeededRandom.printed("ServingReadTests/damagedRequests")
        var (answered, refused) = (0, 0)
        for _ in 0..<4 {
            let world = try RandomWorld(&random)
            try world.change(&random)
            for _ in 0..<25 { try world.damage(&random, answered: &answered, refused: &refused) }
        }
        #expect(answered > 100 && refused > 100)
    }

    /// What has been compared.
    struct Seen {
        var values = 0
        var nulls = 0
        var eventTimes = 0
        var ages = 0
        var largestRequest = 0
        var nullKeys = 0
        /// Requests that were answered from the cache of latest rows alone, and refused because they could not be.
        var fromCache = 0
        var refused = 0
        var types: Set<String> = []
    }
}

/// A store with random views of several entities, and one service over all of them.
private final class RandomWorld {
    struct View {
        let name: String
        let entity: String
        let keys: [String]
        let ttl: Int64?
        var features: [(name: String, type: FeatureType)]
        let selected: [String]
    }

    /// Where a version is within a view.
    private struct Place: Hashable {
        let key: EntityKey
        let time: Timestamp
    }

    private static let keyTypes: [(name: String, type: KeyType)] = [
        ("number", .int64), ("text", .string), ("raw", .bytes), ("flag", .bool),
    ]
    private static let entities = [["number"], ["text"], ["raw"], ["flag"], ["text", "number"], ["flag", "raw", "number"]]
    private static let hour: Int64 = 3_600_000_000

    let clock = SettableClock(Timestamp(microseconds: 1_800_000_000_000_000))
    private let scratch: ScratchDirectory
    private let store: Store
    private let core: ServerCore
    private var views: [View] = []
    private let isCached: Bool
    /// Prepared readers live from request to request, as on an event loop.
    private var kept: PreparedReader?

    init(_ random: inout SeededRandom) throws {
        for index in 0..<(1 + random.below(4)) {
            let keys = random.pick(RandomWorld.entities)
            let eightWide = random.chance(1, 3)
            var features: [(name: String, type: FeatureType)] = []
            for number in 0...random.below(7) {
                let eight: FeatureType = random.pick([.float64, .int64, .timestamp])
                features.append(("f\(number)", eightWide ? eight : random.featureType()))
            }
            var selected = features.map(\.name).filter { _ in random.chance(3, 4) }
            if selected.isEmpty { selected = [features[0].name] }
            views.append(
                View(
                    name: "v\(index)", entity: keys.joined(separator: "_"), keys: keys,
                    ttl: random.chance(1, 2) ? Int64(1 + random.below(5)) : nil, features: features, selected: selected))
        }
        scratch = try ScratchDirectory()
        var options = clock.options
        isCached = random.chance(3, 4)
        options.latestCacheBytes = isCached ? 64 << 20 : random.pick([0, 64 << 10])
        store = try Store(at: scratch.path("store"), options: options)
        core = ServerCore(
            store, ServerConfiguration(), AccessControl(), ServerMetrics(),
            Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try store.define(yaml)
    }

    deinit { for pool in core.pools { pool.close() } }

    private var yaml: String {
        var text = "entities:\n"
        for keys in RandomWorld.entities {
            let list = keys.map { name in
                let type = RandomWorld.keyTypes.first { $0.name == name }?.type ?? .int64
                return "{ name: \(name), type: \(type.rawValue) }"
            }
            text += "  - { name: \(keys.joined(separator: "_")), join_keys: [\(list.joined(separator: ", "))] }\n"
        }
        text += "views:\n"
        for view in views {
            text += "  - name: \(view.name)\n    entity: \(view.entity)\n"
            if let ttl = view.ttl { text += "    ttl: \(ttl)h\n" }
            text += "    features:\n"
            for (name, type) in view.features { text += "      - { name: \(name), type: \"\(type.name)\" }\n" }
        }
        text += "services:\n  - name: all\n    features:\n"
        for view in views {
            text += "      - { view: \(view.name), select: [\(view.selected.joined(separator: ", "))], prefix: \"\(view.name)_\" }\n"
        }
        return text
    }

    // MARK: Keys

    /// Few values of each, so that rows, deletions and requests meet; some that no row has.
    private static func key(_ name: String, _ random: inout SeededRandom, isNarrow: Bool = false) -> KeyValue {
        switch name {
        case "number": .int64(random.pick(isNarrow ? [0, 1, -1, 7, 300, -70_000] : [0, 1, -1, 7, 300, -70_000, 1 << 40, .min]))
        case "text": .string(random.pick(["", "a", "a\0b", "\u{FFFF}é", String(repeating: "long ", count: 30)]))
        case "raw": .bytes(random.pick([[], [0], [0, 255, 0], [255, 255], Array(repeating: 0, count: 40)]))
        default: .bool(random.chance(1, 2))
        }
    }

    private static func column(_ type: FeatureType, _ keys: [KeyValue?]) throws -> Column {
        try Store.column(
            type,
            keys.map { key in
                switch key {
                case .int64(let number): type == .int32 ? .int32(Int32(number)) : .int64(number)
                case .string(let text): .string(text)
                case .bytes(let raw): .bytes(raw)
                case .bool(let flag): .bool(flag)
                case nil: .null
                }
            })
    }

    // MARK: Changes

    private func value(_ type: FeatureType, _ random: inout SeededRandom) -> Value {
        func time() -> Value { .timestamp(Timestamp(microseconds: clock.now.microseconds - Int64(random.below(1 << 40)))) }
        return switch type {
        case .scalar(.timestamp): time()
        case .list(.timestamp): .list((0..<random.below(4)).map { _ in time() })
        default: random.value(type)
        }
    }

    func change(_ random: inout SeededRandom) throws {
        for view in views {
            for _ in 0..<(1 + random.below(2)) {
                var backfill: Backfill?
                if random.chance(1, 6) { backfill = try store.backfill(view.name) }
                let batch = try store.batch(view.name)
                var taken: Set<Place> = []
                for _ in 0..<random.below(40) { try append(view, to: try backfill?.rows() ?? batch, &taken, &random) }
                if let backfill { _ = try backfill.publish() } else if batch.count > 0 { try store.write(batch) }
            }
            if random.chance(1, 8) { try store.compact(view.name) }
        }
        if random.chance(1, 5) { try widen() }
        if random.chance(1, 6) {
            let keys = random.pick(RandomWorld.entities)
            _ = try store.erase(keys.joined(separator: "_"), try EntityKey(keys.map { RandomWorld.key($0, &random) }))
        }
        // Rows of the future come due, and others grow too old.
        clock.now = Timestamp(microseconds: clock.now.microseconds + Int64(random.below(Int(2 * RandomWorld.hour))))
    }

    private func append(_ view: View, to batch: RowBatch, _ taken: inout Set<Place>, _ random: inout SeededRandom) throws {
        let key = try EntityKey(view.keys.map { RandomWorld.key($0, &random) })
        let hour = RandomWorld.hour
        let offset = random.pick([-Int64(random.below(Int(6 * hour))), -Int64(random.below(Int(hour))), Int64(random.below(Int(2 * hour)))])
        let time = Timestamp(microseconds: clock.now.microseconds + offset)
        // What a batch makes of several at one time is another test's.
        guard taken.insert(Place(key: key, time: time)).inserted else { return }
        let available: Timestamp? =
            random.chance(1, 5) ? Timestamp(microseconds: clock.now.microseconds + Int64(random.below(Int(hour)))) : nil
        switch random.below(10) {
        case 0: try batch.appendDeletion(key, at: time, availableAt: available)
        case 1: try batch.appendRetraction(key, at: time, availableAt: available)
        default:
            let isDense = random.chance(1, 2)
            var values: [String: Value] = [:]
            for (name, type) in view.features where isDense || random.chance(2, 3) {
                values[name] = !isDense && random.chance(1, 5) ? .null : value(type, &random)
            }
            try batch.append(key, at: time, availableAt: available, values)
        }
    }

    /// Widens one feature that can be.
    private func widen() throws {
        for at in views.indices {
            for feature in views[at].features.indices {
                switch views[at].features[feature].type {
                case .scalar(.int32): views[at].features[feature].type = .int64
                case .scalar(.float32): views[at].features[feature].type = .float64
                default: continue
                }
                return try store.define(yaml)
            }
        }
    }

    // MARK: Requests

    private struct Request {
        let question: PreparedQuestion
        let keys: [(name: String, type: FeatureType, values: [KeyValue?])]
        let entities: ColumnBatch
        let frame: Frame
    }

    private func request(_ random: inout SeededRandom) throws -> Request {
        let rows = random.pick([0, 1, 1, 1, 2, 9, 64, 130, 130, random.chance(1, 3) ? 3_000 : 17])
        let needed = Set(views.flatMap(\.keys))
        var keys: [(name: String, type: FeatureType, values: [KeyValue?])] = []
        for name in needed.sorted().shuffled(using: &random) {
            let isNarrow = name == "number" && random.chance(1, 3)
            let type: FeatureType =
                switch name {
                case "number": isNarrow ? .int32 : .int64
                case "text": .string
                case "raw": .bytes
                default: .bool
                }
            let hasNulls = random.chance(1, 3)
            keys.append(
                (
                    name, type,
                    (0..<rows).map { _ in
                        hasNulls && random.chance(1, 8) ? nil : RandomWorld.key(name, &random, isNarrow: isNarrow)
                    }
                ))
        }
        let entities = ColumnBatch(
            names: keys.map(\.name), columns: try keys.map { try RandomWorld.column($0.type, $0.values) }, count: rows)
        let question = try PreparedQuestion(
            OnlineQuestion(.service("all"), keys: BatchSchema(of: entities), eventTimes: random.chance(1, 2), ages: random.chance(1, 2)))
        let bytes = try RawClient.bytes(OnlineRead(timeout: nil, knownSchema: 0, question: question, entities: entities), id: 5)
        return Request(question: question, keys: keys, entities: entities, frame: try RandomWorld.frame(bytes, from: .client))
    }

    private static func frame(_ bytes: [UInt8], from side: FrameDecoder.Peer) throws -> Frame {
        var decoder = FrameDecoder(from: side, maximumPayloadBytes: WireLimits.payloadBytes)
        decoder.feed(ByteBuffer(bytes: bytes))
        return try #require(try decoder.next())
    }

    // MARK: Comparison

    func compare(_ random: inout SeededRandom, _ seen: inout ServingReadTests.Seen) throws {
        let request = try request(&random)
        let question = request.question.question
        let now = store.now
        // The reader of the last request where it asks the same, as a session has it.
        let reader: PreparedReader
        if let kept, kept.question.isAsked(by: request.frame), !kept.isOld {
            reader = kept
        } else {
            reader = try PreparedReader(core, request.question)
            kept = reader
        }
        // Whoever reads first finds what the last changes have left in the cache.
        let before = random.chance(1, 2) ? try general(question, request.entities, at: now) : nil

        // From the cache alone, if it can; then whatever it takes; then from what that has left in the cache.
        var answers: [[UInt8]] = []
        for mostStoreReads in [0, .max, 0, .max] {
            var writer = FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes)
            #expect(try reader.take(request.frame) == request.entities.count)
            if try reader.answer(request.frame, into: &writer, mostStoreReads: mostStoreReads) {
                answers.append(Array(writer.buffer.readableBytesView))
                if mostStoreReads == 0 { seen.fromCache += 1 }
            } else {
                #expect(mostStoreReads == 0 && writer.buffer.readableBytes == 0)
                seen.refused += 1
            }
        }
        // What has been read is in the cache.
        #expect(answers.count >= (isCached || request.entities.count == 0 ? 3 : 2))
        let bytes = try RawClient.bytes(try before ?? general(question, request.entities, at: now), id: 5)
        for answer in answers { #expect(answer == bytes, "of \(request.entities.count) entities: \(yaml)") }

        let answer = try OnlineAnswer(decoding: try RandomWorld.frame(answers[0], from: .server))
        #expect(answer.time == now)
        try checkAgainstJoin(request, answer.features, &seen)
        try checkAgainstHistory(request, answer.features, at: now, &seen)
        seen.largestRequest = max(seen.largestRequest, request.entities.count)
        seen.nullKeys += request.keys.reduce(0) { $0 + $1.values.count { $0 == nil } }
    }

    /// Asks with a request of which some bytes are others.
    func damage(_ random: inout SeededRandom, answered: inout Int, refused: inout Int) throws {
        let request = try request(&random)
        let reader = try PreparedReader(core, request.question)
        let whole = Array(request.frame.payload.readableBytesView)
        // Behind the timeout, the known schema and the question.
        let start = 16 + request.question.bytes.readableBytes
        guard start < whole.count else { return }
        for _ in 0..<20 {
            var bytes = whole
            for _ in 0..<1 + random.below(3) {
                let at = start + random.below(bytes.count - start)
                bytes[at] = random.pick([0, 1, 0x7F, 0x80, 0xFF, bytes[at] ^ 1 << UInt8(random.below(8))])
            }
            if random.chance(1, 10) { bytes.removeLast(random.below(bytes.count - start)) }
            let frame = Frame(
                kindCode: request.frame.kindCode, isCompressed: false, requestID: 5, payload: ByteBuffer(bytes: bytes))
            let now = store.now
            let expected = Result<[UInt8], any Error> {
                let read = try OnlineRead(decoding: frame, asking: request.question)
                return try RawClient.bytes(try general(request.question.question, read.entities, at: now), id: 5)
            }
            let actual = Result<[UInt8], any Error> {
                var writer = FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes)
                _ = try reader.take(frame)
                #expect(try reader.answer(frame, into: &writer))
                return Array(writer.buffer.readableBytesView)
            }
            switch (expected, actual) {
            case (.success(let one), .success(let other)):
                #expect(one == other)
                answered += 1
            case (.failure(let one as WhenceError), .failure(let other as WhenceError)):
                #expect(one == other)
                refused += 1
            default: Issue.record("\(expected), and by the server \(actual)")
            }
        }
    }

    /// The answer by way of the engine's general reader and the protocol's general message.
    private func general(_ question: OnlineQuestion, _ entities: ColumnBatch, at now: Timestamp) throws -> OnlineAnswer {
        let service = try store.catalog.resolve(question.selection)
        let read = try store.onlineReader(service, capacity: 10_000, withEventTimes: true).read(entities, at: now)
        var columns: [(name: String, column: Column)] = []
        for (name, column) in zip(read.names, read.columns) {
            guard name.hasSuffix(".event_time") else {
                columns.append((name, column))
                continue
            }
            if question.eventTimes { columns.append((name, column)) }
            guard question.ages else { continue }
            let ages = (0..<column.count).map { row -> Value in
                guard case .timestamp(let time) = column.value(row) else { return .null }
                return .int64(now.microseconds - time.microseconds)
            }
            columns.append((name.replacing(".event_time", with: ".age"), try Store.column(.int64, ages)))
        }
        let schema = BatchSchema(names: columns.map(\.name), types: columns.map(\.column.type))
        return OnlineAnswer(
            time: now, schema: try IdentifiedSchema(schema), sendsSchema: true,
            features: ColumnBatch(names: columns.map(\.name), columns: columns.map(\.column), count: entities.count))
    }

    private func checkAgainstJoin(_ request: Request, _ features: ColumnBatch, _ seen: inout ServingReadTests.Seen) throws {
        let count = request.entities.count
        guard count > 0 else { return }
        let now = try Store.column(.timestamp, Array(repeating: .timestamp(store.now), count: count))
        let spine = ColumnBatch(names: request.entities.names + ["T"], columns: request.entities.columns + [now], count: count)
        let service = try store.catalog.resolve(request.question.question.selection)
        var join = try store.join(
            WhenceEngine.JoinRequest(service: service, eventTimeColumn: "T", asServed: true), spine: RowsSpine([spine]))
        let joined = try #require(try join.next())
        for name in joined.names.dropFirst(spine.names.count) {
            let column = try #require(joined.column(named: name))
            let answer = try #require(features.column(named: name))
            #expect(column.type == answer.type)
            seen.types.insert(column.type.name.filter { !$0.isNumber || !column.type.name.hasPrefix("vector") })
            for row in 0..<count {
                let value = answer.value(row)
                #expect(value.isIdentical(to: column.value(row)), "\(name), row \(row): \(value), and by the join \(column.value(row))")
                if value == .null { seen.nulls += 1 } else { seen.values += 1 }
            }
        }
    }

    private func checkAgainstHistory(
        _ request: Request, _ features: ColumnBatch, at now: Timestamp, _ seen: inout ServingReadTests.Seen
    ) throws {
        for view in views {
            let times = features.column(named: "\(view.name).event_time")
            let ages = features.column(named: "\(view.name).age")
            #expect((times != nil) == request.question.question.eventTimes)
            #expect((ages != nil) == request.question.question.ages)
            for row in 0..<min(100, request.entities.count) {
                let key = view.keys.map { name in request.keys.first { $0.name == name }?.values[row] }
                let whole = key.compactMap { $0 ?? nil }
                var (time, age) = (Value.null, Value.null)
                if whole.count == key.count, let found = try eventTime(view, try EntityKey(whole), at: now) {
                    (time, age) = (.timestamp(found), .int64(now.microseconds - found.microseconds))
                }
                if let times {
                    #expect(times.value(row) == time)
                    seen.eventTimes += 1
                }
                if let ages {
                    #expect(ages.value(row) == age)
                    seen.ages += 1
                }
            }
        }
    }

    /// The event time of the newest version that gives a value: the definition, as plainly as can be.
    private func eventTime(_ view: View, _ key: EntityKey, at now: Timestamp) throws -> Timestamp? {
        var retracted: Timestamp?
        for version in try store.history(view.name, key) {
            if let ttl = view.ttl, now.microseconds - version.eventTime.microseconds > ttl * RandomWorld.hour { return nil }
            if version.eventTime > now || version.availabilityTime > now || version.eventTime == retracted { continue }
            switch version.kind {
            case .deletion: return nil
            case .retraction: retracted = version.eventTime
            case .row: if version.values.contains(where: { view.selected.contains($0.name) }) { return version.eventTime }
            }
        }
        return nil
    }
}
