import CertificateFixtures
import Foundation
import NIOSSL
import StoreFixtures
import Testing
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

/// A real server behind TLS, over real sockets.
@Suite("A guarded server", .timeLimit(.minutes(2))) struct GuardedServerTests {
    /// A server with users and TLS, and what a client needs for it.
    private final class Guarded {
        let users: GuardedAccess
        let authority: CertificateMaker
        let tls: ServerTLS
        let server: TestServer
        let files: TLSConfigurationFiles

        init(
            certificate: (CertificateMaker) throws -> (certificate: String, key: String) = { try $0.issue("localhost") },
            clientAuthority: CertificateMaker? = nil, throttle: LoginThrottle = LoginThrottle()
        ) async throws {
            users = try GuardedAccess(acceptsCertificates: clientAuthority != nil, throttle: throttle)
            authority = try CertificateMaker(authority: "test authority")
            let scratch = users.scratch
            let own = try certificate(authority)
            try own.certificate.write(toFile: scratch.path("server.pem"), atomically: true, encoding: .utf8)
            try own.key.write(toFile: scratch.path("server.key"), atomically: true, encoding: .utf8)
            try clientAuthority?.pem().write(toFile: scratch.path("clients.pem"), atomically: true, encoding: .utf8)
            files = TLSConfigurationFiles(
                certificateChain: scratch.path("server.pem"), privateKey: scratch.path("server.key"),
                clientAuthorities: clientAuthority == nil ? nil : scratch.path("clients.pem"))
            let tls = try ServerTLS(files)
            self.tls = tls
            // Other tests keep the processors busy: nothing here is about how long an opening may take.
            server = try await TestServer({ $0.limits.openingTime = .seconds(100) }, access: users.access, tls: tls)
        }

        func connect(_ hostname: String = "localhost", identity: (certificate: String, key: String)? = nil) async throws -> SecureClient {
            try await SecureClient(port: server.port, trusting: authority.pem(), hostname: hostname, identity: identity)
        }

        func end() async { await server.server.shutDown() }
    }

    private static func login(_ client: SecureClient, _ user: String, _ password: String) async throws -> Authenticated {
        let scram = ScramClient(user: user, password: password)
        try await client.send(Authenticate(mechanism: "SCRAM-SHA-256", data: scram.first), id: 0)
        let challenge = try Challenge(decoding: try RawClient.check(try await client.frame()))
        let (message, signature) = try scram.final(challenge.data)
        try await client.send(Authenticate(mechanism: "SCRAM-SHA-256", data: message), id: 0)
        let authenticated = try Authenticated(decoding: try RawClient.check(try await client.frame()))
        #expect(authenticated.data == Array(signature.utf8))
        return authenticated
    }

    private static func code(_ body: () async throws -> Void) async -> WhenceError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? WhenceError ?? WhenceError(.internalError, "\(type(of: error))")
        }
    }

    @Test("password over TLS: a reader reads, and a write is refused, counted, recorded, and tells nothing") func reader() async throws {
        let guarded = try await Guarded()
        let client = try await guarded.connect()
        let welcome = try await client.open()
        #expect(welcome.mechanisms == ["SCRAM-SHA-256", "BEARER"])
        let authenticated = try await Self.login(client, "eta", GuardedAccess.password)
        #expect(authenticated.user == "eta" && authenticated.roles == ["reader"])
        try await client.send(Tables.write(Tables.trips(0..<3)), id: 1)
        let refused = await Self.code { _ = try RawClient.check(try await client.frame()) }
        #expect(refused?.code == .notAllowed && refused?.isRetryable == false)
        // The view is the one asked for; nothing of another one is named, nor whether it exists.
        try await client.send(Tables.write(Tables.trips(0..<3), view: "salaries"), id: 2)
        let unknown = await Self.code { _ = try RawClient.check(try await client.frame()) }
        #expect(unknown?.code == .notAllowed)
        #expect(refused?.message.replacing("trips", with: "X") == unknown?.message.replacing("salaries", with: "X"))
        #expect(guarded.server.metrics.counts(of: .write).codes[WhenceError.Code.notAllowed.rawValue] == 2)
        let audit = try guarded.users.audit()
        #expect(
            audit.count == 2 && audit.allSatisfy { $0["event"] == "grant_refused" && $0["user"] == "eta" && $0["operation"] == "write" })
        #expect(guarded.server.store.freshness().isEmpty)
        await client.close()
        await guarded.end()
    }

    @Test("whoever may only write sees the definitions of what they write, and reads nothing") func writer() async throws {
        let guarded = try await Guarded()
        try guarded.users.administration.add("loader", password: GuardedAccess.password, grants: ["writer:trips"])
        try guarded.users.access.reload()
        let client = try await guarded.connect()
        _ = try await client.open()
        #expect(try await Self.login(client, "loader", GuardedAccess.password).roles == ["writer"])
        try await client.send(DescribeRequest(timeout: nil, selection: .features(["trips.*"])), id: 1)
        #expect(try RawClient.check(try await client.frame()).kind == .document)
        try await client.send(DefinitionsRequest(timeout: nil), id: 2)
        #expect(try RawClient.check(try await client.frame()).kind == .document)
        try await client.send(Tables.write(Tables.trips(0..<3)), id: 3)
        #expect(try Committed(decoding: try RawClient.check(try await client.frame())).rows == 3)
        try await client.send(CatalogListRequest(timeout: nil), id: 4)
        #expect(await Self.code { _ = try RawClient.check(try await client.frame()) }?.code == .notAllowed)
        await client.close()
        await guarded.end()
    }

    @Test("a wrong password, an unknown user and a wrong token get the same answer, and the end of the connection")
    func wrongCredentials() async throws {
        let guarded = try await Guarded()
        var answers: [String] = []
        for (user, password) in [("eta", "wrong password"), ("nobody", GuardedAccess.password)] {
            let client = try await guarded.connect()
            _ = try await client.open()
            let error = await Self.code { _ = try await Self.login(client, user, password) }
            answers.append("\(error?.code.rawValue ?? 0) \(error?.description ?? "")")
            await #expect(throws: (any Error).self) { _ = try await client.frame() }
            await client.close()
        }
        let client = try await guarded.connect()
        _ = try await client.open()
        try await client.send(Authenticate(mechanism: "BEARER", data: Array(BearerToken().text.utf8)), id: 0)
        let error = await Self.code { _ = try RawClient.check(try await client.frame()) }
        answers.append("\(error?.code.rawValue ?? 0) \(error?.description ?? "")")
        await client.close()
        #expect(Set(answers).count == 1 && answers[0].hasPrefix("4004 "), "\(answers)")
        #expect(guarded.server.metrics.counts(of: .open).codes[4004] == 3)
        await guarded.end()
    }

    @Test("past a few wrong passwords a login is refused untried, with the time to wait; it is counted, and tokens go on") func throttled()
        async throws
    {
        let guarded = try await Guarded(throttle: LoginThrottle(failures: 3, within: .seconds(3_600)))
        var errors: [WhenceError?] = []
        for password in ["wrong 1", "wrong 2", "wrong 3", GuardedAccess.password] {
            let client = try await guarded.connect()
            _ = try await client.open()
            errors.append(await Self.code { _ = try await Self.login(client, "eta", password) })
            await #expect(throws: (any Error).self) { _ = try await client.frame() }
            await client.close()
        }
        #expect(errors.allSatisfy { $0?.code == .notAuthenticated })
        #expect(errors.map { $0?.isRetryable } == [false, false, false, true])
        #expect(errors.map { $0?.retryAfter != nil } == [false, false, false, true])
        #expect(guarded.server.metrics.shedCounts.first { $0.reason == .loginFailures }?.count == 1)
        #expect(guarded.server.metrics.counts(of: .open).codes[4004] == 4)
        let client = try await guarded.connect()
        _ = try await client.open()
        try await client.send(Authenticate(mechanism: "BEARER", data: Array(guarded.users.token.text.utf8)), id: 0)
        #expect(try Authenticated(decoding: try RawClient.check(try await client.frame())).user == "eta")
        await client.close()
        await guarded.end()
    }

    @Test("nothing but authenticate is taken before the session is open") func unauthenticated() async throws {
        let guarded = try await Guarded()
        let client = try await guarded.connect()
        _ = try await client.open()
        try await client.send(Tables.write(Tables.trips(0..<3)), id: 1)
        let error = await Self.code { _ = try RawClient.check(try await client.frame()) }
        #expect(error?.code == .notAuthenticated || error?.code == .protocolViolation)
        await #expect(throws: (any Error).self) { _ = try await client.frame() }
        #expect(guarded.server.store.freshness().isEmpty)
        await client.close()
        await guarded.end()
    }

    @Test("a client without TLS gets nowhere") func plain() async throws {
        let guarded = try await Guarded()
        let client = try RawClient(port: guarded.server.port, opens: false)
        #expect(throws: (any Error).self) { _ = try client.open() }
        await guarded.end()
    }

    @Test("a certificate for another host, one that has expired, and one of another authority are refused by the client")
    func serverCertificates() async throws {
        let other = try await Guarded { try $0.issue("elsewhere.example") }
        await #expect(throws: (any Error).self) {
            let client = try await other.connect("localhost")
            _ = try await client.open()
        }
        await other.end()
        let expired = try await Guarded { try $0.issue("localhost", from: -7_200, to: -3_600) }
        await #expect(throws: (any Error).self) {
            let client = try await expired.connect()
            _ = try await client.open()
        }
        await expired.end()
        let sound = try await Guarded()
        await #expect(throws: (any Error).self) {
            let client = try await SecureClient(port: sound.server.port, trusting: CertificateMaker(authority: "test authority").pem())
            _ = try await client.open()
        }
        // The server is none the worse for it.
        let client = try await sound.connect()
        _ = try await client.open()
        await client.close()
        await sound.end()
    }

    @Test("TLS 1.1 is refused") func oldVersions() async throws {
        let guarded = try await Guarded()
        await #expect(throws: (any Error).self) {
            let client = try await SecureClient(
                port: guarded.server.port, trusting: guarded.authority.pem(), maximumVersion: .tlsv11)
            _ = try await client.open()
        }
        let client = try await SecureClient(port: guarded.server.port, trusting: guarded.authority.pem(), maximumVersion: .tlsv12)
        _ = try await client.open()
        await client.close()
        await guarded.end()
    }

    @Test("mutual TLS: the common name is the user; without a certificate, or with a wrong one, there is no session")
    func mutual() async throws {
        let clients = try CertificateMaker(authority: "clients")
        let guarded = try await Guarded(clientAuthority: clients)
        let client = try await guarded.connect(identity: clients.issue("dba"))
        #expect(try await client.open().mechanisms.contains("CERTIFICATE"))
        try await client.send(Authenticate(mechanism: "CERTIFICATE", data: []), id: 0)
        let authenticated = try Authenticated(decoding: try RawClient.check(try await client.frame()))
        #expect(authenticated.user == "dba" && authenticated.roles == ["admin"])
        await client.close()
        // Under TLS 1.3 the server's refusal comes after the client's handshake, with its first word.
        let strangers = try CertificateMaker(authority: "clients")
        for identity in [nil, try strangers.issue("dba"), try clients.issue("dba", from: -7_200, to: -3_600)] {
            await #expect(throws: (any Error).self) {
                let client = try await guarded.connect(identity: identity)
                _ = try await client.open()
            }
        }
        // Refused, counted and recorded; the server may do that a moment after the client has seen its refusal.
        func refusals() throws -> [[String: String]] { try guarded.users.audit().filter { $0["operation"] == "TLS" } }
        for _ in 0..<1000 where try refusals().count < 3 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try refusals().count == 3 && refusals().allSatisfy { $0["event"] == "login_refused" && $0["user"] == nil })
        #expect(guarded.server.metrics.counts(of: .open).codes[WhenceError.Code.notAuthenticated.rawValue] == 3)
        // A certificate of the right authority for nobody.
        let nobody = try await guarded.connect(identity: clients.issue("nobody"))
        _ = try await nobody.open()
        try await nobody.send(Authenticate(mechanism: "CERTIFICATE", data: []), id: 0)
        #expect(await Self.code { _ = try RawClient.check(try await nobody.frame()) }?.code == .notAuthenticated)
        await nobody.close()
        await guarded.end()
    }

    @Test("a certificate that clients would refuse is found before the server starts") func validity() throws {
        let scratch = try ScratchDirectory()
        let authority = try CertificateMaker(authority: "test authority")
        let now = Timestamp.wallClock()
        for (from, to, said) in [(-7_200, -3_600, "has expired"), (3_600, 7_200, "is valid from"), (-3_600, 3_600, nil)] {
            try authority.issue("localhost", from: Double(from), to: Double(to)).certificate.write(
                toFile: scratch.path("server.pem"), atomically: true, encoding: .utf8)
            let error = Result { () throws(WhenceError) in try ServerTLS.checkValidity(scratch.path("server.pem"), at: now) }
            switch (error, said) {
            case (.success, nil): break
            case (.failure(let error), .some(let said)): #expect(error.message.contains(said))
            default: Issue.record("\(said ?? "valid"): \(error)")
            }
        }
    }

    @Test("new certificates are taken up without dropping a connection, and broken ones are not") func reload() async throws {
        let guarded = try await Guarded()
        let old = try await guarded.connect()
        _ = try await old.open()
        try Data("no certificate".utf8).write(to: URL(fileURLWithPath: guarded.files.certificateChain))
        #expect(throws: WhenceError.self) { try guarded.tls.reload() }
        let stillOld = try await guarded.connect()
        _ = try await stillOld.open()
        await stillOld.close()
        let authority = try CertificateMaker(authority: "new authority")
        let new = try authority.issue("localhost")
        try new.certificate.write(toFile: guarded.files.certificateChain, atomically: true, encoding: .utf8)
        // The key does not belong to it yet.
        #expect(throws: WhenceError.self) { try guarded.tls.reload() }
        try new.key.write(toFile: guarded.files.privateKey, atomically: true, encoding: .utf8)
        try guarded.tls.reload()
        _ = try await Self.login(old, "eta", GuardedAccess.password)
        await old.close()
        let fresh = try await SecureClient(port: guarded.server.port, trusting: authority.pem())
        _ = try await fresh.open()
        await fresh.close()
        await #expect(throws: (any Error).self) {
            let client = try await guarded.connect()
            _ = try await client.open()
        }
        await guarded.end()
    }

    @Test("administrative acts are recorded, well ended or not") func administration() async throws {
        let clients = try CertificateMaker(authority: "clients")
        let guarded = try await Guarded(clientAuthority: clients)
        let client = try await guarded.connect(identity: clients.issue("dba"))
        _ = try await client.open()
        try await client.send(Authenticate(mechanism: "CERTIFICATE", data: []), id: 0)
        _ = try Authenticated(decoding: try RawClient.check(try await client.frame()))
        try await client.send(CompactRequest(timeout: nil, view: "trips"), id: 1)
        while try RawClient.check(try await client.frame()).kind != .document {}
        try await client.send(CompactRequest(timeout: nil, view: "no_such_view"), id: 2)
        let missing = await Self.code {
            while try RawClient.check(try await client.frame()).kind == .progress {}
        }
        #expect(missing?.code == .notFound)
        let audit = try guarded.users.audit()
        #expect(audit.map { $0["result"] } == ["ok", "notFound"])
        #expect(audit.allSatisfy { $0["event"] == "administration" && $0["user"] == "dba" && $0["operation"] == "compact" })
        #expect(audit.allSatisfy { $0["peer"]?.contains("127.0.0.1") == true })
        await client.close()
        await guarded.end()
    }

    @Test("who may neither read nor write learns no names, and who may read one view nothing of another") func names() async throws {
        let guarded = try await Guarded()
        try guarded.users.administration.add("scorer", password: nil, grants: ["scorer"])
        let scorer = try guarded.users.administration.makeToken(for: "scorer", label: "", lifetime: nil)
        try guarded.users.access.reload()
        let entities = Tables.drivers(0..<1)
        for (token, isReader) in [(scorer.text, false), (guarded.users.token.text, true)] {
            let client = try await guarded.connect()
            _ = try await client.open()
            try await client.send(Authenticate(mechanism: "BEARER", data: Array(token.utf8)), id: 0)
            _ = try Authenticated(decoding: try RawClient.check(try await client.frame()))
            var id: UInt32 = 1
            func refusal<M: Message>(_ message: M) async throws -> WhenceError? {
                id += 1
                try await client.send(message, id: id)
                return await Self.code { _ = try RawClient.check(try await client.frame()) }
            }
            func online(_ features: [String]) throws -> OnlineRead {
                let question = try PreparedQuestion(OnlineQuestion(.features(features), keys: BatchSchema(of: entities)))
                return OnlineRead(timeout: nil, knownSchema: 0, question: question, entities: entities)
            }
            for features in [["position.lat"], ["position.*", "trips.count"]] {
                let refused = try await refusal(online(features))
                #expect(refused?.code == .notAllowed)
                #expect(try await refusal(DescribeRequest(timeout: nil, selection: .features(features)))?.code == .notAllowed)
            }
            let unknown = try await refusal(online(["trps.count"]))
            #expect(unknown?.code == (isReader ? .notFound : .notAllowed))
            #expect(unknown?.description.contains("trips") == isReader)
            let wrongFeature = try await refusal(DescribeRequest(timeout: nil, selection: .service("dispatch")))
            #expect(wrongFeature?.code == .notAllowed)
            await client.close()
        }
        await guarded.end()
    }
}
