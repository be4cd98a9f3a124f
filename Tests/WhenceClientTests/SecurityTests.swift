import Foundation
import StoreFixtures
import Testing
import WhenceClient
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

/// Who may connect to a guarded server, and how.
@Suite(.timeLimit(.minutes(2))) struct SecurityTests {
    private func refusal(_ configuration: ClientConfiguration) async -> WhenceError? {
        do throws(WhenceError) {
            await (try WhenceClient.connect(configuration)).close()
            return nil
        } catch {
            return error
        }
    }

    @Test func passwordsAndTokensOpenASession() async throws {
        let guarded = try await GuardedServer()
        let ann = try await WhenceClient.connect(guarded.configuration(.password(user: "ann", password: GuardedServer.password)))
        #expect(try await ann.identity() == ("ann", ["reader"]))
        let app = try await WhenceClient.connect(guarded.configuration(.token(guarded.token)))
        #expect(try await app.identity().user == "app")
        let files = [DefinitionText(name: "trips.yaml", yaml: RunningServer.yaml)]
        // A reader does not define.
        let error = await #expect(throws: WhenceError.self) { try await ann.apply(files) }
        #expect(error?.code == .notAllowed && error?.isRetryable == false)
        _ = try await app.apply(files)
        _ = try await app.write([Tables.part(Tables.trips(0..<3))])
        let answer = try await ann.get(.service("dispatch"), Tables.drivers([2]))
        #expect([answer.features].values("count") == [.int64(2)])
        await ann.close()
        await app.close()
        await guarded.running.server.shutDown()
    }

    @Test func wrongCredentialsAreRefusedAlike() async throws {
        let guarded = try await GuardedServer()
        let wrong: [Credentials] = [
            .password(user: "ann", password: "wrong password"), .password(user: "nobody", password: GuardedServer.password),
            .token("not a token"),
        ]
        for credentials in wrong {
            let error = await refusal(guarded.configuration(credentials))
            #expect(error?.code == .notAuthenticated && error?.isRetryable == false)
        }
        await guarded.running.server.shutDown()
    }

    @Test func afterManyWrongPasswordsALoginWaits() async throws {
        let guarded = try await GuardedServer(throttle: LoginThrottle(failures: 2, within: .seconds(3_600)))
        let wrong = guarded.configuration(.password(user: "ann", password: "wrong password"))
        let right = guarded.configuration(.password(user: "ann", password: GuardedServer.password))
        #expect(await refusal(right) == nil)
        for _ in 0..<2 { #expect(await refusal(wrong)?.retryAfter == nil) }
        let error = await refusal(right)
        #expect(error?.code == .notAuthenticated && error?.isRetryable == true)
        #expect(error?.retryAfter.map { $0 > .seconds(60) && $0 <= .seconds(1_801) } == true)
        #expect(await refusal(guarded.configuration(.token(guarded.token))) == nil)
        await guarded.running.server.shutDown()
    }

    @Test func aReaderThatWritesIsRefusedAndRecorded() async throws {
        let guarded = try await GuardedServer()
        let app = try await WhenceClient.connect(guarded.configuration(.token(guarded.token)))
        _ = try await app.apply([DefinitionText(name: "trips.yaml", yaml: RunningServer.yaml)])
        let ann = try await WhenceClient.connect(guarded.configuration(.password(user: "ann", password: GuardedServer.password)))
        let rows = try Tables.trips(0..<3)
        var messages: Set<String> = []
        for view in ["trips", "salaries"] {
            let error = await #expect(throws: WhenceError.self) { try await ann.write([Tables.part(rows, view)]) }
            #expect(error?.code == .notAllowed && error?.isRetryable == false)
            messages.insert("\(error.map { "\($0)" } ?? "")".replacing(view, with: "VIEW"))
        }
        // The same words for a view that is there and one that is not.
        #expect(messages.count == 1)
        let bulk = AsyncStream<ColumnBatch> { continuation in
            continuation.yield(rows)
            continuation.finish()
        }
        let error = await #expect(throws: WhenceError.self) {
            try await ann.backfill("trips", schema: BatchSchema(of: rows), bulk, eventTime: "event_time")
        }
        #expect(error?.code == .notAllowed)
        #expect(guarded.running.store.freshness().isEmpty)
        let audit = try String(contentsOfFile: guarded.running.scratch.path("audit.jsonl"), encoding: .utf8)
        let refusals = audit.split(separator: "\n").filter { $0.contains("grant_refused") && $0.contains("\"user\":\"ann\"") }
        #expect(refusals.count == 3)
        await ann.close()
        await app.close()
        await guarded.running.server.shutDown()
    }

    @Test func aServerIsTakenForNoOther() async throws {
        let guarded = try await GuardedServer(name: "elsewhere")
        let token = Credentials.token(guarded.token)
        #expect(await refusal(guarded.configuration(token, name: "elsewhere")) == nil)
        let error = await refusal(guarded.configuration(token))
        #expect(error?.code == .connectionLost && error?.isRetryable == false && error?.message.contains("TLS") == true)
        // A certificate that somebody else signed.
        var foreign = guarded.configuration(token, name: "elsewhere")
        foreign.tls?.trustedCertificates = nil
        #expect(await refusal(foreign)?.isRetryable == false)
        // No TLS at all towards a server that speaks nothing else.
        var plain = guarded.configuration(token)
        plain.tls = nil
        let spoken = await refusal(plain)
        #expect(spoken?.code == .connectionLost || spoken?.hint.contains("TLS") == true)
        await guarded.running.server.shutDown()
    }

    @Test func anExpiredCertificateIsNoneAtAll() async throws {
        let guarded = try await GuardedServer(validFor: -3_600)
        let error = await refusal(guarded.configuration(.token(guarded.token)))
        #expect(error?.code == .connectionLost && error?.isRetryable == false)
        await guarded.running.server.shutDown()
    }

    @Test func certificatesOfClientsNameThem() async throws {
        let guarded = try await GuardedServer(mutual: true)
        let scratch = guarded.running.scratch
        try guarded.authority.issue("app", to: scratch.path("app"))
        try TestAuthority().issue("app", to: scratch.path("forged"))
        let client = try await WhenceClient.connect(guarded.configuration(.certificate, certificate: "app"))
        #expect(try await client.identity().user == "app")
        await client.close()
        #expect(await refusal(guarded.configuration(.certificate, certificate: "forged"))?.code == .connectionLost)
        #expect(await refusal(guarded.configuration(.certificate))?.code == .connectionLost)
        await guarded.running.server.shutDown()
    }

    @Test func filesThatAreNoneAreNamed() async throws {
        var configuration = ClientConfiguration(host: "localhost", port: 1)
        configuration.tls = ClientTLS(trustedCertificates: "/nowhere/ca.pem")
        let error = await refusal(configuration)
        #expect(error?.code == .invalidArgument && error?.place == "/nowhere/ca.pem")
        configuration.tls = ClientTLS(certificate: "/nowhere/own.pem")
        #expect(await refusal(configuration)?.code == .invalidArgument)
    }
}
