import NIOCore
import RandomFixtures
import Testing

@testable import WhenceCore
@testable import WhenceProtocol

/// Every message of the page, in bytes that another implementation made from the page.
@Suite struct GoldenVectorTests {
    @Test func checksumsAreThoseOfTheVectors() throws {
        for sum in try GoldenVectors.read().checksums {
            let bytes = ByteBuffer(bytes: [UInt8](hex: sum.hex))
            #expect(Checksum.crc32c(bytes.readableBytesSpan) == sum.crc32c)
            #expect(Checksum.crc32cByTables(bytes.readableBytesSpan) == sum.crc32c)
        }
    }

    @Test func everyKindIsThere() throws {
        let codes = Set(try GoldenVectors.read().messages.map(\.code))
        #expect(codes == Set(MessageKind.allCases.map(\.rawValue)))
    }

    @Test func messagesAreTheBytesOfTheVectors() throws {
        for entry in try GoldenVectors.read().messages {
            let bytes = [UInt8](hex: entry.hex)
            let frame = try GoldenVectorTests.frame(bytes, from: entry.code & 0x80 == 0 ? .client : .server)
            #expect(frame.kindCode == entry.code && frame.requestID == entry.request, "\(entry.name)")
            var (made, read) = (
                FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes), FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes)
            )
            try GoldenVectorTests.write(entry, frame, made: &made, read: &read)
            // What is compressed may be so in many ways: there the payload within counts.
            if frame.isCompressed { continue }
            #expect(Array(made.buffer.readableBytesView) == bytes, "\(entry.name), written from its fields")
            #expect(Array(read.buffer.readableBytesView) == bytes, "\(entry.name), read and written again")
        }
    }

    @Test func brokenFramesAreRefused() throws {
        for entry in try GoldenVectors.read().refused {
            let error = #expect(throws: WhenceError.self, "\(entry.name)") {
                let frame = try GoldenVectorTests.frame([UInt8](hex: entry.hex), from: entry.from == "client" ? .client : .server)
                if let schema = try entry.schema?.schema, frame.kind?.mayBeCompressed == true {
                    _ = try frame.rows(of: schema)
                } else {
                    try AnyMessage.read(frame)
                }
            }
            #expect(error?.code == .protocolViolation, "\(entry.name)")
        }
    }

    static func frame(_ bytes: [UInt8], from peer: FrameDecoder.Peer) throws -> Frame {
        var decoder = FrameDecoder(from: peer, maximumPayloadBytes: WireLimits.payloadBytes)
        decoder.feed(ByteBuffer(bytes: bytes))
        return try #require(try decoder.next())
    }

    /// Writes the message made from the entry's fields into `made`, and the one read from `frame` into `read`.
    private static func write(
        _ entry: GoldenVectors.File.Entry, _ frame: Frame, made: inout FrameWriter, read: inout FrameWriter
    ) throws {
        let id = entry.request
        let fields = entry.fields
        switch frame.kind {
        case .rows?, .uploadRows?:
            let kind = try #require(frame.kind)
            let batch = try fields.batch
            let readBatch = try frame.rows(of: BatchSchema(of: batch))
            #expect(readBatch.isIdentical(to: batch), "\(entry.name)")
            try made.writeRows(batch, as: kind, requestID: id)
            try read.writeRows(readBatch, as: kind, requestID: id)
        case .onlineAnswer?:
            let schema = try IdentifiedSchema(fields["schema"].schema)
            #expect(try schema.id == fields.schema_id.number())
            let answer = OnlineAnswer(
                time: try fields.time.asTime, schema: schema, sendsSchema: try fields.sends_schema.bool, features: try fields.batch)
            try made.write(answer, requestID: id)
            try read.write(OnlineAnswer(decoding: frame, knowing: answer.sendsSchema ? nil : schema), requestID: id)
        default:
            let message = try AnyMessage.make(entry)
            try AnyMessage.write(message, frame, made: &made, read: &read)
        }
    }
}

/// What is done with messages of any kind.
enum AnyMessage {
    /// Reads the message of a frame whose payload stands for itself; throws for one of no known kind.
    static func read(_ frame: Frame) throws {
        guard let kind = frame.kind, let type = type(of: kind) else {
            throw WhenceError(.invalidArgument, "a message of kind \(frame.kindCode) does not stand for itself")
        }
        try read(frame, as: type)
    }

    private static func read<M: Message>(_ frame: Frame, as _: M.Type) throws { _ = try M(decoding: frame) }

    static func write<M: Message>(_ message: M, _ frame: Frame, made: inout FrameWriter, read: inout FrameWriter) throws {
        try made.write(message, requestID: frame.requestID)
        var buffer = read.buffer
        try M(decoding: frame).append(to: &buffer, requestID: frame.requestID, maximumPayloadBytes: WireLimits.payloadBytes)
        read.buffer = buffer
    }

    static func type(of kind: MessageKind) -> (any Message.Type)? {
        switch kind {
        case .hello: Hello.self
        case .authenticate: Authenticate.self
        case .ping: Ping.self
        case .cancel: Cancel.self
        case .credit: CreditGrant.self
        case .uploadRows, .rows: nil
        case .uploadEnd: UploadEnd.self
        case .plan: PlanRequest.self
        case .apply: ApplyRequest.self
        case .catalogList: CatalogListRequest.self
        case .catalogShow: CatalogShowRequest.self
        case .describe: DescribeRequest.self
        case .definitions: DefinitionsRequest.self
        case .write: WriteRequest.self
        case .onlineRead: OnlineRead.self
        case .history: HistoryRequest.self
        case .scan: ScanRequest.self
        case .join: JoinRequest.self
        case .backfill: BackfillRequest.self
        case .stats: StatsRequest.self
        case .compact: CompactRequest.self
        case .retain: RetainRequest.self
        case .erase: EraseRequest.self
        case .welcome: Welcome.self
        case .challenge: Challenge.self
        case .authenticated: Authenticated.self
        case .pong: Pong.self
        case .draining: Draining.self
        case .error: Failure.self
        case .document: Document.self
        case .committed: Committed.self
        case .onlineAnswer: OnlineAnswer.self
        case .schema: StreamSchema.self
        case .end: StreamEnd.self
        case .uploadCredit: UploadCreditGrant.self
        case .progress: WorkProgress.self
        }
    }

    private static func definitions(_ f: Fields) throws -> [DefinitionText] {
        try f.files.items.map { DefinitionText(name: try $0["name"].string, yaml: try $0.yaml.string) }
    }

    private static func source(_ f: Fields) throws -> JoinSource {
        switch try f.kind.string {
        case "rows": .rows(try f["schema"].schema)
        case "entities":
            .entities(
                view: try f.view.string, instants: try f.instants.items.map { try $0.asTime }, from: try f.from.asTime, to: try f.to.asTime)
        default: .versions(view: try f.view.string, knownAt: try f.known_at.optionalTime, from: try f.from.asTime, to: try f.to.asTime)
        }
    }

    private static func part(_ f: Fields) throws -> WritePart {
        let actions: [String: WriteAction] = ["rows": .rows, "deletions": .deletions, "retractions": .retractions]
        return WritePart(
            view: try f.view.string, action: try #require(actions[try f.action.string]), missingIsNull: try f.missing_is_null.bool,
            eventTime: try f.event_time.string, availabilityTime: try f.availability_time.string, rows: try f.batch)
    }

    /// The message that the entry's fields describe.
    static func make(_ entry: GoldenVectors.File.Entry) throws -> any Message {
        let f = entry.fields
        switch entry.kind {
        case "hello":
            return Hello(
                lowestVersion: try f.lowest.number(), highestVersion: try f.highest.number(),
                maximumPayloadBytes: try f.longest_payload.number(), client: try f.client.string)
        case "welcome":
            return Welcome(
                version: try f.version.number(), maximumPayloadBytes: try f.longest_payload.number(),
                openRequests: try f.open_requests.number(), uploadCredit: try f.upload_credit.number(), server: try f.server.string,
                mechanisms: try f.mechanisms.strings)
        case "authenticate": return Authenticate(mechanism: try f.mechanism.string, data: try f.data.bytes)
        case "challenge": return Challenge(data: try f.data.bytes)
        case "authenticated": return Authenticated(user: try f.user.string, roles: try f.roles.strings, data: try f.data.bytes)
        case "ping":

            return Ping(timeout: try f.timeout.asTimeout)
        case "pong": return Pong(time: try f.time.asTime)
        case "cancel": return Cancel()
        case "credit": return CreditGrant(bytes: try f["bytes"].number())
        case "upload credit": return UploadCreditGrant(bytes: try f["bytes"].number())
        case "upload end": return UploadEnd(rows: try f.rows.number())
        case "end": return StreamEnd(rows: try f.rows.number())
        case "plan": return PlanRequest(timeout: try f.timeout.asTimeout, files: try definitions(f))
        case "apply":
            return ApplyRequest(
                timeout: try f.timeout.asTimeout, files: try definitions(f), baseVersion: try f.base_version.optionalNumber())
        case "definitions": return DefinitionsRequest(timeout: try f.timeout.asTimeout)
        case "catalog list": return CatalogListRequest(timeout: try f.timeout.asTimeout)
        case "catalog show":
            return CatalogShowRequest(
                timeout: try f.timeout.asTimeout, definitionKind: try f.kind.string, name: try f["name"].string,
                version: try f.version.number())
        case "describe": return DescribeRequest(timeout: try f.timeout.asTimeout, selection: try f.selection)
        case "write":
            return WriteRequest(
                timeout: try f.timeout.asTimeout, idempotencyKey: try f.idempotency_key.bytes, parts: try f.parts.items.map { try part($0) }
            )
        case "committed":
            return Committed(commitTime: try f.commit_time.asTime, isRepeat: try f.is_repeat.bool, rows: try f.rows.number())
        case "online read":
            let question = OnlineQuestion(
                try f.selection, keys: try f["schema"].schema, eventTimes: try f.event_times.bool, ages: try f.ages.bool)
            return OnlineRead(
                timeout: try f.timeout.asTimeout, knownSchema: try f.known_schema.number(), question: try PreparedQuestion(question),
                entities: try f.batch)
        case "history":
            return HistoryRequest(
                timeout: try f.timeout.asTimeout, options: try f.options, view: try f.view.string, knownAt: try f.known_at.optionalTime,
                entity: try f.batch)
        case "scan":
            return ScanRequest(
                timeout: try f.timeout.asTimeout, options: try f.options, view: try f.view.string, features: try f.features.strings,
                knownAt: try f.known_at.optionalTime, from: try f.from.asTime, to: try f.to.asTime, eventTime: try f.event_time.string,
                firstKey: try f.first_key.optionalBatch, lastKey: try f.last_key.optionalBatch)
        case "join":
            return JoinRequest(
                timeout: try f.timeout.asTimeout, options: try f.options, selection: try f.selection, eventTime: try f.event_time.string,
                knownAt: try f.known_at.optionalTime, asServed: try f.as_served.bool, memoryBytes: try f.memory.number(),
                source: try source(f.source))
        case "backfill":
            return BackfillRequest(
                timeout: try f.timeout.asTimeout, view: try f.view.string, missingIsNull: try f.missing_is_null.bool,
                eventTime: try f.event_time.string, availabilityTime: try f.availability_time.string, schema: try f["schema"].schema)
        case "stats": return StatsRequest(timeout: try f.timeout.asTimeout)
        case "compact": return CompactRequest(timeout: try f.timeout.asTimeout, view: try f.view.string)
        case "retain":
            return RetainRequest(
                timeout: try f.timeout.asTimeout, views: try f.views.strings, horizon: try f.horizon.optionalTime,
                dryRun: try f.dry_run.bool)
        case "erase":
            return EraseRequest(
                timeout: try f.timeout.asTimeout, entity: try f.entity.string, dryRun: try f.dry_run.bool, keys: try f.batch)
        case "draining": return Draining(milliseconds: try f.milliseconds.number())
        case "error":
            return Failure(
                code: try f.code.number(), isRetryable: try f.retryable.bool, retryMilliseconds: try f.retry_milliseconds.number(),
                message: try f.message.string, place: try f.place.string, hint: try f.hint.string)
        case "document": return Document(json: try f.json.string)
        case "schema": return StreamSchema(knownAt: try f.known_at.optionalTime, schema: try f["schema"].schema)
        case "progress": return WorkProgress(done: try f.done.number(), total: try f.total.number(), unit: try f.unit.string)
        default: throw Fields.Unexpected(what: entry.kind)
        }
    }
}
