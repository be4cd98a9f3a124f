import Foundation
import StoreFixtures
import Synchronization
import Testing
import WhenceCore

@testable import WhenceServer

/// `Formats/vectors/users.json` was worked out from `Formats/users.md` and the RFCs by another program.
@Suite("Vectors of users") struct UsersVectorTests {
    private struct Vectors: Decodable {
        struct Exchange: Decodable {
            var client_first: String
            var server_nonce: String
            var challenge: String
            var client_final: String?
            var server_final: String?
        }

        struct Token: Decodable {
            var token: String
            var at: String
            var accepted: Bool
        }

        struct Permission: Decodable {
            var action: String
            var view: String
            var allowed: Bool
        }

        var file: String
        var rfc7677: Exchange
        var scram: Exchange
        var stand_in: Exchange
        var tokens: [Token]
        var grants: [Permission]
    }

    private let vectors: Vectors
    private let scratch: ScratchDirectory
    private let access: AccessControl
    private let now = Clock()

    private final class Clock: Sendable {
        let time = Mutex(Timestamp.distantPast)
    }

    init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        vectors = try JSONDecoder().decode(Vectors.self, from: try Data(contentsOf: root.appending(path: "Formats/vectors/users.json")))
        scratch = try ScratchDirectory()
        try vectors.file.write(toFile: scratch.path("users.yaml"), atomically: true, encoding: .utf8)
        let clock = now
        access = try AccessControl(users: scratch.path("users.yaml"), acceptsCertificates: false, audit: AuditLog()) {
            clock.time.withLock { $0 }
        }
    }

    @Test("the file is written as it was read") func file() throws {
        let directory = try UsersFile(path: scratch.path("users.yaml")).read()
        #expect(directory.text.split(separator: "\n").dropFirst().joined(separator: "\n") + "\n" == vectors.file)
    }

    @Test("the exchange of a password") func scram() throws {
        let exchange = vectors.scram
        guard
            case .challenge(let challenge, let next) = try access.scram(
                Array(exchange.client_first.utf8), peer: "x", serverNonce: exchange.server_nonce)
        else { throw WhenceError(.internalError, "no challenge") }
        #expect(String(decoding: challenge, as: UTF8.self) == exchange.challenge)
        guard case .authenticated(let principal, let data) = try next.proceed(Array((exchange.client_final ?? "").utf8)) else {
            throw WhenceError(.internalError, "a second challenge")
        }
        #expect(String(decoding: data, as: UTF8.self) == exchange.server_final)
        for permission in vectors.grants {
            let action = try #require(Action(rawValue: permission.action))
            #expect(((try? principal.check(action, view: permission.view)) != nil) == permission.allowed, "\(permission)")
        }
    }

    @Test("the example of RFC 7677 by the same program") func rfc() throws {
        let exchange = vectors.rfc7677
        let conversation = try #require(ScramConversation(clientFirst: Array(exchange.client_first.utf8)))
        let salt = try #require(Data(base64Encoded: "W22ZaJ0SNY7soEsUEjb6gQ=="))
        let credential = ScramCredential(password: Array("pencil".utf8), salt: Array(salt), iterations: 4_096)
        let final = conversation.conclude(
            clientFinal: Array((exchange.client_final ?? "").utf8), credential, serverNonce: exchange.server_nonce)
        #expect(final == exchange.server_final)
    }

    @Test("a user that does not exist") func standIn() throws {
        let exchange = vectors.stand_in
        guard
            case .challenge(let challenge, _) = try access.scram(
                Array(exchange.client_first.utf8), peer: "x", serverNonce: exchange.server_nonce)
        else { throw WhenceError(.internalError, "no challenge") }
        #expect(String(decoding: challenge, as: UTF8.self) == exchange.challenge)
    }

    @Test("tokens") func tokens() throws {
        for vector in vectors.tokens {
            let time = try Timestamp(parsing: vector.at)
            now.time.withLock { $0 = time }
            #expect(((try? access.bearer(Array(vector.token.utf8), peer: "x")) != nil) == vector.accepted, "\(vector)")
        }
    }
}
