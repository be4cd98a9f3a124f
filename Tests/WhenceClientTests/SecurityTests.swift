import Crypto
import Foundation
import SwiftASN1
import StoreFixtures
import Testing
import WhenceClient
import WhenceCore
import WhenceProtocol
import X509

@testable import WhenceServer

/// An authority for tests, made on the spot.
private struct TestAuthority {
    private let key = P256.Signing.PrivateKey()
    private let certificate: Certificate

    init() throws {
        let signing = Certificate.PrivateKey(key)
        let subject = try DistinguishedName { CommonName("test authority") }
        certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: signing.publicKey, notValidBefore: Date(timeIntervalSinceNow: -86_400),
            notValidAfter: Date(timeIntervalSinceNow: 86_400), issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true))
            }, issuerPrivateKey: signing)
    }

    func write(to path: String) throws {
        try certificate.serializeAsPEM().pemString.write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// Writes a certificate for `name` to `path.pem`, its key to `path.key`.
    func issue(_ name: String, to path: String, validFor seconds: TimeInterval = 3_600) throws {
        let own = P256.Signing.PrivateKey()
        let issued = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: Certificate.PrivateKey(own).publicKey,
            notValidBefore: Date(timeIntervalSinceNow: -7_200), notValidAfter: Date(timeIntervalSinceNow: seconds),
            issuer: certificate.subject,
            subject: try DistinguishedName { CommonName(name) }, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames([.dnsName(name)])
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        try issued.serializeAsPEM().pemString.write(toFile: path + ".pem", atomically: true, encoding: .utf8)
        try own.pemRepresentation.write(toFile: path + ".key", atomically: true, encoding: .utf8)
    }
}

/// Who may connect to a guarded server, and how.
@Suite(.timeLimit(.minutes(2))) struct SecurityTests {
    private static let password = "correct horse battery"

    /// A server behind TLS with the users `ann` (reader, with a password) and `app` (admin, by token or certificate).
    private struct Guarded {
        let running: RunningServer
        let authority: TestAuthority
        let token: String

        init(
            name: String = "localhost", validFor seconds: TimeInterval = 3_600, mutual: Bool = false,
            throttle: LoginThrottle = LoginThrottle()
        ) async throws {
            let authority = try TestAuthority()
            var token = ""
            running = try await RunningServer(guarded: { scratch in
                try authority.write(to: scratch.path("authority.pem"))
                try authority.issue(name, to: scratch.path("server"), validFor: seconds)
                let users = UserAdministration(file: scratch.path("users.yaml"), iterations: 4_096)
                try users.add("ann", password: SecurityTests.password, grants: ["reader"])
                try users.add("app", password: nil, grants: ["admin"])
                token = try users.makeToken(for: "app", label: "test", lifetime: .seconds(3600)).text
                let files = TLSConfigurationFiles(
                    certificateChain: scratch.path("server.pem"), privateKey: scratch.path("server.key"),
                    clientAuthorities: mutual ? scratch.path("authority.pem") : nil)
                let access = try AccessControl(
                    users: scratch.path("users.yaml"), acceptsCertificates: mutual, audit: AuditLog(), throttle: throttle)
                return (access, try ServerTLS(files))
            })
            self.authority = authority
            self.token = token
        }

        func configuration(_ credentials: Credentials, name: String? = "localhost", certificate: String? = nil) -> ClientConfiguration {
            var configuration = running.configuration
            configuration.credentials = credentials
            let scratch = running.scratch
            configuration.tls = ClientTLS(
                trustedCertificates: scratch.path("authority.pem"), certificate: certificate.map { scratch.path($0 + ".pem") },
                privateKey: certificate.map { scratch.path($0 + ".key") }, serverName: name)
            return configuration
        }
    }

    private func refusal(_ configuration: ClientConfiguration) async -> WhenceError? {
        do throws(WhenceError) {
            await (try WhenceClient.connect(configuration)).close()
            return nil
        } catch {
            return error
        }
    }

    @Test func passwordsAndTokensOpenASession() async throws {
        let guarded = try await Guarded()
        let ann = try await WhenceClient.connect(guarded.configuration(.password(user: "ann", password: SecurityTests.password)))
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
        let guarded = try await Guarded()
        let wrong: [Credentials] = [
            .password(user: "ann", password: "wrong password"), .password(user: "nobody", password: SecurityTests.password),
            .token("not a token"),
        ]
        for credentials in wrong {
            let error = await refusal(guarded.configuration(credentials))
            #expect(error?.code == .notAuthenticated && error?.isRetryable == false)
        }
        await guarded.running.server.shutDown()
    }

    @Test func afterManyWrongPasswordsALoginWaits() async throws {
        let guarded = try await Guarded(throttle: LoginThrottle(failures: 2, within: .seconds(3_600)))
        let wrong = guarded.configuration(.password(user: "ann", password: "wrong password"))
        let right = guarded.configuration(.password(user: "ann", password: SecurityTests.password))
        #expect(await refusal(right) == nil)
        for _ in 0..<2 { #expect(await refusal(wrong)?.retryAfter == nil) }
        let error = await refusal(right)
        #expect(error?.code == .notAuthenticated && error?.isRetryable == true)
        #expect(error?.retryAfter.map { $0 > .seconds(60) && $0 <= .seconds(1_801) } == true)
        #expect(await refusal(guarded.configuration(.token(guarded.token))) == nil)
        await guarded.running.server.shutDown()
    }

    @Test func aServerIsTakenForNoOther() async throws {
        let guarded = try await Guarded(name: "elsewhere")
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
        let guarded = try await Guarded(validFor: -3_600)
        let error = await refusal(guarded.configuration(.token(guarded.token)))
        #expect(error?.code == .connectionLost && error?.isRetryable == false)
        await guarded.running.server.shutDown()
    }

    @Test func certificatesOfClientsNameThem() async throws {
        let guarded = try await Guarded(mutual: true)
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
