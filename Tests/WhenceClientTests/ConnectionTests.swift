import NIOCore
import Synchronization
import Testing
import WhenceCore
import WhenceProtocol

@testable import WhenceClient

/// Opening, losing and replacing connections.
@Suite(.timeLimit(.minutes(2))) struct ConnectionTests {
    @Test func nobodyListens() async throws {
        let server = try await FakeServer { _, _ in }
        let configuration = server.configuration
        await server.close()
        let error = await #expect(throws: WhenceError.self) { try await WhenceClient.connect(configuration) }
        #expect(error?.code == .connectionLost && error?.isRetryable == true)
        #expect(error?.message.contains("127.0.0.1:\(configuration.port)") == true)
    }

    @Test func aServerThatSaysNothingIsGivenUp() async throws {
        let server = try await FakeServer(nil) { _, _ in }
        var configuration = server.configuration
        configuration.openingTimeout = .milliseconds(100)
        let error = await #expect(throws: WhenceError.self) { try await WhenceClient.connect(configuration) }
        #expect(error?.code == .connectionLost)
        #expect(error?.message.contains("100ms") == true)
        await server.close()
    }

    @Test func aServerOfAnotherVersionIsRefused() async throws {
        let server = try await FakeServer(nil) { _, peer in
            try peer.send(Failure(WhenceError(.unsupportedVersion, "this server speaks version 2")), 0)
            peer.close()
        }
        let error = await #expect(throws: WhenceError.self) { try await WhenceClient.connect(server.configuration) }
        #expect(error?.code == .unsupportedVersion)
        await server.close()
    }

    @Test func whoIsAskedMustAnswer() async throws {
        let server = try await FakeServer(FakeServer.plainWelcome(mechanisms: ["BEARER"])) { frame, peer in
            let message = try Authenticate(decoding: frame)
            if message.data == Array("right".utf8) {
                try peer.send(Authenticated(user: "ann", roles: ["reader"], data: []), 0)
            } else {
                try peer.send(Failure(WhenceError(.notAuthenticated, "the token is not known")), 0)
                peer.close()
            }
        }
        var configuration = server.configuration
        for (credentials, words) in [
            (Credentials.none, "the server asks who this is"), (.token("wrong"), "the token is not known"),
            (.password(user: "ann", password: "p"), "does not take SCRAM-SHA-256"),
        ] {
            configuration.credentials = credentials
            let error = await #expect(throws: WhenceError.self) { try await WhenceClient.connect(configuration) }
            #expect(error?.code == .notAuthenticated)
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
        configuration.credentials = .token("right")
        let client = try await WhenceClient.connect(configuration)
        let identity = try await client.identity()
        #expect(identity.user == "ann" && identity.roles == ["reader"])
        await client.close()
        await server.close()
    }

    /// RFC 7677, section 3.
    @Test func scramIsThatOfTheStandard() throws {
        var scram = ScramClient(user: "user", password: "pencil", nonce: "rOprNGfwEbeRWgbNEkqO")
        #expect(String(decoding: scram.first, as: UTF8.self) == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        let final = try scram.final(serverFirst: Array(challenge.utf8))
        #expect(
            String(decoding: final, as: UTF8.self)
                == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        try scram.verify(serverFinal: Array("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".utf8))
        let error = #expect(throws: WhenceError.self) { try scram.verify(serverFinal: Array("v=AAAA".utf8)) }
        #expect(error?.code == .notAuthenticated)
    }

    @Test func challengesThatAreNoneAreRefused() {
        for challenge in [
            "", "r=abc", "r=other,s=W22Z,i=4096", "r=nonceX,s=,i=4096", "r=nonceX,s=W22Z,i=1", "r=nonceX,s=W22Z,i=99999999999",
            "r=nonce,s=W22Z,i=4096", "r=nonceX,s=%%%,i=4096",
        ] {
            var scram = ScramClient(user: "user", password: "pencil", nonce: "nonce")
            #expect(throws: WhenceError.self, "\(challenge)") { try scram.final(serverFirst: Array(challenge.utf8)) }
        }
    }

    @Test func aDrainingServerGetsNoNewRequests() async throws {
        let journal = Journal()
        let server = try await FakeServer { frame, peer in
            journal.add("\(peer.number)")
            if peer.number == 1 {
                try peer.send(Draining(milliseconds: 1000), 0)
                // What is open is still answered.
                peer.later(20) { peer in try? peer.send(Pong(time: Timestamp(microseconds: 1)), frame.requestID) }
            } else {
                try peer.send(Pong(time: Timestamp(microseconds: 2)), frame.requestID)
            }
        }
        let client = try await WhenceClient.connect(server.configuration)
        #expect(try await client.ping() == Timestamp(microseconds: 1))
        #expect(try await client.ping() == Timestamp(microseconds: 2))
        #expect(journal.all == ["1", "2"])
        await client.close()
        await server.close()
    }

    @Test func aLostConnectionIsReplacedWhereverItBreaks() async throws {
        // The answer of the first connection, cut behind each of its bytes in turn.
        var answer = ByteBuffer()
        try Pong(time: Timestamp(microseconds: 1)).append(to: &answer, requestID: 1, maximumPayloadBytes: 65_536)
        let whole = answer
        for length in 0..<whole.readableBytes {
            let server = try await FakeServer { frame, peer in
                if peer.number > 1 { return try peer.send(Pong(time: Timestamp(microseconds: 2)), frame.requestID) }
                if length > 0, let piece = whole.getSlice(at: 0, length: length) { peer.send(piece) }
                peer.close()
            }
            let client = try await WhenceClient.connect(server.configuration)
            #expect(try await client.ping() == Timestamp(microseconds: 2), "cut behind byte \(length)")
            await client.close()
            await server.close()
        }
    }

    @Test func whatIsNoMessageEndsTheConnection() async throws {
        var answer = ByteBuffer()
        try Pong(time: Timestamp(microseconds: 1)).append(to: &answer, requestID: 1, maximumPayloadBytes: 65_536)
        answer.setInteger(UInt8(0xFF), at: 20)
        let broken = answer
        var stray = ByteBuffer()
        try Pong(time: Timestamp(microseconds: 1)).append(to: &stray, requestID: 77, maximumPayloadBytes: 65_536)
        var other = ByteBuffer()
        try Document(json: "").append(to: &other, requestID: 1, maximumPayloadBytes: 65_536)
        // Rows for one who waits for one message.
        var writer = FrameWriter()
        for _ in 0..<2 { try writer.writeRows(.numbers([1]), as: .rows, requestID: 1) }
        for bytes in [broken, stray, other, writer.buffer] {
            let server = try await FakeServer { _, peer in peer.send(bytes) }
            let client = try await WhenceClient.connect(server.configuration)
            let error = await #expect(throws: WhenceError.self) { try await client.ping() }
            #expect(error?.code == .protocolViolation)
            await client.close()
            await server.close()
        }
    }

    @Test func connectionsThatCannotBeOpenedAreLeftAloneForAWhile() async throws {
        let server = try await FakeServer(nil) { _, peer in peer.close() }
        var configuration = server.configuration
        configuration.retries.firstWait = .seconds(2)
        let pool = try ConnectionPool(configuration)
        await #expect(throws: WhenceError.self) { try await pool.connection() }
        let error = await #expect(throws: WhenceError.self) { try await pool.connection() }
        // The second call finds the door shut: no attempt was made for it.
        #expect(error?.retryAfter != nil)
        #expect(server.connectionCount == 1)
        pool.close()
        await server.close()
    }

    @Test func requestsShareConnectionsAndSpreadOverThem() async throws {
        let numbers = Mutex<Set<Int>>([])
        let server = try await FakeServer { frame, peer in
            numbers.withLock { _ = $0.insert(peer.number) }
            peer.later(5) { peer in try? peer.send(Pong(time: Timestamp(microseconds: 1)), frame.requestID) }
        }
        var configuration = server.configuration
        configuration.connections = 3
        let client = try await WhenceClient.connect(configuration)
        #expect(server.connectionCount == 1)
        for _ in 0..<1000 where numbers.withLock({ $0.count }) < 3 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<10 { group.addTask { _ = try await client.ping() } }
                try await group.waitForAll()
            }
        }
        #expect(numbers.withLock { $0 } == [1, 2, 3])
        #expect(server.connectionCount == 3)
        await client.close()
        let error = await #expect(throws: WhenceError.self) { try await client.ping() }
        #expect(error?.message == "the client is closed")
        await server.close()
    }

    @Test func aServerThatFallsSilentIsFoundOut() async throws {
        let journal = Journal()
        // Nothing is ever answered.
        let server = try await FakeServer { frame, _ in journal.add("\(frame.kindCode)") }
        var configuration = server.configuration
        // Long enough for a machine that is busy: it bounds the opening as well as the wait for a sign of life.
        configuration.idleBeforePing = .milliseconds(30)
        configuration.openingTimeout = .seconds(15)
        configuration.retries = .never
        let client = try await WhenceClient.connect(configuration)
        // Requests without an end of their own, which would wait for ever.
        let streams = (0..<3).map { _ in Task { try await client.scan("v", timeout: .seconds(60)) } }
        for stream in streams {
            let error = await #expect(throws: WhenceError.self) { try await stream.value }
            #expect(error?.code == .connectionLost)
        }
        #expect(journal.all.contains("3"))
        await client.close()
        await server.close()
    }

    @Test func addressesAreRead() throws {
        #expect(try ClientConfiguration(address: "localhost:9462").host == "localhost")
        #expect(try ClientConfiguration(address: "[::1]:9462").host == "::1")
        #expect(try ClientConfiguration(address: "10.0.0.1:1").port == 1)
        for address in ["", "localhost", "localhost:", "localhost:0", "localhost:65536", "::1:9462", ":9462", "[]:1"] {
            #expect(throws: WhenceError.self, "\(address)") { try ClientConfiguration(address: address) }
        }
    }
}
